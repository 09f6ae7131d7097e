// SPDX-License-Identifier: LGPL-2.1-or-later
//
// overlay_bench.h - what peoverlay costs on frames of 1920 x 1080.

#pragma once

// Prints a table. Returns the program's exit status.
int bench_overlay(int argc, char **argv);
