// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeshow.c - see gstpeshow.h.

#include "gst/overlay/gstpeshow.h"

#include "gst/overlay/gstpetext.h"

#define MAX_EVENTS 4 // the newest
#define MAX_BOXES 128

static bool
has_labels(const GstPeResult *result)
{
    return gst_pe_result_get_calibration(result) ||
           gst_pe_result_get_n_labels(result) > 0;
}

// ---- The table --------------------------------------------------------------

static guint
count_tables(const GstPeHeld *held)
{
    guint n = 0;

    for (guint i = 0; i < held->slots->len; i++) {
        const GstPeResult *result =
            g_array_index(held->slots, GstPeHeldResult, i).result;
        n += !gst_pe_result_get_region(result) && has_labels(result);
    }
    return n;
}

static void
add_heading(GstPeScene *scene, const GstPeResult *result)
{
    const char *window = gst_pe_result_get_window(result);
    const char *element = gst_pe_result_get_element(result);
    const char *set = gst_pe_result_get_label_set(result);
    const char *texts[] = {element, window, set};
    g_autoptr(GString) heading = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *text = gst_pe_text_clean(texts[i]);
        if (*text)
            g_string_append_printf(heading, "%s%s", heading->len ? " " : "",
                                   text);
    }
    gst_pe_scene_add(scene, GST_PE_LINE_HEADING,
                     gst_pe_text_clean(heading->str), GST_PE_NO_PERCENT);
}

static void
add_table(GstPeScene *scene, const GstPeResult *result,
          const GstPeChoice *choice)
{
    guint n = MIN(gst_pe_result_get_n_labels(result), choice->max_labels);

    if (gst_pe_result_is_unknown(result))
        gst_pe_scene_add(scene, GST_PE_LINE_UNKNOWN, g_strdup("unknown"),
                         GST_PE_NO_PERCENT);
    for (guint i = 0; i < n; i++) {
        double score = gst_pe_result_get_score(result, i);
        if (score >= choice->threshold)
            gst_pe_scene_add(
                scene, GST_PE_LINE_LABEL,
                gst_pe_text_clean(gst_pe_result_get_label(result, i)),
                gst_pe_percent(score));
    }
}

// ---- Boxes ------------------------------------------------------------------

// What is said of a region: "door: open", "door: unknown", "door" or "open".
static char *
describe_region(const GstPeResult *result, const GstPeRegion *region,
                const GstPeChoice *choice, int *percent)
{
    g_autofree char *name = gst_pe_text_clean(region->name);
    g_autofree char *label = NULL;

    *percent = GST_PE_NO_PERCENT;
    if (gst_pe_result_is_unknown(result)) {
        label = g_strdup("unknown");
    } else if (gst_pe_result_get_n_labels(result) > 0 &&
               gst_pe_result_get_score(result, 0) >= choice->threshold) {
        label = gst_pe_text_clean(gst_pe_result_get_label(result, 0));
        *percent = gst_pe_percent(gst_pe_result_get_score(result, 0));
    }
    if (!label)
        return g_steal_pointer(&name);
    return *name ? g_strdup_printf("%s: %s", name, label)
                 : g_steal_pointer(&label);
}

static void
add_box(GstPeScene *scene, const GstPeResult *result, const GstPeRegion *region,
        const GstPeChoice *choice)
{
    int percent;
    char *text = describe_region(result, region, choice, &percent);
    GstPeLine *line = gst_pe_scene_add(scene, GST_PE_LINE_BOX, text, percent);

    line->x = region->x;
    line->y = region->y;
    line->width = region->width;
    line->height = region->height;
}

// ---- All of it --------------------------------------------------------------

static void
add_results(GstPeScene *scene, const GstPeHeld *held, const GstPeChoice *choice)
{
    bool headings = count_tables(held) > 1;

    for (guint i = 0; i < held->slots->len; i++) {
        const GstPeResult *result =
            g_array_index(held->slots, GstPeHeldResult, i).result;
        const GstPeRegion *region = gst_pe_result_get_region(result);
        if (region && choice->regions && scene->boxes->len < MAX_BOXES)
            add_box(scene, result, region, choice);
        if (region || !choice->labels || !has_labels(result))
            continue;
        if (headings)
            add_heading(scene, result);
        add_table(scene, result, choice);
    }
}

static void
add_events(GstPeScene *scene, const GstPeHeld *held)
{
    guint n = held->events->len;

    for (guint i = n > MAX_EVENTS ? n - MAX_EVENTS : 0; i < n; i++) {
        const GstPeHeldEvent *event =
            &g_array_index(held->events, GstPeHeldEvent, i);
        gst_pe_scene_add(scene, GST_PE_LINE_EVENT, g_strdup(event->label),
                         event->percent);
    }
}

GstPeScene *
gst_pe_show(const GstPeHeld *held, const GstPeChoice *choice)
{
    GstPeScene *scene = gst_pe_scene_new();

    add_results(scene, held, choice);
    if (choice->events)
        add_events(scene, held);
    return scene;
}
