// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescene.h - what is to be seen on a frame: lines of a table, events and
// boxes, with scores in whole per cent. Two scenes that are equal look alike,
// so nothing is drawn again for a score's last digits. Knows neither results
// nor pixels.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    GST_PE_LINE_HEADING, // whose labels follow
    GST_PE_LINE_UNKNOWN, // nothing that was asked for
    GST_PE_LINE_LABEL,
    GST_PE_LINE_EVENT,
    GST_PE_LINE_BOX,
} GstPeLineKind;

#define GST_PE_NO_PERCENT (-1)

typedef struct {
    GstPeLineKind kind;
    char *text;  // clean
    int percent; // GST_PE_NO_PERCENT: there is no score
    // Of a box, in pixels of the stored frame; may lie outside of it.
    int x, y, width, height;
} GstPeLine;

// One owner.
typedef struct {
    GArray *table;  // GstPeLine: headings, labels
    GArray *events; // GstPeLine
    GArray *boxes;  // GstPeLine
} GstPeScene;

GstPeScene *gst_pe_scene_new(void);
void gst_pe_scene_free(GstPeScene *scene);
bool gst_pe_scene_is_empty(const GstPeScene *scene);
bool gst_pe_scene_is_equal(const GstPeScene *a, const GstPeScene *b);

// Add a line where lines of its kind belong. Takes the text, which is clean.
// Returns the line, to give a box its place; borrowed until the next is added.
GstPeLine *gst_pe_scene_add(GstPeScene *scene, GstPeLineKind kind, char *text,
                            int percent);

// 0 to 100, or GST_PE_NO_PERCENT when it is not a number.
int gst_pe_percent(double share);
