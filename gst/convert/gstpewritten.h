// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewritten.h - which results have been written, so that one that is
// repeated on many buffers, or comes on a buffer and in an event, is written
// once. Results are recognised by their identity: copies of them too.

#pragma once

#include "gst/meta/gstpemeta.h"

// One owner. Remembers the last results, more than are ever on their way.
typedef struct {
    GHashTable *identities; // char *, owned
    GQueue order;           // the same, oldest first
} GstPeWritten;

void gst_pe_written_init(GstPeWritten *written);
void gst_pe_written_clear(GstPeWritten *written);

// TRUE: for the first time.
gboolean gst_pe_written_add(GstPeWritten *written, const GstPeResult *result);
void gst_pe_written_forget(GstPeWritten *written);
