// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_engine.h - tests of engines over the fake device and a tiny model.

#pragma once

#include "core/pe.h"
#include "fake_runner.h"
#include "tiny_model.h"

extern TinyModel fake_tiny; // of every test

// An engine of fake_tiny, which must open.
PeEngine *fake_engine_get(const char *device, PePrecision precision, int batch,
                          int timeout);
// On "cpu" in fp32, with batches of 4 that wait for nothing.
PeEngine *fake_engine_get_default(void);

typedef struct {
    const char *path;
    void (*func)(void);
} EngineTest;

// What main() of a program with these tests does. Engines do not linger. After
// every test no engine and no slot may be left.
int fake_engine_run(int argc, char **argv, const EngineTest *tests, size_t n);
