// SPDX-License-Identifier: LGPL-2.1-or-later
//
// parts.c - see parts.h.

#include "parts.h"

#include "copy.h"

#define MAX_FRAMES 8192 // of one COPY: 16 MiB of 1024 values

static bool
send_copy(Sql *sql, const char *text, GByteArray *copy, GError **error)
{
    copy_end(copy);
    return sql_copy(sql, text, copy, error);
}

// Frames from `from` on, up to MAX_FRAMES.
static bool
copy_some_frames(Sql *sql, const ArchiveContent *content, const PartsRows *rows,
                 guint from, gint64 first_row, GError **error)
{
    g_autoptr(GByteArray) copy = copy_begin();
    const GArray *frames = content->frames;
    guint end = MIN(frames->len, from + MAX_FRAMES);
    for (guint i = from; i < end; i++) {
        const ArchiveFrame *frame = &g_array_index(frames, ArchiveFrame, i);
        copy_row(copy, 5);
        copy_int64(copy, first_row + i);
        copy_int64(copy, frame->start);
        copy_int64(copy, frame->end);
        copy_int64(copy, frame->n_samples);
        copy_halves(copy, rows->values + i * rows->row_dim, rows->dim);
    }
    return send_copy(
        sql,
        "COPY perception.frames (\"row\", start_ns, end_ns, n_samples, "
        "vector) FROM STDIN (FORMAT binary)",
        copy, error);
}

bool
parts_copy_frames(Sql *sql, const ArchiveContent *content,
                  const PartsRows *rows, guint from, gint64 first_row,
                  GError **error)
{
    for (guint i = from; i < content->frames->len; i += MAX_FRAMES) {
        if (!copy_some_frames(sql, content, rows, i, first_row, error))
            return false;
    }
    return true;
}

static bool
copy_labels(Sql *sql, const ArchiveContent *content, gint64 id, guint from,
            GError **error)
{
    g_autoptr(GByteArray) copy = copy_begin();
    const GPtrArray *segments = content->segments;
    for (guint i = from; i < segments->len; i++) {
        const GArray *labels = ((ArchiveSegment *)segments->pdata[i])->labels;
        for (guint k = 0; k < labels->len; k++) {
            const ArchiveLabel *label = &g_array_index(labels, ArchiveLabel, k);
            copy_row(copy, 4);
            copy_int64(copy, id);
            copy_int64(copy, i);
            copy_text(copy, label->name);
            copy_double(copy, label->score);
        }
    }
    return send_copy(sql,
                     "COPY perception.segment_labels (content, segment, label, "
                     "score) FROM STDIN (FORMAT binary)",
                     copy, error);
}

bool
parts_copy_segments(Sql *sql, const ArchiveContent *content, gint64 id,
                    guint from, GError **error)
{
    g_autoptr(GByteArray) copy = copy_begin();
    const GPtrArray *segments = content->segments;
    for (guint i = from; i < segments->len; i++) {
        const ArchiveSegment *s = segments->pdata[i];
        const gint64 values[] = {id,       i,      s->first, s->n,
                                 s->start, s->end, s->peak};
        copy_row(copy, G_N_ELEMENTS(values) + 1);
        for (size_t k = 0; k < G_N_ELEMENTS(values); k++)
            copy_int64(copy, values[k]);
        copy_bytes(copy, s->thumbnail);
    }
    return send_copy(sql,
                     "COPY perception.segments (content, number, first_frame, "
                     "n_frames, start_ns, end_ns, peak, thumbnail) FROM STDIN "
                     "(FORMAT binary)",
                     copy, error) &&
           copy_labels(sql, content, id, from, error);
}

bool
parts_drop_segments(Sql *sql, gint64 id, guint from, GError **error)
{
    return sql_run(sql, error,
                   "DELETE FROM perception.segment_labels WHERE content = $1 "
                   "AND segment >= $2",
                   "ii", id, (gint64)from) &&
           sql_run(sql, error,
                   "DELETE FROM perception.segments WHERE content = $1 AND "
                   "number >= $2",
                   "ii", id, (gint64)from);
}

bool
parts_drop(Sql *sql, gint64 id, GError **error)
{
    return sql_run(sql, error,
                   "DELETE FROM perception.frames USING perception.contents "
                   "WHERE id = $1 AND \"row\" >= first_row AND \"row\" < "
                   "first_row + n_rows",
                   "i", id) &&
           parts_drop_segments(sql, id, 0, error) &&
           sql_run(sql, error, "DELETE FROM perception.contents WHERE id = $1",
                   "i", id);
}

bool
parts_take_number(PGresult *result, gint64 *number, bool *found)
{
    *found = result && PQntuples(result) > 0;
    *number = *found ? sql_int(result, 0, 0) : -1;
    PQclear(result);
    return result != NULL;
}
