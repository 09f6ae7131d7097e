// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpebytes_private.h - the byte form of a result, little endian:
//
//     "GPER"     magic
//     u8         version of the writer
//     u8         the oldest version that may read it
//     u16        0
//     u32        size of all that follows
//     fields     u16 tag, u16 0, u32 size, and as many bytes
//
// A field comes once, TAG_LABEL once for every label and TAG_EVENT once for
// every event; one that is not known is
// not there. Readers skip tags that they do not know, and what a field has
// beyond the part that they know, so that later versions may add both. Texts
// are UTF-8 without terminator. Inside of a field a text is u32 size and bytes.

#pragma once

#include "gstperesult.h"

#define GST_PE_BYTES_MAGIC "GPER"
#define GST_PE_BYTES_VERSION 1
#define GST_PE_BYTES_HEAD_SIZE 12
#define GST_PE_BYTES_FIELD_HEAD_SIZE 8
#define GST_PE_BYTES_N_EVENT_TIMES 9

// Never change a number, never use one again.
typedef enum {
    TAG_SOURCE = 1,
    TAG_ELEMENT = 2,
    TAG_SEQUENCE = 3, // u64
    TAG_STREAM_ID = 4,
    TAG_CLIP = 5,     // 6 x u64: start and end in running, stream, wall time
    TAG_N_FRAMES = 6, // u32
    TAG_REASON = 7,   // u32
    TAG_REGION = 8,   // i32 id, x, y, width, height, u64 track id, text
    TAG_WINDOW = 9,
    TAG_MODEL = 10,
    TAG_MODEL_FINGERPRINT = 11,
    TAG_DEVICE = 12,
    TAG_PRECISION = 13,
    TAG_EMBEDDING = 14, // u32 kind, type, number, dimension, then the numbers
    TAG_TOKENS = 15,    // the same
    TAG_LABEL_SET = 16,
    TAG_LABEL_SET_FINGERPRINT = 17,
    TAG_LABEL = 18, // f64 score, similarity, text, f64 probability, p-value
    TAG_CALIBRATION = 19,
    TAG_NEGATIVE_MASS = 20, // f64
    TAG_UNKNOWN = 21,       // u32
    // u32 phase, u64 id, 9 x u64: start, end and peak in running, stream, wall
    // time, 3 x f64: peak score, threshold, p-value, u32 clips, text label, and
    // the embedding like TAG_EMBEDDING, with the number 0 when there is none
    TAG_EVENT = 22,
    TAG_STRETCH = 23, // u64
    TAG_SAMPLE = 24,  // u64
    TAG_NORM = 25,    // f64
    N_TAGS,
} GstPeBytesTag;

// What a field holds decides how it is read and written.
typedef enum {
    KIND_NONE, // no such tag
    KIND_TEXT,
    KIND_U32,
    KIND_U64,
    KIND_F64,
    KIND_CLIP,
    KIND_REGION,
    KIND_VECTORS,
    KIND_LABEL,
    KIND_EVENT,
} GstPeBytesKind;

typedef struct {
    const gchar *name;
    GstPeBytesKind kind;
    gsize offset; // in GstPeResultFields
} GstPeBytesField;

// Where its times are in a GstPeLabelEvent.
extern const gsize
    gst_pe_bytes_event_times[GST_PE_BYTES_N_EVENT_TIMES] G_GNUC_INTERNAL;

// [N_TAGS]
extern const GstPeBytesField gst_pe_bytes_fields[] G_GNUC_INTERNAL;
