// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetracker.c - see gstpetracker.h.

#include "gst/events/gstpetracker.h"

#include "gst/events/gstpehistoryfile.h"
#include "gst/events/gstpetimeline.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

struct _GstPeTracker {
    GstElement *element; // borrowed
    guint64 *next_id;    // borrowed
    char *path;          // of the history; NULL: nowhere

    PeLabels *labels; // that are tracked; NULL: none
    PeEvents *events; // NULL: none, or their settings are wrong
    PeEventParams params;
    GstPeHistoryFile *file; // NULL: none, or it cannot be used
    GstPeTimeline stream_times, wall_times;
    int dim;
    GHashTable *ids; // number of an open event in `events` -> Numbered

    GArray *known; // GstPeLabelEvent, that nobody has taken
    bool taken;    // they are to be forgotten
};

// What an event is called in `events`, and by others.
typedef struct {
    guint64 own, told;
} Numbered;

// ---- What is known --------------------------------------------------------

// Of each event, the start is told first and the end last.
static guint64
get_id(GstPeTracker *tracker, const PeEvent *e)
{
    guint64 own = e->id;
    const Numbered *known = g_hash_table_lookup(tracker->ids, &own);
    guint64 id = known ? known->told : (*tracker->next_id)++;

    if (e->phase == PE_EVENT_END) {
        g_hash_table_remove(tracker->ids, &own);
    } else if (!known) {
        Numbered *numbered = g_new(Numbered, 1);
        *numbered = (Numbered){own, id};
        g_hash_table_insert(tracker->ids, &numbered->own, numbered);
    }
    return id;
}

static void
clear_event(void *data)
{
    GstPeLabelEvent *event = data;

    g_free((void *)event->label);
    g_clear_pointer(&event->embedding, gst_pe_vectors_unref);
}

static void
forget_taken(GstPeTracker *tracker)
{
    if (tracker->taken)
        g_array_set_size(tracker->known, 0);
    tracker->taken = false;
}

static void
add_known(GstPeTracker *tracker, const PeEvent *e)
{
    GstPeLabelEvent event = gst_pe_timeline_convert_event(
        e, &tracker->stream_times, &tracker->wall_times);

    event.id = get_id(tracker, e);
    event.label = g_strdup(e->name);
    if (e->embedding)
        event.embedding =
            gst_pe_vectors_new_from_floats(e->embedding, (gsize)tracker->dim);
    g_array_append_val(tracker->known, event);
}

const GstPeLabelEvent *
gst_pe_tracker_take(GstPeTracker *tracker, guint *n)
{
    forget_taken(tracker);
    *n = tracker->known->len;
    tracker->taken = true;
    return (const GstPeLabelEvent *)tracker->known->data;
}

// ---- The file -------------------------------------------------------------

void
gst_pe_tracker_set_file(GstPeTracker *tracker, const char *path)
{
    g_free(tracker->path);
    tracker->path = g_strdup(path);
}

static void
save(GstPeTracker *tracker, bool wait)
{
    if (!tracker->file || !tracker->events)
        return;
    char *dump = pe_events_dump_history(
        tracker->events, pe_labels_get_fingerprint(tracker->labels));
    if (dump)
        gst_pe_history_file_write(tracker->file, tracker->element, dump, wait);
}

// Say so before a day has gone by. What exists is found out by reading it.
static void
check_folder(GstPeTracker *tracker, const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);

    if (g_access(folder, W_OK | X_OK) != 0)
        GST_ELEMENT_WARNING(
            tracker->element, RESOURCE, WRITE,
            ("%s: the history of events cannot be kept in the folder: %s", path,
             g_strerror(errno)),
            (NULL));
}

// A file that cannot be used is left as it is.
static void
load(GstPeTracker *tracker)
{
    const char *path = tracker->path;
    g_autoptr(GError) error = NULL;

    if (!path || !*path)
        return;
    if (pe_events_load_history(tracker->events, path,
                               pe_labels_get_fingerprint(tracker->labels),
                               &error)) {
        tracker->file = gst_pe_history_file_new(path);
        check_folder(tracker, path);
        return;
    }
    GST_ELEMENT_WARNING(tracker->element, RESOURCE, SETTINGS,
                        ("%s. Until then the history of events begins anew, "
                         "and is not kept",
                         error->message),
                        (NULL));
}

