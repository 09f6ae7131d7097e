// SPDX-License-Identifier: LGPL-2.1-or-later
//
// done.h - the file DONE in the folder of an archive: the run that made it has
// come to its end, and what was its part of which plan.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char plan[65];       // SHA-256 of the plan's file; "": there was no plan
    int shard, n_shards; // 0 of 1: all of it
} Done;

// Before anything of the archive changes. It need not be there.
bool done_remove(const char *folder, GError **error);
// When all that was to be done is done.
bool done_write(const char *folder, const Done *done, GError **error);
// false with PE_ERROR_FILE when the file is not there, since then the run may
// be at work, or go on later; with PE_ERROR_FORMAT when it says something else.
bool done_read(const char *folder, Done *done, GError **error);
// Are all shards of each plan there? If not, PE_ERROR_FILE.
//   dones    [n]
//   folders  [n] that they are from
bool done_check_all(const Done *dones, char *const *folders, int n,
                    GError **error);
