// SPDX-License-Identifier: LGPL-2.1-or-later
//
// commands.h - what pe-tag does with an archive that is there.

#pragma once

#include "pipelines/index/archive.h"

typedef struct {
    const char *folder; // of the archive
    const char *labels; // file; NULL: none
    const char *format; // "jsonl", "vtt" or "dump"
    const char *to;     // folder that "vtt" writes into
    const char *index;  // URI of a database; NULL: none
    bool with_hnsw;     // "load" makes the index of vectors there
    bool prune;         // and forgets what has gone from the archive
    bool json;
} CommandOptions;

// Is it the name of one? Is it one that knows databases?
bool command_is(const char *name);
bool command_takes_index(const char *name);
// Run it. Returns the program's exit status.
int command_run(const char *name, const CommandOptions *options);
// Of "export".
bool command_export(Archive *archive, const CommandOptions *options,
                    GError **error);
// 1 when it may work another time, 2 when not; prints the error.
int command_fail(const GError *error);
