// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehistoryfile.h - writes the history of events beside the stream, which
// does not wait for a disk.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

typedef struct _GstPeHistoryFile GstPeHistoryFile;

GstPeHistoryFile *gst_pe_history_file_new(const char *path);
// What is being written is still written.
void gst_pe_history_file_unref(GstPeHistoryFile *file);
const char *gst_pe_history_file_get_path(const GstPeHistoryFile *file);

// Is it time to write again? At most every five minutes.
bool gst_pe_history_file_is_due(const GstPeHistoryFile *file);
// Write in a thread of the element's, or with `wait` here; takes the dump. Of
// two at once, the later one counts. What goes wrong is a warning on the
// element's bus, once.
void gst_pe_history_file_write(GstPeHistoryFile *file, GstElement *element,
                               char *dump, bool wait);
