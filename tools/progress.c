// SPDX-License-Identifier: LGPL-2.1-or-later
//
// progress.c - see progress.h.

#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 30
#define PERIOD_US 200000

void
progress_start(Progress *p, const char *unit, double total)
{
    *p = (Progress){
        .unit = unit,
        .total = total,
        .terminal = isatty(STDERR_FILENO),
    };
    // What is done within a period needs no bar.
    p->start = p->shown = g_get_monotonic_time();
}

void
progress_show(Progress *p, double done)
{
    gint64 now = g_get_monotonic_time();
    if (!p->terminal || now - p->shown < PERIOD_US)
        return;
    p->shown = now;
    double seconds = (double)(now - p->start) / 1e6;
    double rate = seconds > 0 ? (done - p->before) / seconds : 0;
    if (p->total <= 0) {
        fprintf(stderr, "\r%.0f %s, %.1f/s\033[K", done, p->unit, rate);
        return;
    }
    static const char full[WIDTH + 1] = "##############################";
    int filled = (int)(WIDTH * MIN(done / p->total, 1));
    int left = rate > 0 ? (int)((p->total - done) / rate + 0.5) : 0;
    fprintf(stderr, "\r[%-*.*s] %.0f/%.0f %s, %.1f/s, %d:%02d left\033[K",
            WIDTH, filled, full, done, p->total, p->unit, rate, left / 60,
            left % 60);
}

void
progress_end(Progress *p)
{
    if (p->terminal && p->shown > p->start)
        fprintf(stderr, "\r\033[K");
}
