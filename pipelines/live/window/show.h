// SPDX-License-Identifier: LGPL-2.1-or-later
//
// show.h - from the streams to the window. Main thread.

#pragma once

#include "pipelines/live/streams.h"
#include "pipelines/live/window/window.h"

// Give the window what is new of each stream, when it has drawn the rest.
void show_streams(Window *window, Streams *streams);
