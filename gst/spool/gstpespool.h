// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpespool.h - records on their way to somewhere that may be away: a queue in
// a SQLite file on a local disk, or in memory. What has been added is there
// after the process was killed; with `sync` also after a power cut. Knows no
// broker, no topic's meaning and no GStreamer. Used by gst/sink/.
//
// A record has an id, which grows for as long as the file lives. The reader
// peeks at records in order, and acknowledges them in order; a record is
// removed when it has been acknowledged, and not before.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct GstPeSpool GstPeSpool;

typedef struct {
    const char *path; // NULL: in memory, which a killed process loses
    guint64 limit;    // bytes of the waiting records, with some for each
    bool drop_oldest; // when full, else what is added must wait
    bool sync;        // each commit reaches the disk before it counts
    guint64 max_size; // bytes of a record, <= limit; larger ones are parked
} GstPeSpoolOptions;

typedef struct {
    gint64 id; // > 0; of those that are added: 0
    const char *topic;
    const char *key;  // of the stream, within which order is kept
    const void *data; // [size]
    gsize size;       // > 0
} GstPeRecord;

typedef struct {
    guint64 n_added;        // since it was opened, with those parked at once
    guint64 n_acknowledged; //
    guint64 n_dropped;      // removed because the spool was full
    guint64 n_parked;       // set aside because they cannot be sent
    guint64 n_waiting;      // now
    guint64 size;           // bytes, of those waiting and parked, now
} GstPeSpoolCounts;

typedef enum {
    GST_PE_SPOOL_ADDED,
    GST_PE_SPOOL_FULL,   // nothing was added; there will be room
    GST_PE_SPOOL_FAILED, // nothing was added, and the error is set
} GstPeSpoolResult;

// All of it: one owner, any threads.

// Open or make the file. It is written to once, so that a disk that is full or
// may not be written is found now. One that is no database any more is renamed
// to FILE.corrupt-DATE-TIME; `aside` is then that name (g_free()), else NULL.
// Only one process, and one spool in it, has a file open. Returns NULL with an
// error of the domain PE_ERROR that names the file.
GstPeSpool *gst_pe_spool_open(const GstPeSpoolOptions *options, char **aside,
                              GError **error);
// Waiting records stay in the file. Those in memory are gone.
void gst_pe_spool_close(GstPeSpool *spool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeSpool, gst_pe_spool_close)

// Add records [n] of any number, all or (when they would not fit) none, in one
// commit. Borrows. One that is larger than `max_size` is parked and counts as
// added. Records that are more than the whole limit count as full for ever
// unless they are added in smaller groups; a single one is always added to an
// empty spool.
GstPeSpoolResult gst_pe_spool_add(GstPeSpool *spool, const GstPeRecord *records,
                                  guint n, GError **error);

// Copies of up to n waiting records with ids above `after`, in order; the
// array's elements are GstPeRecord, and it is freed with g_ptr_array_unref().
// Those that were peeked at are not dropped when the spool is full, until
// gst_pe_spool_rewind(). NULL with an error.
GPtrArray *gst_pe_spool_peek(GstPeSpool *spool, gint64 after, guint n,
                             GError **error);
// Nothing is on its way any more: all may be dropped again.
void gst_pe_spool_rewind(GstPeSpool *spool);

// All up to and with this id have arrived.
bool gst_pe_spool_acknowledge(GstPeSpool *spool, gint64 id, GError **error);
// This one cannot be sent, for a reason in words. It is kept in the file's
// table "parked", of which only the newest 100 are kept.
bool gst_pe_spool_park(GstPeSpool *spool, gint64 id, const char *reason,
                       GError **error);

// After an error of the kind PE_ERROR_FORMAT: rename the file aside and go on
// with an empty one; ids go on as well. Returns false with the error of the new
// one; the spool may then only be closed.
bool gst_pe_spool_replace(GstPeSpool *spool, char **aside, GError **error);
// Do so if *error is of that kind. Returns what a person should know, g_free(),
// and clears the error; NULL: *error stays, or is that of the new one.
char *gst_pe_spool_mend(GstPeSpool *spool, GError **error);

GstPeSpoolCounts gst_pe_spool_get_counts(GstPeSpool *spool);
