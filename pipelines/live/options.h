// SPDX-License-Identifier: LGPL-2.1-or-later
//
// options.h - the command line of pe-live, but for its streams.

#pragma once

#include "pipelines/live/config.h"

typedef struct {
    char *config, *labels, *labels_file, *control; // NULL: not given
    char **set;
    gboolean json, loop, no_control, health;
    double watchdog; // s, 0: not given
    char *http, *token_file;
    gboolean remote;
    gboolean overlay;
    char *overlay_sink; // NULL: what GStreamer chooses
    char *events;
    double events_limit; // MB
    char *record;
    double record_limit;                // MB
    double record_before, record_after; // s
    double search_memory;               // MB
    char *index;
    double index_memory; // MB
} Options;

// Takes the options out of the arguments. --help ends the program.
bool options_parse(Options *options, LiveConfig *config, int *argc,
                   char ***argv, GError **error);

// What they say of every stream, and of the model for --health.
bool options_apply(const Options *options, LiveConfig *config, GError **error);

// Of a number of megabytes.
guint64 options_get_bytes(double megabytes);
