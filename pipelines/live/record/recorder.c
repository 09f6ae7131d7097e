// SPDX-License-Identifier: LGPL-2.1-or-later
//
// recorder.c - see recorder.h. A stream has one recording at a time: events
// that begin while it lasts are in it, too, and make it longer.

#include "recorder.h"

#include <string.h>

#include <glib/gstdio.h>

#include "core/pe.h"
#include "pipelines/live/folder.h"
#include "pipelines/live/record/recording.h"
#include "pipelines/live/report/describe.h"
#include "pipelines/live/stream.h"

// Of a clip, for events that do not end.
#define MAX_LENGTH (10 * 60 * G_USEC_PER_SEC)
// Pictures may come so much later than they were taken.
#define LATENESS (1 * G_USEC_PER_SEC)
#define PERIOD_MS 250
#define CLOSE_TIME (2 * G_USEC_PER_SEC)
// That must be free for another clip.
#define ROOM (16 * 1024 * 1024)

struct Recorder {
    gint n_refs; // atomic: the owner's and each clip's
    Folder *folder;
    GMutex folder_lock;
    gint64 before, after; // us
    NoteFunc on_note;
    void *user_data;
    GPtrArray *clips; // Clip
    guint timer;
};

// An event that is in a clip.
typedef struct {
    guint64 serial;
    char *label, *title;
    gint64 start, end; // UNIX time, us
    double peak_score;
    bool over;
} Happened;

// Of a stream that is being recorded.
typedef struct {
    char *stream;
    Recording *recording;
    Packets *packets;
    guint n_open;      // events
    GPtrArray *events; // Happened
    gint64 begin;      // UNIX time, us, like all here
    gint64 end;        // G_MAXINT64: not known
} Clip;

// What the thread of a recording needs.
typedef struct {
    Recorder *recorder;
    char *stream, *label;
    gint64 start;
} Place;

static void
recorder_unref(Recorder *recorder)
{
    if (!g_atomic_int_dec_and_test(&recorder->n_refs))
        return;
    folder_free(recorder->folder);
    g_mutex_clear(&recorder->folder_lock);
    g_free(recorder);
}

// ---- Threads of recordings -------------------------------------------------

static char *
make_path(const Place *place, const char *folder)
{
    g_autoptr(GDateTime) date =
        g_date_time_new_from_unix_utc(place->start / G_USEC_PER_SEC);
    g_autofree char *time = g_date_time_format(date, "%Y-%m-%dT%H-%M-%S");
    g_autofree char *stream = folder_safe_name(place->stream);
    g_autofree char *label = folder_safe_name(place->label);
    g_autofree char *name = g_strdup_printf(
        "%s.%03dZ_%s_%s.mp4", time, (int)(place->start % G_USEC_PER_SEC / 1000),
        stream, label);
    return g_build_filename(folder, name, NULL);
}

static char *
prepare(void *data, GError **error)
{
    const Place *place = data;
    Recorder *recorder = place->recorder;
    g_mutex_lock(&recorder->folder_lock);
    g_autofree char *folder =
        folder_get_place(recorder->folder, place->stream, error);
    char *path = NULL;
    if (folder && folder_make_room(recorder->folder, ROOM, NULL, error))
        path = make_path(place, folder);
    g_mutex_unlock(&recorder->folder_lock);
    return path;
}

// Beside the clip, under the same name.
static void
write_notes(const char *path, const char *notes, GError **error)
{
    g_autofree char *stem = g_strndup(path, strlen(path) - strlen(".mp4"));
    g_autofree char *beside = g_strconcat(stem, ".json", NULL);
    g_autofree char *text = g_strconcat(notes, "\n", NULL);
    g_file_set_contents(beside, text, -1, error);
}

static void
done(const char *path, const char *notes, const GError *error, void *data)
{
    Place *place = data;
    Recorder *recorder = place->recorder;
    GStatBuf status;
    g_autoptr(GError) beside = NULL;
    if (path && notes)
        write_notes(path, notes, &beside);
    if (!error)
        error = beside;
    g_mutex_lock(&recorder->folder_lock);
    recorder->folder->used = G_MAXUINT64; // by what it has become
    if (path && g_stat(path, &status) == 0)
        folder_make_room(recorder->folder, 0, path, NULL);
    g_mutex_unlock(&recorder->folder_lock);
    if (error)
        note_send(recorder->on_note, recorder->user_data,
                  g_strdup_printf("%s: the event \"%s\" is not recorded, or "
                                  "not all of it: %s",
                                  place->stream, place->label, error->message));
    recorder_unref(recorder);
    g_free(place->stream);
    g_free(place->label);
    g_free(place);
}

// ---- What is in a clip -----------------------------------------------------

static void
free_happened(gpointer data)
{
    Happened *h = data;
    g_free(h->label);
    g_free(h->title);
    g_free(h);
}

static void
note_event(Clip *clip, const LoggedEvent *event)
{
    Happened *h = NULL;
    for (guint i = 0; i < clip->events->len && !h; i++) {
        Happened *other = clip->events->pdata[i];
        h = other->serial == event->serial ? other : NULL;
    }
    if (!h) {
        h = g_new0(Happened, 1);
        h->serial = event->serial;
        h->label = g_strdup(event->label);
        h->title = g_strdup(event->title);
        g_ptr_array_add(clip->events, h);
    }
    h->start = event->start;
    h->end = event->end;
    h->peak_score = event->peak_score;
    h->over = event_log_is_over(event);
}

