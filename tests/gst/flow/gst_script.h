// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gst_script.h - tests of elements that are linked into the program and run
// over the scripted device of fake_runner.h, with two gates more: loading and
// preprocessing can be held too.

#pragma once

#include "tests/support/fake_runner.h"
#include "tests/support/gst_helpers.h"

// Where work can be stopped before it begins.
typedef struct {
    GMutex lock;
    GCond changed;
    bool held;
    int n_begun;
} Gate;

extern Gate ingesting, loading;

void hold(Gate *gate, bool held);
// Until n pieces of work have begun.
void wait_for(Gate *gate, int n);

// What main() of such a program does.
int script_run(int argc, char **argv, void (*add_tests)(void));
