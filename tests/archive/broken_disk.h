// SPDX-License-Identifier: LGPL-2.1-or-later
//
// broken_disk.h - the system calls that change files, which fail or end the
// process when the test says so. They take the place of the C library's for the
// whole program, and so for SQLite too.

#pragma once

#include <stdbool.h>

typedef enum {
    DISK_WORKS,
    DISK_KILLS, // the process, by SIGKILL
    DISK_FULL,  // every call that needs space fails from then on
} DiskFate;

// What happens at call number `at` (from 0) from now on. A write that is killed
// or that finds no space has written half of its bytes.
void disk_set(DiskFate fate, int at);
int disk_count(void); // calls since disk_set()
// Has a journal been removed, which makes a transaction count, while vectors
// were not yet on the disk?
bool disk_saw_wrong_order(void);
