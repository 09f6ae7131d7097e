// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bench_peak.c - see bench_peak.h.

#include "tools/bench_peak.h"

#include <stdio.h>

#define MAX_OPERATIONS 48
// Lines that are printed, and the part of the time below which none is.
#define MAX_LINES 12
#define MIN_SHARE 0.002

struct BenchPeak {
    PeEngine *engine; // borrowed
    // FLOP/s: the best of the rounds, because a neighbour only takes.
    double one, all;
    PeOperation operations[MAX_OPERATIONS];
    int n_operations;
};

BenchPeak *
bench_peak_new(PeEngine *engine)
{
    BenchPeak *b = g_new0(BenchPeak, 1);
    b->engine = engine;
    bench_peak_forget(b);
    return b;
}

void
bench_peak_free(BenchPeak *b)
{
    g_free(b);
}

void
bench_peak_run(BenchPeak *b)
{
    b->one = MAX(b->one, pe_engine_measure_peak(b->engine, 1));
    b->all = MAX(b->all, pe_engine_measure_peak(b->engine, 0));
}

void
bench_peak_forget(BenchPeak *b)
{
    b->one = b->all = 0;
    pe_engine_profile(b->engine, NULL, 0);
}

void
bench_peak_end(BenchPeak *b)
{
    int n = pe_engine_profile(b->engine, b->operations, MAX_OPERATIONS);
    b->n_operations = MIN(n, MAX_OPERATIONS);
}

static double
total_seconds(const BenchPeak *b)
{
    double total = 0;
    for (int i = 0; i < b->n_operations; i++)
        total += b->operations[i].seconds;
    return total;
}

// 0: it does not multiply.
static double
fraction(const BenchPeak *b, const PeOperation *o)
{
    return o->flops / (o->seconds * b->all);
}

void
bench_peak_print(const BenchPeak *b, double gflops)
{
    if (b->all <= 0)
        return;
    printf(
        "  GFLOP/s of peak   %10.1f (fraction reached %.3f; one core %.1f)\n",
        b->all / 1e9, gflops * 1e9 / b->all, b->one / 1e9);
    double total = total_seconds(b);
    for (int i = 0; i < MIN(MAX_LINES, b->n_operations); i++) {
        const PeOperation *o = &b->operations[i];
        if (o->seconds < MIN_SHARE * total)
            return;
        printf("    %-44s %5.1f %% of the time, %9.3f ms", o->name,
               100 * o->seconds / total, 1000 * o->seconds / o->calls);
        if (o->flops > 0)
            printf(", %.3f of peak", fraction(b, o));
        printf("\n");
    }
}

void
bench_peak_write(const BenchPeak *b, JsonLine *j, double gflops)
{
    if (b->all <= 0)
        return;
    json_line_number(j, "peak_gflops", b->all / 1e9);
    json_line_number(j, "peak_gflops_of_one_core", b->one / 1e9);
    json_line_number(j, "fraction_of_peak", gflops * 1e9 / b->all);
    g_autoptr(GString) list = g_string_new("[");
    for (int i = 0; i < b->n_operations; i++) {
        const PeOperation *o = &b->operations[i];
        JsonLine entry;
        json_line_begin(&entry);
        json_line_string(&entry, "name", o->name);
        json_line_int(&entry, "calls", o->calls);
        json_line_number(&entry, "seconds", o->seconds);
        json_line_number(&entry, "fraction_of_peak", fraction(b, o));
        g_autofree char *text = json_line_steal(&entry);
        g_string_append_printf(list, "%s%s", i ? "," : "", text);
    }
    g_string_append(list, "]");
    json_line_json(j, "operations", list->str);
}
