// SPDX-License-Identifier: LGPL-2.1-or-later
//
// coded.h - which coded frames no other frame is predicted from: a decoder that
// never sees them shows all others as before.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

typedef enum { CODED_OTHER, CODED_H264, CODED_H265 } CodedKind;

// A stream of whole frames, as parsers give them to decoders.
typedef struct {
    CodedKind kind;    // CODED_OTHER: nothing is known of its frames
    int length_size;   // bytes of the length before each NAL unit; 0: none,
                       // they are behind start codes
    bool has_one_rate; // H.265: there are no temporal sub-layers
} CodedStream;

// What a decoder's caps say. Interlaced streams are CODED_OTHER: a frame may be
// two buffers there.
CodedStream coded_stream_new(const GstCaps *caps);

// Does no other frame need this one? Every frame has to be shown, because
// parameters come in them. By nal_ref_idc in H.264 (Rec. ITU-T H.264 7.4.1), by
// nal_unit_type in H.265 (Rec. ITU-T H.265 table 7-1). false also when the
// frame brings anything that outlives it.
bool coded_stream_can_skip(CodedStream *stream, GstBuffer *buffer);
