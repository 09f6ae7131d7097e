// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeintake.h - from bytes that come in pieces to records with topics, in
// groups that are put into the spool together. A record is a line; where each
// piece is known to be whole texts, also what is behind the last line's end.

#pragma once

#include "gst/sink/gstpetopic.h"
#include "gst/spool/gstpespool.h"

#define GST_PE_INTAKE_GROUP 200 // records that are added together

typedef struct {
    void *owner;
    // Store them. Borrows. Returns false to stop: none of these is stored.
    bool (*store)(void *owner, const GstPeRecord *records, guint n);
    // A line that is no record and is left out, and why.
    void (*refuse)(void *owner, const GError *error);
} GstPeIntakeEvents;

typedef struct {
    GstPeTopic *topic; // borrowed
    gsize max_line;    // bytes; longer ones are refused
    GstPeIntakeEvents events;
    GByteArray *rest; // of a line whose end has not come
    bool is_skipping; // what is left of a line that was too long
    GPtrArray *names; // topics and keys of the group
    GArray *group;    // GstPeRecord
} GstPeIntake;

// One owner, one thread. The caller has set what is above `rest`.
void gst_pe_intake_init(GstPeIntake *intake);
void gst_pe_intake_clear(GstPeIntake *intake);

// Borrows. Returns false when store() did; then the rest of the piece is lost
// (the stream is being flushed or has failed).
bool gst_pe_intake_take(GstPeIntake *intake, const char *data, gsize size,
                        bool is_whole);
// The stream has ended: what is left is a line.
bool gst_pe_intake_end(GstPeIntake *intake);
// Forget an unfinished line.
void gst_pe_intake_flush(GstPeIntake *intake);
