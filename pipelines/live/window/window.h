// SPDX-License-Identifier: LGPL-2.1-or-later
//
// window.h - the wall in a window, or wherever another sink puts it. A thread
// of its own draws it and drives its pipeline, so that a window that stands
// still holds up nothing. Functions are called from the main thread.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

typedef struct Window Window;

// Opens it. Returns NULL and sets `error` when there is no display, or the
// sink does not open within some seconds.
//   sink  as on a command line of gst-launch-1.0; NULL: what GStreamer chooses
Window *window_new(const char *sink, GError **error);

// The end. Returns false when it hangs; then its thread is left alone, and the
// process must end without tidying up.
bool window_free(Window *window);

// Has it drawn what it was given last?
bool window_is_ready(Window *window);
// Give it tiles (taken), see wall.h.
void window_show(Window *window, GPtrArray *tiles);

// Why it is over: it was closed, or failed. Returns NULL while it is open.
char *window_get_end(Window *window);
