// SPDX-License-Identifier: LGPL-2.1-or-later
//
// wall.h - when a video was recorded, where its name says so.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct WallPattern WallPattern;

// pattern  letters as they are, and %Y %m %d %H %M %S for the digits of a local
//          time, such as "cam1_%Y%m%d-%H%M%S"; what is left out of the time is
//          zero, but not the year, month and day
// Returns, wall_pattern_free(); NULL with the error.
WallPattern *wall_pattern_new(const char *pattern, GError **error);
void wall_pattern_free(WallPattern *pattern);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WallPattern, wall_pattern_free)

// ns since 1970 by the last part of the path; false: it does not say so.
bool wall_pattern_read(const WallPattern *pattern, const char *path,
                       gint64 *time);
