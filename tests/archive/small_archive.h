// SPDX-License-Identifier: LGPL-2.1-or-later
//
// small_archive.h - archives of a model that answers with one probe, for tests
// of what is in an index and not of who made it.

#pragma once

#include "broken_disk.h"
#include "pipelines/index/archive.h"

#define SMALL_DIM 32

// Open one to write; it is made if it is not there.
Archive *small_archive_open(const char *folder);
// The same; NULL with the error.
Archive *small_archive_try(const char *folder, GError **error);
// Open it to write in a process of its own, in which the disk has a fate at
// call number `at`; that is killed, or ends with the archive or an error of the
// file.
void small_archive_open_badly(const char *folder, DiskFate fate, int at);

// Returns, g_free().
char *small_archive_dump(Archive *archive);
// How many faults archive_verify() finds, each of which is a test message.
guint small_archive_count_faults(Archive *archive);
