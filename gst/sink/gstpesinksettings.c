// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesinksettings.c - see gstpesinksettings.h.

#include "gst/sink/gstpesinksettings.h"

#include <string.h>

#define READY (G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY)
#define AT(member) .offset = offsetof(GstPeSinkSettings, member)

static const GstPeProperty shared_rows[] = {
    {"topic", GST_PE_PROPERTY_STRING, READY, AT(topic),
     .blurb = "Where records go. {source}, {label} or any other member of the "
              "record's JSON object stands for its value, without the signs "
              "that have a meaning in topics. {label} of a clip is its best "
              "label"},
    {"spool", GST_PE_PROPERTY_STRING, READY, AT(spool),
     .blurb = "File on a local disk that keeps records until the broker has "
              "them, also when the process ends. Example: "
              "/var/lib/cameras/spool.db. Empty: they are kept in memory"},
    {"spool-limit", GST_PE_PROPERTY_UINT, READY, AT(spool_limit),
     .max = 1 << 20,
     .blurb = "MiB of records that may wait. 0: 1024 in a file, 16 in memory"},
    {"spool-full", GST_PE_PROPERTY_ENUM, READY, AT(spool_full),
     .enum_type = gst_pe_spool_full_get_type, .init = GST_PE_SPOOL_FULL_BLOCK,
     .blurb = "What happens when so many records wait"},
    {"spool-sync", GST_PE_PROPERTY_ENUM, READY, AT(spool_sync),
     .enum_type = gst_pe_spool_sync_get_type, .init = GST_PE_SPOOL_SYNC_NORMAL,
     .blurb = "What the file survives. Either way it survives the end of the "
              "process"},
    {"max-record-size", GST_PE_PROPERTY_UINT, READY, AT(max_record), .min = 1,
     .max = 256 << 10, .init = 1024,
     .blurb = "KiB of a record. Larger ones are set aside in the spool and do "
              "not hold up the others"},
    {"timeout", GST_PE_PROPERTY_UINT, READY, AT(timeout), .min = 1, .max = 3600,
     .init = 30,
     .blurb = "Seconds that the broker may take to accept a connection or a "
              "record, before another connection is tried"},
    {"drain-timeout", GST_PE_PROPERTY_UINT, READY, AT(drain_timeout),
     .max = 3600000, .init = 5000,
     .blurb = "Milliseconds that the end of the stream, and stopping while "
              "there is a connection, wait for records to arrive"},
    {"stats", GST_PE_PROPERTY_STRUCTURE, G_PARAM_READABLE, .elsewhere = 1,
     .blurb = "What has happened since the start: records added, acknowledged, "
              "dropped, parked, refused, waiting, their bytes, connections, "
              "forgotten (times that the broker may have lost what it had "
              "acknowledged), and connected"},
};

GType
gst_pe_spool_full_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_SPOOL_FULL_BLOCK, "The stream waits until there is room",
         "block"},
        {GST_PE_SPOOL_FULL_DROP_OLDEST,
         "The oldest records are dropped, and counted", "drop-oldest"},
        {0, NULL, NULL},
    };

    // Both plugins have this code, and the process one type.
    if (g_once_init_enter(&type)) {
        GType t = g_type_from_name("GstPeSpoolFull");
        if (!t)
            t = g_enum_register_static("GstPeSpoolFull", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

GType
gst_pe_spool_sync_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_SPOOL_SYNC_NORMAL, "A power cut may take the newest records",
         "normal"},
        {GST_PE_SPOOL_SYNC_FULL,
         "Each record is on the disk before it is accepted", "full"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_type_from_name("GstPeSpoolSync");
        if (!t)
            t = g_enum_register_static("GstPeSpoolSync", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

void
gst_pe_sink_table_init(GstPeSinkTable *table, const GstPeBroker *broker,
                       GObjectClass *klass)
{
    table->broker = broker;
    table->n_shared = G_N_ELEMENTS(shared_rows);
    table->n = table->n_shared + broker->n_rows;
    table->rows = g_new(GstPeProperty, table->n);
    memcpy(table->rows, shared_rows, sizeof shared_rows);
    memcpy(table->rows + table->n_shared, broker->rows,
           broker->n_rows * sizeof *table->rows);
    table->rows[0].init_string = broker->default_topic;
    table->specs = g_new0(GParamSpec *, table->n + 1);
    for (guint i = 0; i < table->n; i++) {
        table->specs[i + 1] = gst_pe_property_make_spec(&table->rows[i]);
        if (table->rows[i].enum_type)
            gst_type_mark_as_plugin_api(table->rows[i].enum_type(), 0);
    }
    table->stats = table->n_shared; // the last of those, counted from 1
    g_object_class_install_properties(klass, table->n + 1, table->specs);
}

// Where the row's value is.
static void *
keeper_of(const GstPeSinkTable *table, guint row, const void *settings,
          const void *own)
{
    return (void *)(row < table->n_shared ? settings : own);
}

void
gst_pe_sink_table_set(const GstPeSinkTable *table, guint id,
                      GstPeSinkSettings *settings, void *own,
                      const GValue *value)
{
    gst_pe_property_set(&table->rows[id - 1],
                        keeper_of(table, id - 1, settings, own), value);
}

void
gst_pe_sink_table_get(const GstPeSinkTable *table, guint id,
                      const GstPeSinkSettings *settings, const void *own,
                      GValue *value)
{
    gst_pe_property_get(&table->rows[id - 1],
                        keeper_of(table, id - 1, settings, own), value);
}

void
gst_pe_sink_table_set_defaults(const GstPeSinkTable *table,
                               GstPeSinkSettings *settings, void *own)
{
    for (guint id = 1; id <= table->n; id++)
        if (!table->rows[id - 1].elsewhere)
            gst_pe_sink_table_set(
                table, id, settings, own,
                g_param_spec_get_default_value(table->specs[id]));
}

void
gst_pe_sink_table_copy(const GstPeSinkTable *table,
                       const GstPeSinkSettings *from, const void *from_own,
                       GstPeSinkSettings *to, void *to_own)
{
    for (guint id = 1; id <= table->n; id++) {
        if (table->rows[id - 1].elsewhere)
            continue;
        g_auto(GValue) value = G_VALUE_INIT;
        g_value_init(&value, table->specs[id]->value_type);
        gst_pe_sink_table_get(table, id, from, from_own, &value);
        gst_pe_sink_table_set(table, id, to, to_own, &value);
    }
}

void
gst_pe_sink_table_clear(const GstPeSinkTable *table,
                        GstPeSinkSettings *settings, void *own)
{
    for (guint i = 0; i < table->n; i++) {
        const GstPeProperty *row = &table->rows[i];
        if (row->type != GST_PE_PROPERTY_STRING || row->elsewhere)
            continue;
        char *keeper = keeper_of(table, i, settings, own);
        g_clear_pointer((char **)(keeper + row->offset), g_free);
    }
}
