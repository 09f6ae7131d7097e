// SPDX-License-Identifier: LGPL-2.1-or-later
//
// footage.c - see footage.h.

#include "footage.h"

#include "pipelines/postgres/postgres.h"
#include "pipelines/tag/collector.h"

// As pe-tag has them by default.
#define DEDUP 0.98f
#define SHOT 0.8f
#define SETTINGS "live, dedup 0.98, shot 0.8"

#define SECOND G_GINT64_CONSTANT(1000000000) // ns
#define MAX_LENGTH (3600 * SECOND)
#define MAX_GAP (10 * SECOND)
#define MAX_LABELS 5 // of a segment, as pe-tag has

struct Footage {
    char *place;
    int dim;
    Collector *collector; // NULL: no content
    GPtrArray *labels;    // GArray of ArchiveLabel of each frame
    char *label_set;      // NULL: no labels
    char *key, *name;
    gint64 start, last; // ns since 1970
    bool has_changed;
};

void
snapshot_free(Snapshot *snapshot)
{
    g_free(snapshot->key);
    archive_file_free(snapshot->file);
    archive_content_free(snapshot->content);
    g_free(snapshot->vectors);
    g_free(snapshot);
}

guint64
snapshot_count_bytes(const Snapshot *snapshot, int dim)
{
    guint64 n = snapshot->content->frames->len;
    return sizeof *snapshot + n * sizeof(ArchiveFrame) +
           n * (guint64)dim * sizeof *snapshot->vectors;
}

Footage *
footage_new(const char *place, int dim)
{
    Footage *footage = g_new0(Footage, 1);
    footage->place = g_strdup(place);
    footage->dim = dim;
    return footage;
}

static void
clear(Footage *footage)
{
    g_clear_pointer(&footage->collector, collector_free);
    g_clear_pointer(&footage->labels, g_ptr_array_unref);
    g_clear_pointer(&footage->label_set, g_free);
    g_clear_pointer(&footage->key, g_free);
    g_clear_pointer(&footage->name, g_free);
    footage->has_changed = false;
}

void
footage_free(Footage *footage)
{
    clear(footage);
    g_free(footage->place);
    g_free(footage);
}

// ---- Contents -------------------------------------------------------------

static void
clear_label(gpointer data)
{
    g_free(((ArchiveLabel *)data)->name);
}

static GArray *
copy_labels(GstPeResult *result)
{
    GArray *labels = g_array_new(FALSE, FALSE, sizeof(ArchiveLabel));
    g_array_set_clear_func(labels, clear_label);
    guint n = MIN(gst_pe_result_get_n_labels(result), MAX_LABELS);
    for (guint i = 0; i < n; i++) {
        ArchiveLabel label = {g_strdup(gst_pe_result_get_label(result, i)),
                              gst_pe_result_get_score(result, i)};
        g_array_append_val(labels, label);
    }
    return labels;
}

static void
begin(Footage *footage, GstPeResult *result, gint64 start)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(start / SECOND);
    g_autofree char *time = g_date_time_format(date, "%Y-%m-%dT%H-%M-%S");
    footage->collector = collector_new(footage->dim, DEDUP);
    footage->labels =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    footage->label_set =
        g_strdup(gst_pe_result_get_label_set_fingerprint(result));
    footage->key = g_uuid_string_random();
    // Two programs may watch streams of one name.
    footage->name =
        g_strdup_printf("%s/%s.%03dZ-%.4s", footage->place, time,
                        (int)(start % SECOND / (SECOND / 1000)), footage->key);
    footage->start = start;
}

// Is a result that begins then one of another content?
static bool
is_other(const Footage *footage, GstPeResult *result, gint64 start)
{
    return start > footage->last + MAX_GAP || start < footage->start ||
           start > footage->start + MAX_LENGTH ||
           footage->labels->len >= POSTGRES_MAX_GROWN ||
           g_strcmp0(footage->label_set,
                     gst_pe_result_get_label_set_fingerprint(result)) != 0;
}

// A segment has the labels of the frame that is most like all of it.
static void
put_labels(const Footage *footage, ArchiveContent *content)
{
    for (guint i = 0; i < content->segments->len; i++) {
        ArchiveSegment *segment = content->segments->pdata[i];
        const GArray *labels = footage->labels->pdata[segment->peak];
        for (guint k = 0; k < labels->len; k++) {
            const ArchiveLabel *label = &g_array_index(labels, ArchiveLabel, k);
            archive_segment_add_label(segment, label->name, label->score);
        }
    }
    content->label_set = g_strdup(footage->label_set);
}

static Snapshot *
make_snapshot(Footage *footage, bool is_closed)
{
    Snapshot *snapshot = g_new0(Snapshot, 1);
    ArchiveContent *content = archive_content_new();
    snapshot->key = g_strconcat("live ", footage->key, NULL);
    snapshot->is_closed = is_closed;
    snapshot->vectors = collector_finish(footage->collector, content, SHOT);
    content->settings = g_strdup(SETTINGS);
    content->problem_at = -1;
    content->duration = footage->last - footage->start;
    put_labels(footage, content);
    snapshot->content = content;
    snapshot->file = g_new0(ArchiveFile, 1);
    *snapshot->file = (ArchiveFile){.name = g_strdup(footage->name),
                                    .size = -1,
                                    .wall_start = footage->start,
                                    .wall_source = g_strdup("live")};
    footage->has_changed = false;
    return snapshot;
}

// ---- Results --------------------------------------------------------------

static gint64
get_time(GstClockTime time, gint64 now)
{
    return GST_CLOCK_TIME_IS_VALID(time) ? (gint64)time : now;
}

Snapshot *
footage_add(Footage *footage, GstPeResult *result, gint64 now)
{
    gint64 start = get_time(gst_pe_result_get_clip_wall_start(result), now);
    gint64 end = get_time(gst_pe_result_get_clip_wall_end(result), now);
    gsize dim;
    g_autofree float *vector =
        gst_pe_vectors_to_floats(gst_pe_result_get_embedding(result), &dim);
    g_return_val_if_fail(dim == (gsize)footage->dim, NULL);
    Snapshot *before = footage->collector && is_other(footage, result, start)
                           ? footage_close(footage)
                           : NULL;
    if (!footage->collector)
        begin(footage, result, start);
    pe_embedding_normalize(vector, (int)dim);
    if (collector_add(footage->collector, start - footage->start,
                      end - footage->start, vector))
        g_ptr_array_add(footage->labels, copy_labels(result));
    footage->last = MAX(start, end);
    footage->has_changed = true;
    return before;
}

Snapshot *
footage_take(Footage *footage)
{
    return footage->has_changed ? make_snapshot(footage, false) : NULL;
}

bool
footage_is_over(const Footage *footage, gint64 now)
{
    return footage->collector && now > footage->last + 2 * MAX_GAP;
}

Snapshot *
footage_close(Footage *footage)
{
    Snapshot *snapshot =
        footage->collector ? make_snapshot(footage, true) : NULL;
    clear(footage);
    return snapshot;
}
