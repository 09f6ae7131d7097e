// SPDX-License-Identifier: LGPL-2.1-or-later
//
// progress.h - a progress bar with rate and time left on standard error, if
// that is a terminal; nothing otherwise. Shared by the programs.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *unit; // "files"
    double total;     // 0: not known
    double before;    // done when it started: no part of the rate
    gint64 start;     // us
    gint64 shown;     // us, the last time
    bool terminal;
} Progress;

void progress_start(Progress *p, const char *unit, double total);
void progress_show(Progress *p, double done);
// Clears the line.
void progress_end(Progress *p);
