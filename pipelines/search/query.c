// SPDX-License-Identifier: LGPL-2.1-or-later
//
// query.c - see query.h.

#include "query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gst/video/gstpepicture.h"
#include "pipelines/tag/sources.h"

static void
clear_part(gpointer data)
{
    g_free(((QueryPart *)data)->text);
}

Query *
query_new(void)
{
    Query *query = g_new0(Query, 1);
    query->parts = g_array_new(FALSE, FALSE, sizeof(QueryPart));
    g_array_set_clear_func(query->parts, clear_part);
    return query;
}

void
query_free(Query *query)
{
    g_array_unref(query->parts);
    g_free(query->vectors);
    g_free(query);
}

bool
query_add(Query *query, PartKind kind, bool is_unwanted, const char *text,
          GError **error)
{
    char *end;
    double weight = g_ascii_strtod(text, &end);
    bool has_weight = end > text && *end == ':';
    QueryPart part = {kind, is_unwanted, has_weight ? weight : 1,
                      g_strdup(has_weight ? end + 1 : text)};
    g_array_append_val(query->parts, part);
    if (!(part.weight > 0 && part.weight <= 100) || !part.text[0] ||
        (kind == PART_TEXT && !g_utf8_validate(part.text, -1, NULL))) {
        g_autofree char *shown = g_utf8_make_valid(text, -1);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "\"%s\" must be a text in UTF-8, and its weight, as in "
                    "\"2:a dog\", above 0 and at most 100",
                    shown);
        return false;
    }
    return true;
}

// ---- Texts ----------------------------------------------------------------

float *
query_embed_texts(const Model *model, int row_dim, const char *const *texts,
                  int n, GError **error)
{
    int dim = model->archive.dim;
    if (!model->tokenizer) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s reads no texts here: it has no text tower, or its "
                    "vocabulary was not found (--vocab)",
                    model->archive.name);
        return NULL;
    }
    g_autofree float *plain = g_new(float, (size_t)n *(size_t)dim);
    if (!pe_engine_embed_texts(model->engine, model->tokenizer, texts, n, plain,
                               error))
        return NULL;
    float *out = g_new0(float, (size_t)n *(size_t)row_dim);
    for (int i = 0; i < n; i++) {
        pe_embedding_normalize(plain + i * dim, dim);
        memcpy(out + i * row_dim, plain + i * dim, sizeof(float) * (size_t)dim);
    }
    return out;
}

static bool
embed_text(const Model *model, const QueryPart *part, int row_dim, float *out,
           GError **error)
{
    const char *text = part->text;
    g_autofree float *vector =
        query_embed_texts(model, row_dim, &text, 1, error);
    if (vector)
        memcpy(out, vector, sizeof(float) * (size_t)row_dim);
    return vector != NULL;
}

// ---- Pictures -------------------------------------------------------------

typedef struct {
    PeEngine *engine;
    float *out;
} Target;

static bool
take_picture(const PeFrame *frame, void *data, GError **error)
{
    Target *target = data;
    return pe_engine_embed_frames(target->engine, frame, 1, target->out, error);
}

static bool
embed_picture(const Model *model, const QueryPart *part, float *out,
              GError **error)
{
    Target target = {model->engine, out};
    if (!gst_pe_picture_read(part->text, take_picture, &target, error))
        return false;
    pe_embedding_normalize(out, model->archive.dim);
    return true;
}

// ---- Frames of the archive ------------------------------------------------

// The stored frame that is on screen at a time.
static gint64
find_frame(const ArchiveContent *content, gint64 time)
{
    gint64 found = 0;
    for (guint i = 0; i < content->frames->len; i++) {
        if (g_array_index(content->frames, ArchiveFrame, i).start <= time)
            found = i;
    }
    return found;
}

static bool
find_row(Archive *archive, gint64 content, gint64 frame, gint64 *row,
         GError **error)
{
    g_autoptr(GArray) list = archive_list_rows(archive, error);
    for (guint i = 0; list && i < list->len; i++) {
        const ArchiveRows *rows = &g_array_index(list, ArchiveRows, i);
        if (rows->content == content && frame < rows->n_rows) {
            *row = rows->first_row + frame;
            return true;
        }
    }
    if (list)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "no frame of this file is in the archive");
    return false;
}

// Of a content the end is known, or at least that of the last stored frame.
static bool
check_time(const ArchiveContent *content, const QueryPart *part, double seconds,
           GError **error)
{
    gint64 end = content->duration;
    for (guint i = 0; i < content->frames->len; i++)
        end = MAX(end, g_array_index(content->frames, ArchiveFrame, i).end);
    if (seconds * 1e9 <= (double)end)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "--like %s: the file ends at %.3f s; give a time before that",
                part->text, (double)MAX(end, 0) / 1e9);
    return false;
}

static bool
embed_like(Archive *archive, const PeRows *rows, const QueryPart *part,
           float *out, GError **error)
{
    const char *at = strrchr(part->text, '@');
    char *end = NULL;
    double seconds = at ? g_ascii_strtod(at + 1, &end) : 0;
    if (!at || end == at + 1 || *end || !(seconds >= 0)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "--like \"%s\" must be FILE@SECONDS, such as a.mp4@12.5",
                    part->text);
        return false;
    }
    g_autofree char *path = g_strndup(part->text, (gsize)(at - part->text));
    Source *source = source_new(path);
    GError *e = NULL;
    g_autoptr(ArchiveFile) file = archive_find(archive, source->name, &e);
    if (!file && !e)
        g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT,
                    "--like %s: this file is not in the archive", source->name);
    source_free(source);
    g_autoptr(ArchiveContent) content =
        file ? archive_read_content(archive, file->content, &e) : NULL;
    gint64 row;
    if (content && check_time(content, part, seconds, &e) &&
        find_row(archive, content->id,
                 find_frame(content, llround(seconds * 1e9)), &row, &e) &&
        (guint64)row < rows->n &&
        archive_fetch_around(archive, (guint64)row, &e))
        pe_halves_to_floats(rows->values + (size_t)row * (size_t)rows->dim,
                            (size_t)rows->dim, out);
    if (e)
        g_propagate_error(error, e);
    return !e;
}

static bool
embed_row(Archive *archive, const PeRows *rows, const QueryPart *part,
          float *out, GError **error)
{
    gint64 row = g_ascii_strtoll(part->text, NULL, 10);
    ArchiveRows content;
    if (!archive_find_row(archive, row, &content, error) ||
        !archive_fetch_around(archive, (guint64)row, error))
        return false;
    pe_halves_to_floats(rows->values + (size_t)row * (size_t)rows->dim,
                        (size_t)rows->dim, out);
    return true;
}

bool
query_embed(Query *query, const Model *model, Archive *archive,
            const PeRows *rows, GError **error)
{
    int row_dim = rows->dim;
    g_free(query->vectors);
    query->vectors = g_new0(float, (size_t)query->parts->len *(size_t)row_dim);
    for (guint i = 0; i < query->parts->len; i++) {
        const QueryPart *part = &g_array_index(query->parts, QueryPart, i);
        float *out = query->vectors + (size_t)i * (size_t)row_dim;
        bool ok = part->kind == PART_TEXT
                      ? embed_text(model, part, row_dim, out, error)
                  : part->kind == PART_PICTURE
                      ? embed_picture(model, part, out, error)
                  : part->kind == PART_LIKE
                      ? embed_like(archive, rows, part, out, error)
                      : embed_row(archive, rows, part, out, error);
        if (!ok)
            return false;
    }
    return true;
}
