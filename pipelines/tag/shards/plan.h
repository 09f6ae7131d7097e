// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plan.h - what is to be tagged, as a file that many machines read, each for
// its part: a line of URI, size in bytes and ETag for each source, with tabs
// between them. The last two may be empty, where they are not known.

#pragma once

#include "../sources.h"

// Print the plan of sources, longest first. Servers are asked for what they
// know, n_jobs at a time. false with the error.
bool plan_print(GPtrArray *sources, int n_jobs, GError **error);

// The sources (Source) of one shard of the plan in a file, longest first: the
// next longest of all goes to the shard that has the least so far. Which these
// are depends on nothing but the file and n_shards.
//   checksum  gets the SHA-256 of the file, 64 digits; g_free()
// Returns g_ptr_array_unref(); NULL with the error, which names the line.
GPtrArray *plan_read(const char *path, int shard, int n_shards, char **checksum,
                     GError **error);
