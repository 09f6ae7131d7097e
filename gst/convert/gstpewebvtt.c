// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewebvtt.c - see gstpewebvtt.h. Starts are told in the order of their
// times, so a cue may be written when all that begin before it have been.

#include "gst/convert/gstpewebvtt.h"

// Of an event that never ends: then those that wait for it are written.
#define MAX_WAITING 1000

typedef struct {
    gchar *key; // whose event it is
    GstClockTime start;
    gchar *text; // NULL: it has not ended
} Cue;

static gchar *
make_key(const GstPeResult *result, guint64 id)
{
    const gchar *source = gst_pe_result_get_source(result);
    const gchar *element = gst_pe_result_get_element(result);
    const gchar *set = gst_pe_result_get_label_set_fingerprint(result);

    return g_strdup_printf("%" G_GUINT64_FORMAT "\n%s\n%s\n%s", id,
                           element ? element : "", source ? source : "",
                           set ? set : "");
}

static void
free_cue(gpointer data)
{
    Cue *cue = data;

    g_free(cue->key);
    g_free(cue->text);
    g_free(cue);
}

static gint
compare_starts(gconstpointer a, gconstpointer b, gpointer unused)
{
    const Cue *x = a, *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

static void
begin(GstPeWebvtt *vtt, GString *out)
{
    if (!vtt->head)
        g_string_append(out, "WEBVTT\n\n");
    vtt->head = TRUE;
}

// ---- A cue ----------------------------------------------------------------

// Hours may have more digits than two.
static void
put_time(GString *out, GstClockTime ms)
{
    g_string_append_printf(out,
                           "%02" G_GUINT64_FORMAT ":%02" G_GUINT64_FORMAT
                           ":%02" G_GUINT64_FORMAT ".%03" G_GUINT64_FORMAT,
                           ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
                           ms % 1000);
}

// An empty line would end the cue, and > could be part of an arrow.
static void
put_escaped(GString *out, const gchar *text)
{
    for (const gchar *p = text; *p; p++) {
        if (*p == '&')
            g_string_append(out, "&amp;");
        else if (*p == '<')
            g_string_append(out, "&lt;");
        else if (*p == '>')
            g_string_append(out, "&gt;");
        else if ((guchar)*p < 0x20 || *p == 0x7f)
            g_string_append_c(out, ' ');
        else
            g_string_append_c(out, *p);
    }
}

// Position in the video, so that it can be played beside it; without that,
// running time.
static gchar *
make_text(const GstPeResult *result, const GstPeLabelEvent *event)
{
    g_autofree gchar *title = gst_pe_result_title_label(result, event->label);
    GString *out = g_string_new(NULL);
    gboolean in_stream = GST_CLOCK_TIME_IS_VALID(event->stream_start) &&
                         GST_CLOCK_TIME_IS_VALID(event->stream_end);
    GstClockTime start = in_stream ? event->stream_start : event->start;
    GstClockTime end = in_stream ? event->stream_end : event->end;

    // Whole milliseconds that have all of the event; a cue must last.
    start /= GST_MSECOND;
    end = end / GST_MSECOND + (end % GST_MSECOND > 0);
    g_string_append_printf(out, "%" G_GUINT64_FORMAT "\n", event->id);
    put_time(out, start);
    g_string_append(out, " --> ");
    put_time(out, MAX(end, start + 1));
    g_string_append_c(out, '\n');
    put_escaped(out, title);
    g_string_append_printf(out, " (%.0f %%)\n\n", 100 * event->peak_score);
    return g_string_free(out, FALSE);
}

// ---- The order ------------------------------------------------------------

static Cue *
find(const GstPeWebvtt *vtt, const gchar *key)
{
    for (GList *l = vtt->cues.head; l; l = l->next) {
        Cue *cue = l->data;
        if (!cue->text && g_str_equal(cue->key, key))
            return cue;
    }
    return NULL;
}

// `all`: also those that wait for others.
static void
put_ready(GstPeWebvtt *vtt, GString *out, gboolean all)
{
    GList *next;

    for (GList *l = vtt->cues.head; l; l = next) {
        Cue *cue = l->data;
        next = l->next;
        if (!cue->text && !all)
            return;
        if (!cue->text)
            continue;
        begin(vtt, out);
        g_string_append(out, cue->text);
        free_cue(cue);
        g_queue_delete_link(&vtt->cues, l);
    }
}

GString *
gst_pe_webvtt_add(GstPeWebvtt *vtt, const GstPeResult *result,
                  const GstPeLabelEvent *event)
{
    GString *out = g_string_new(NULL);
    g_autofree gchar *key = make_key(result, event->id);
    Cue *cue = find(vtt, key);

    // Who joins late sees the end of an event whose start was before.
    if (!cue) {
        cue = g_new0(Cue, 1);
        cue->key = g_steal_pointer(&key);
        cue->start = event->start;
        g_queue_insert_sorted(&vtt->cues, cue, compare_starts, NULL);
    }
    if (event->phase == GST_PE_EVENT_END)
        cue->text = make_text(result, event);
    put_ready(vtt, out, vtt->cues.length > MAX_WAITING);
    return out;
}

GString *
gst_pe_webvtt_end(GstPeWebvtt *vtt)
{
    GString *out = g_string_new(NULL);

    begin(vtt, out);
    put_ready(vtt, out, TRUE);
    return out;
}

void
gst_pe_webvtt_clear(GstPeWebvtt *vtt)
{
    g_queue_clear_full(&vtt->cues, free_cue);
    vtt->head = FALSE;
}
