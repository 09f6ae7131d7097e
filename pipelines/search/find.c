// SPDX-License-Identifier: LGPL-2.1-or-later
//
// find.c - see find.h. For pe-search, as a command and as a server.

#include "find.h"

bool
searcher_open(Searcher *searcher, GError **error)
{
    searcher->null_texts = NULL;
    searcher->nulls = null_cache_new();
    if (model_open(&searcher->model, error))
        return true;
    searcher_close(searcher);
    return false;
}

void
searcher_close(Searcher *searcher)
{
    g_clear_pointer(&searcher->null_texts, g_free);
    g_clear_pointer(&searcher->nulls, null_cache_free);
    model_close(&searcher->model);
}

void
found_free(Found *found)
{
    g_clear_pointer(&found->moments, g_ptr_array_unref);
    g_clear_pointer(&found->selection, selection_free);
    g_free(found);
}

// Nobody guesses when a video was recorded.
static bool
check_times(const Selection *selection, GError **error)
{
    if (selection->n_timeless == 0 || selection->contents->len > 0)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "of none of the %u file(s) is it known when it was recorded; "
                "tag them with --again --time-from-name, or search without "
                "--since, --until and --time-of-day",
                selection->n_timeless);
    return false;
}

static bool
init_text_gauge(Gauge *gauge, Searcher *searcher, Archive *archive,
                const Query *query, const PeRows *rows,
                const Selection *selection, GError **error)
{
    if (!searcher->null_texts && !(searcher->null_texts = null_embed_texts(
                                       &searcher->model, rows->dim, error)))
        return false;
    Null null;
    if (!null_cache_get(searcher->nulls, searcher->null_texts, archive, rows,
                        selection, &null, error))
        return false;
    const PeModel *model = pe_engine_get_model(searcher->model.engine);
    gauge_init_text(gauge, &null, searcher->null_texts, query, rows->dim,
                    (double)pe_model_get_logit_scale(model));
    return true;
}

// Those of all parts; zeros need no gauge_clear().
static bool
init_gauges(Gauge *gauges, Searcher *searcher, Archive *archive,
            const Query *query, const PeRows *rows, const Selection *selection,
            GError **error)
{
    for (guint i = 0; i < query->parts->len; i++) {
        if (g_array_index(query->parts, QueryPart, i).kind == PART_TEXT) {
            if (!init_text_gauge(&gauges[i], searcher, archive, query, rows,
                                 selection, error))
                return false;
            continue;
        }
        Null null;
        if (!null_of_picture(query->vectors + (size_t)i * (size_t)rows->dim,
                             archive, rows, selection, &null, error))
            return false;
        gauge_init_picture(&gauges[i], &null);
    }
    return true;
}

static GPtrArray *
find(Searcher *searcher, Archive *archive, Query *query,
     const Selection *selection, const MomentParams *params, GError **error)
{
    const PeRows *rows = archive_map(archive, error);
    if (!rows || !query_embed(query, &searcher->model, archive, rows, error))
        return NULL;
    g_autofree Gauge *gauges = g_new0(Gauge, query->parts->len);
    GPtrArray *moments = NULL;
    if (init_gauges(gauges, searcher, archive, query, rows, selection, error))
        moments = moments_find(archive, query, gauges, rows, selection, params,
                               error);
    for (guint i = 0; i < query->parts->len; i++)
        gauge_clear(&gauges[i]);
    return moments;
}

Found *
searcher_find(Searcher *searcher, Archive *archive, Query *query,
              const SelectionParams *where, const MomentParams *params,
              GError **error)
{
    if (!archive_check_model(archive, &searcher->model.archive, error) ||
        !archive_hold(archive, error))
        return NULL;
    Found *found = g_new0(Found, 1);
    found->selection = selection_new(archive, where, error);
    if (found->selection && check_times(found->selection, error)) {
        found->n_timeless = found->selection->n_timeless;
        found->moments =
            find(searcher, archive, query, found->selection, params, error);
    }
    archive_release(archive);
    if (found->moments)
        return found;
    found_free(found);
    return NULL;
}
