// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesinksettings.h - the properties of a sink: those of every sink as rows
// of a table, and the broker's own behind them.

#pragma once

#include "gst/sink/gstpebroker.h"

typedef enum {
    GST_PE_SPOOL_FULL_BLOCK,
    GST_PE_SPOOL_FULL_DROP_OLDEST,
} GstPeSpoolFull;

typedef enum {
    GST_PE_SPOOL_SYNC_NORMAL,
    GST_PE_SPOOL_SYNC_FULL,
} GstPeSpoolSync;

typedef struct {
    char *topic;
    char *spool;         // path; NULL or empty: in memory
    guint spool_limit;   // MiB; 0: what suits disk or memory
    int spool_full;      // GstPeSpoolFull
    int spool_sync;      // GstPeSpoolSync
    guint max_record;    // KiB
    guint timeout;       // s
    guint drain_timeout; // ms
} GstPeSinkSettings;

// One for each class.
typedef struct {
    const GstPeBroker *broker;
    GstPeProperty *rows;
    GParamSpec **specs;       // [n + 1], from 1 on, as GObject counts
    guint n_shared, n, stats; // rows of the sink, of all; the id of "stats"
} GstPeSinkTable;

GType gst_pe_spool_full_get_type(void);
GType gst_pe_spool_sync_get_type(void);

// Install the properties on a class.
void gst_pe_sink_table_init(GstPeSinkTable *table, const GstPeBroker *broker,
                            GObjectClass *klass);
// The rows' defaults. `own` are the broker's settings, all 0 at first.
void gst_pe_sink_table_set_defaults(const GstPeSinkTable *table,
                                    GstPeSinkSettings *settings, void *own);
void gst_pe_sink_table_set(const GstPeSinkTable *table, guint id,
                           GstPeSinkSettings *settings, void *own,
                           const GValue *value);
void gst_pe_sink_table_get(const GstPeSinkTable *table, guint id,
                           const GstPeSinkSettings *settings, const void *own,
                           GValue *value);
// Another copy of all values; and the end of one (not of the structs).
void gst_pe_sink_table_copy(const GstPeSinkTable *table,
                            const GstPeSinkSettings *from, const void *from_own,
                            GstPeSinkSettings *to, void *to_own);
void gst_pe_sink_table_clear(const GstPeSinkTable *table,
                             GstPeSinkSettings *settings, void *own);
