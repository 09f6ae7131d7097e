// SPDX-License-Identifier: LGPL-2.1-or-later
//
// index.c - see index.h.

#include "index.h"

#include "outbox.h"
#include "pipelines/index/probe.h"
#include "pipelines/live/folder.h"
#include "pipelines/live/stream.h"
#include "pipelines/postgres/postgres.h"

#define PERIOD_S 2 // in which what is new is written

struct Index {
    Outbox *outbox;
    int dim;
    GHashTable *footages; // Footage by place
    guint timer;
};

// ---- What streams tell ------------------------------------------------------

// By which it is found with --camera, and each of its regions apart.
static char *
make_place(const Stream *stream, const GstPeResult *result)
{
    const GstPeRegion *region = gst_pe_result_get_region(result);
    g_autofree char *name = folder_safe_name(stream->name);
    g_autofree char *part = region ? folder_safe_name(region->name) : NULL;
    return g_strdup_printf("pe-live://%s/%s%s%s", g_get_host_name(), name,
                           part ? "/" : "", part ? part : "");
}

static void
on_result(Stream *stream, GstPeResult *result, void *data)
{
    Index *index = data;
    if (!gst_pe_result_get_embedding(result) ||
        gst_pe_result_get_n_frames(result) == 0)
        return;
    g_autofree char *place = make_place(stream, result);
    Footage *footage = g_hash_table_lookup(index->footages, place);
    if (!footage) {
        footage = footage_new(place, index->dim);
        g_hash_table_insert(index->footages, g_steal_pointer(&place), footage);
    }
    Snapshot *before =
        footage_add(footage, result, g_get_real_time() * GST_USECOND);
    if (before)
        outbox_put(index->outbox, before);
}

StreamListener
index_get_listener(Index *index)
{
    return (StreamListener){.result = on_result, .user_data = index};
}

static gboolean
put_news(gpointer data)
{
    Index *index = data;
    gint64 now = g_get_real_time() * (gint64)GST_USECOND;
    GHashTableIter iter;
    gpointer footage;
    g_hash_table_iter_init(&iter, index->footages);
    while (g_hash_table_iter_next(&iter, NULL, &footage)) {
        bool is_over = footage_is_over(footage, now);
        Snapshot *snapshot =
            is_over ? footage_close(footage) : footage_take(footage);
        if (snapshot)
            outbox_put(index->outbox, snapshot);
        if (is_over) // the stream may be gone for good
            g_hash_table_iter_remove(&iter);
    }
    return G_SOURCE_CONTINUE;
}

// ---- Start and end ----------------------------------------------------------

static Outbox *
open_outbox(const char *uri, PeEngine *engine, const char *vocab, guint64 limit,
            NoteFunc on_note, void *user_data, GError **error)
{
    const PeModel *model = pe_engine_get_model(engine);
    PeTokenizer *tokenizer =
        pe_model_get_text(model)
            ? pe_tokenizer_open_for_model(vocab, model, NULL)
            : NULL;
    int n_probes;
    g_autofree float *probes = probe_embed(engine, tokenizer, &n_probes, error);
    if (tokenizer)
        pe_tokenizer_unref(tokenizer);
    if (!probes)
        return NULL;
    const ArchiveModel made_by = {pe_model_get_name(model),
                                  pe_model_get_fingerprint(model),
                                  pe_engine_get_dim(engine), probes, n_probes};
    // What never will work is told now.
    g_autoptr(GError) e = NULL;
    PostgresWriter *writer = postgres_writer_open(uri, &made_by, 10, &e);
    if (writer)
        postgres_writer_close(writer);
    if (e && e->code != PE_ERROR_FILE) {
        g_propagate_error(error, g_steal_pointer(&e));
        return NULL;
    }
    return outbox_new(uri, &made_by, limit, on_note, user_data);
}

Index *
index_new(const char *uri, PeEngine *engine, const char *vocab, guint64 limit,
          NoteFunc on_note, void *user_data, GError **error)
{
    Outbox *outbox =
        open_outbox(uri, engine, vocab, limit, on_note, user_data, error);
    if (!outbox)
        return NULL;
    Index *index = g_new0(Index, 1);
    index->outbox = outbox;
    index->dim = pe_engine_get_dim(engine);
    index->footages = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                            (GDestroyNotify)footage_free);
    index->timer = g_timeout_add_seconds(PERIOD_S, put_news, index);
    return index;
}

bool
index_close(Index *index, bool *hangs)
{
    GHashTableIter iter;
    gpointer footage;
    g_source_remove(index->timer);
    g_hash_table_iter_init(&iter, index->footages);
    while (g_hash_table_iter_next(&iter, NULL, &footage)) {
        Snapshot *snapshot = footage_close(footage);
        if (snapshot)
            outbox_put(index->outbox, snapshot);
    }
    g_hash_table_unref(index->footages);
    bool ok = outbox_close(index->outbox, hangs);
    g_free(index);
    return ok;
}
