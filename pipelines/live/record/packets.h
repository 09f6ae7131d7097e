// SPDX-License-Identifier: LGPL-2.1-or-later
//
// packets.h - the encoded pictures of a stream from some seconds before now on,
// as its decoder got them, so that they can be written as they are. Bounded in
// bytes. Knows no event and no file.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

typedef struct Packets Packets;

// Who gets each picture that comes. On the streaming thread; must not wait.
//   time  UNIX time, us
typedef void (*PacketFunc)(GstCaps *caps, GstBuffer *picture, gint64 time,
                           void *user_data);

// Those of the last `seconds`, beginning with a key frame, as long as they take
// at most `limit` bytes.
// Returns a reference.
Packets *packets_new(double seconds, guint64 limit);
Packets *packets_ref(Packets *packets);
void packets_unref(Packets *packets);
// Look at what the parsers in this pipeline give. Before it starts; it holds a
// reference.
void packets_watch(Packets *packets, GstElement *pipeline);

// Give those from the last key frame on that is not after `time`, or from the
// first that there is, and then all that come, until packets_end(). false:
// there are none, or somebody else gets them. Any thread.
bool packets_begin(Packets *packets, gint64 time, PacketFunc func,
                   void *user_data);
// `func` does not run any more when this returns; not from `func`.
void packets_end(Packets *packets);