// ---- Labels and settings --------------------------------------------------

static PeEventParams
make_params(const GstPeEventSettings *s, GstClockTime step)
{
    return (PeEventParams){
        .threshold_on = s->threshold,
        .threshold_off =
            s->release > 0 ? MIN(s->release, s->threshold) : s->threshold / 2,
        .step = step,
        .smoothing = s->smoothing * GST_MSECOND,
        .min_duration = s->min_duration * GST_MSECOND,
        .merge_gap = s->merge_gap * GST_MSECOND,
        .cooldown = s->cooldown * GST_MSECOND,
        .update_interval = s->update_interval * GST_MSECOND,
        .alarms_per_day = s->alarms_per_day,
        .history = s->alarms_per_day > 0,
    };
}

// Sets with equal fingerprints may have their labels in another order.
static bool
has_same_order(const PeLabels *a, const PeLabels *b, int dim)
{
    int n = pe_labels_count(a);

    for (int k = 0; k < n; k++) {
        if (strcmp(pe_labels_get_name(a, k), pe_labels_get_name(b, k)) != 0 ||
            memcmp(pe_labels_get_vector(a, k), pe_labels_get_vector(b, k),
                   (size_t)dim * sizeof(float)) != 0)
            return false;
    }
    return true;
}

bool
gst_pe_tracker_goes_on(const GstPeTracker *tracker, const PeLabels *labels)
{
    const PeLabels *old = tracker->labels;

    return old == labels || (old && labels &&
                             strcmp(pe_labels_get_fingerprint(old),
                                    pe_labels_get_fingerprint(labels)) == 0 &&
                             pe_labels_count(old) == pe_labels_count(labels) &&
                             has_same_order(old, labels, tracker->dim));
}

static void
drop(GstPeTracker *tracker, bool wait)
{
    save(tracker, wait);
    g_clear_pointer(&tracker->file, gst_pe_history_file_unref);
    g_clear_pointer(&tracker->events, pe_events_free);
    g_clear_pointer(&tracker->labels, pe_labels_unref);
}

static void
warn(GstPeTracker *tracker, const GError *error)
{
    GST_ELEMENT_WARNING(
        tracker->element, RESOURCE, SETTINGS,
        ("%s; there are no events until this is changed", error->message),
        (NULL));
}

static void
track(GstPeTracker *tracker, PeLabels *labels, const PeEventParams *params,
      int dim)
{
    int n = pe_labels_count(labels);
    g_autofree const char **names = g_new(const char *, n);
    g_autoptr(GError) error = NULL;

    for (int k = 0; k < n; k++)
        names[k] = pe_labels_get_name(labels, k);
    tracker->labels = pe_labels_ref(labels);
    tracker->params = *params;
    tracker->dim = dim;
    tracker->events = pe_events_new(params, names, n, dim, &error);
    if (tracker->events)
        load(tracker);
    else
        warn(tracker, error);
}

// Is the history the same by both?
static bool
has_same_rules(const PeEventParams *a, const PeEventParams *b)
{
    return a->threshold_on == b->threshold_on &&
           a->threshold_off == b->threshold_off &&
           a->smoothing == b->smoothing && a->min_duration == b->min_duration &&
           a->merge_gap == b->merge_gap && a->cooldown == b->cooldown &&
           a->history == b->history;
}

static bool
is_same(const PeEventParams *a, const PeEventParams *b)
{
    return has_same_rules(a, b) && a->step == b->step &&
           a->update_interval == b->update_interval &&
           a->alarms_per_day == b->alarms_per_day;
}

// By settings that differ, with the same labels.
static void
change(GstPeTracker *tracker, const PeEventParams *params, int dim)
{
    gst_pe_tracker_end(tracker);
    if (tracker->events && has_same_rules(params, &tracker->params) &&
        pe_events_set_params(tracker->events, params, NULL)) {
        tracker->params = *params;
        return;
    }
    PeLabels *labels = pe_labels_ref(tracker->labels);
    drop(tracker, false);
    track(tracker, labels, params, dim);
    pe_labels_unref(labels);
}