static void
describe_happened(JsonBuilder *builder, const Happened *h, gint64 first)
{
    json_builder_begin_object(builder);
    describe_text(builder, "label", h->label);
    describe_text(builder, "title", h->title);
    describe_wall_time(builder, "start", h->start);
    describe_wall_time(builder, "end", h->end);
    describe_number(builder, "clip-start", (double)(h->start - first) / 1e6);
    describe_number(builder, "clip-end", (double)(h->end - first) / 1e6);
    json_builder_set_member_name(builder, "over");
    json_builder_add_boolean_value(builder, h->over);
    describe_number(builder, "peak-score", h->peak_score);
    json_builder_end_object(builder);
}

// Returns a line, g_free(); NULL when there is no picture.
static char *
make_notes(const Clip *clip)
{
    gint64 first, last;
    if (!recording_get_times(clip->recording, &first, &last))
        return NULL;
    JsonBuilder *builder = describe_begin("recording");
    describe_text(builder, "stream", clip->stream);
    describe_wall_time(builder, "start", first);
    describe_wall_time(builder, "end", last);
    json_builder_set_member_name(builder, "events");
    json_builder_begin_array(builder);
    for (guint i = 0; i < clip->events->len; i++)
        describe_happened(builder, clip->events->pdata[i], first);
    json_builder_end_array(builder);
    return describe_end(builder);
}

// ---- Clips -----------------------------------------------------------------

static void
free_clip(gpointer data)
{
    Clip *clip = data;
    packets_end(clip->packets);
    recording_set_notes(clip->recording, make_notes(clip));
    g_ptr_array_unref(clip->events);
    recording_finish(clip->recording);
    recording_unref(clip->recording);
    packets_unref(clip->packets);
    g_free(clip->stream);
    g_free(clip);
}

static gboolean
look(gpointer data)
{
    Recorder *recorder = data;
    gint64 now = g_get_real_time();
    for (guint i = recorder->clips->len; i-- > 0;) {
        const Clip *clip = recorder->clips->pdata[i];
        gint64 end = MIN(clip->end, clip->begin + MAX_LENGTH);
        if (now > end + LATENESS || recording_is_over(clip->recording))
            g_ptr_array_remove_index(recorder->clips, i);
    }
    return G_SOURCE_CONTINUE;
}

static Clip *
find_clip(Recorder *recorder, const char *stream)
{
    for (guint i = 0; i < recorder->clips->len; i++) {
        Clip *clip = recorder->clips->pdata[i];
        if (g_str_equal(clip->stream, stream))
            return clip;
    }
    return NULL;
}

static void
start(Recorder *recorder, const Stream *stream, const LoggedEvent *event)
{
    Packets *packets =
        stream->attempt ? attempt_get_packets(stream->attempt) : NULL;
    if (!packets)
        return;
    Place *place = g_new(Place, 1);
    g_atomic_int_inc(&recorder->n_refs);
    *place = (Place){recorder, g_strdup(stream->name), g_strdup(event->title),
                     event->start};
    Recording *recording =
        recording_new(&(RecordingFuncs){prepare, done, place});
    if (!packets_begin(packets, event->start - recorder->before, recording_add,
                       recording)) {
        const GError error = {
            PE_ERROR, PE_ERROR_FORMAT,
            (char *)"its source has no encoded pictures of a known kind"};
        recording_unref(recording);
        done(NULL, NULL, &error, place);
        return;
    }
    recording_start(recording);
    Clip *clip = g_new(Clip, 1);
    *clip = (Clip){
        .stream = g_strdup(stream->name),
        .recording = recording,
        .packets = packets_ref(packets),
        .begin = event->start - recorder->before,
        .end = G_MAXINT64,
        .events = g_ptr_array_new_with_free_func(free_happened),
    };
    g_ptr_array_add(recorder->clips, clip);
}

static void
on_event(Stream *stream, const LoggedEvent *event, void *data)
{
    Recorder *recorder = data;
    if (event->phase == GST_PE_EVENT_UPDATE)
        return;
    Clip *clip = find_clip(recorder, stream->name);
    if (!event_log_is_over(event)) {
        if (!clip)
            start(recorder, stream, event);
        clip = find_clip(recorder, stream->name);
        if (!clip)
            return;
        clip->n_open++;
        clip->end = G_MAXINT64;
    } else if (clip && clip->n_open > 0 && --clip->n_open == 0) {
        clip->end = event->end + recorder->after;
    }
    if (!clip)
        return;
    note_event(clip, event);
    recording_set_end(clip->recording, clip->end);
}

StreamListener
recorder_get_listener(Recorder *recorder)
{
    return (StreamListener){.event = on_event, .user_data = recorder};
}

Recorder *
recorder_new(const char *path, guint64 limit, double before, double after,
             NoteFunc on_note, void *user_data, GError **error)
{
    Folder *folder = folder_open(path, limit, error);
    if (!folder)
        return NULL;
    Recorder *recorder = g_new0(Recorder, 1);
    recorder->n_refs = 1;
    recorder->folder = folder;
    g_mutex_init(&recorder->folder_lock);
    recorder->before = (gint64)(before * G_USEC_PER_SEC);
    recorder->after = (gint64)(after * G_USEC_PER_SEC);
    recorder->on_note = on_note;
    recorder->user_data = user_data;
    recorder->clips = g_ptr_array_new_with_free_func(free_clip);
    recorder->timer = g_timeout_add(PERIOD_MS, look, recorder);
    return recorder;
}

void
recorder_close(Recorder *recorder)
{
    gint64 limit = g_get_monotonic_time() + CLOSE_TIME;
    g_source_remove(recorder->timer);
    g_ptr_array_unref(recorder->clips);
    while (g_atomic_int_get(&recorder->n_refs) > 1 &&
           g_get_monotonic_time() < limit)
        if (!g_main_context_iteration(NULL, FALSE))
            g_usleep(10000);
    recorder_unref(recorder);
}
