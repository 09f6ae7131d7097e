// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescene.c - see gstpescene.h.

#include "gst/overlay/gstpescene.h"

#include <math.h>
#include <string.h>

static void
clear_line(void *data)
{
    g_free(((GstPeLine *)data)->text);
}

static GArray *
new_lines(void)
{
    GArray *lines = g_array_new(FALSE, FALSE, sizeof(GstPeLine));

    g_array_set_clear_func(lines, clear_line);
    return lines;
}

GstPeScene *
gst_pe_scene_new(void)
{
    GstPeScene *scene = g_new(GstPeScene, 1);

    scene->table = new_lines();
    scene->events = new_lines();
    scene->boxes = new_lines();
    return scene;
}

void
gst_pe_scene_free(GstPeScene *scene)
{
    g_array_unref(scene->table);
    g_array_unref(scene->events);
    g_array_unref(scene->boxes);
    g_free(scene);
}

bool
gst_pe_scene_is_empty(const GstPeScene *scene)
{
    return scene->table->len + scene->events->len + scene->boxes->len == 0;
}

static bool
are_lines_equal(const GArray *a, const GArray *b)
{
    if (a->len != b->len)
        return false;
    for (guint i = 0; i < a->len; i++) {
        const GstPeLine *l = &g_array_index(a, GstPeLine, i);
        const GstPeLine *m = &g_array_index(b, GstPeLine, i);
        if (l->kind != m->kind || l->percent != m->percent || l->x != m->x ||
            l->y != m->y || l->width != m->width || l->height != m->height ||
            strcmp(l->text, m->text) != 0)
            return false;
    }
    return true;
}

bool
gst_pe_scene_is_equal(const GstPeScene *a, const GstPeScene *b)
{
    return are_lines_equal(a->table, b->table) &&
           are_lines_equal(a->events, b->events) &&
           are_lines_equal(a->boxes, b->boxes);
}

GstPeLine *
gst_pe_scene_add(GstPeScene *scene, GstPeLineKind kind, char *text, int percent)
{
    GArray *lines = kind == GST_PE_LINE_EVENT ? scene->events
                    : kind == GST_PE_LINE_BOX ? scene->boxes
                                              : scene->table;
    GstPeLine line = {.kind = kind, .text = text, .percent = percent};

    g_array_append_val(lines, line);
    return &g_array_index(lines, GstPeLine, lines->len - 1);
}

int
gst_pe_percent(double share)
{
    return isnan(share) ? GST_PE_NO_PERCENT
                        : (int)lround(CLAMP(share, 0.0, 1.0) * 100);
}
