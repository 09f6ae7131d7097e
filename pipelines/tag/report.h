// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.h - what is in an archive, for people and machines.

#pragma once

#include "pipelines/index/archive.h"

// A file and its segments as one line of JSON (docs/archive.md has its words).
//   status  "tagged", "known", ... or NULL
// Returns without a newline, g_free().
char *report_file(const ArchiveFile *file, const ArchiveContent *content,
                  const char *status);

// The segments as WebVTT chapters, each with its best label. Returns, g_free().
char *report_webvtt(const ArchiveContent *content);

// Write errors.jsonl into the archive's folder: a line for each file that is
// not whole, in the order of their names. It is replaced at once.
bool report_write_errors(Archive *archive, GError **error);