// An equal set may be computed anew; it is compared once.
static void
use_newest(GstPeTracker *tracker, PeLabels *labels)
{
    if (tracker->labels == labels)
        return;
    pe_labels_unref(tracker->labels);
    tracker->labels = pe_labels_ref(labels);
}

// Returns whether there is something to track.
static bool
configure(GstPeTracker *tracker, const GstPeEventSettings *settings,
          PeLabels *labels, const GstPeTracked *clip)
{
    PeEventParams params = make_params(settings, clip->step);
    bool wanted = labels && settings->threshold > 0;

    if (!wanted || !gst_pe_tracker_goes_on(tracker, labels)) {
        gst_pe_tracker_end(tracker);
        drop(tracker, false);
        if (wanted)
            track(tracker, labels, &params, clip->dim);
        return tracker->events != NULL;
    }
    use_newest(tracker, labels);
    if (!is_same(&params, &tracker->params))
        change(tracker, &params, clip->dim);
    return tracker->events != NULL;
}

// ---- The stream -----------------------------------------------------------

PeLabels *
gst_pe_tracker_get_labels(GstPeTracker *tracker)
{
    return tracker->labels;
}

bool
gst_pe_tracker_push(GstPeTracker *tracker, const GstPeEventSettings *settings,
                    PeLabels *labels, const GstPeTracked *clip)
{
    forget_taken(tracker);
    if (!configure(tracker, settings, labels, clip) ||
        !GST_CLOCK_TIME_IS_VALID(clip->start) ||
        !GST_CLOCK_TIME_IS_VALID(clip->end))
        return false;
    const PeEvent *told;

    gst_pe_timeline_add(&tracker->stream_times, clip->start, clip->end,
                        clip->stream_start, clip->stream_end);
    gst_pe_timeline_add(&tracker->wall_times, clip->start, clip->end,
                        clip->wall_start, clip->wall_end);
    int n_told = pe_events_push(tracker->events, clip->start,
                                MAX(clip->start, clip->end), clip->evidence,
                                clip->embedding, &told);
    for (int i = 0; i < n_told; i++)
        add_known(tracker, &told[i]);
    if (tracker->file && gst_pe_history_file_is_due(tracker->file))
        save(tracker, false);
    return true;
}

double
gst_pe_tracker_get_p_value(const GstPeTracker *tracker, int label)
{
    return pe_events_get_p_value(tracker->events, label);
}

void
gst_pe_tracker_end(GstPeTracker *tracker)
{
    const PeEvent *told;
    int n_told = 0;

    forget_taken(tracker);
    if (tracker->events)
        n_told = pe_events_end(tracker->events, &told);
    for (int i = 0; i < n_told; i++)
        add_known(tracker, &told[i]);
    gst_pe_timeline_clear(&tracker->stream_times);
    gst_pe_timeline_clear(&tracker->wall_times);
}

void
gst_pe_tracker_stop(GstPeTracker *tracker, bool wait)
{
    gst_pe_tracker_end(tracker);
    drop(tracker, wait);
}

GstPeTracker *
gst_pe_tracker_new(GstElement *element, guint64 *next_id)
{
    GstPeTracker *tracker = g_new0(GstPeTracker, 1);

    tracker->element = element;
    tracker->next_id = next_id;
    tracker->ids =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    tracker->known = g_array_new(FALSE, FALSE, sizeof(GstPeLabelEvent));
    g_array_set_clear_func(tracker->known, clear_event);
    return tracker;
}

void
gst_pe_tracker_free(GstPeTracker *tracker)
{
    drop(tracker, true);
    gst_pe_timeline_clear(&tracker->stream_times);
    gst_pe_timeline_clear(&tracker->wall_times);
    g_array_unref(tracker->known);
    g_hash_table_unref(tracker->ids);
    g_free(tracker->path);
    g_free(tracker);
}
