// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vector_file.h - the vectors that are finished, in a file that only grows, so
// that a program that was killed goes on where it was. Knows no model.

#pragma once

#include "core/pe.h"

typedef struct VectorFile VectorFile;

// Open or create the file, and hold it against other processes. A record that
// was being written when the program died is cut off; one that is damaged is
// left out and counted.
//   made_by  what the vectors depend on: a file with another is refused, with
//            what it has and what to do
// Returns, vector_file_close(). NULL with the error.
VectorFile *vector_file_open(const char *path, const char *made_by, int dim,
                             GError **error);
void vector_file_close(VectorFile *file);

int vector_file_count(const VectorFile *file);
int vector_file_count_damaged(const VectorFile *file);

// The vector [dim] that was added with this key, which is any text. false when
// there is none (no error) or it cannot be read any more (also none: it is made
// again). Any thread, as long as nothing is added.
bool vector_file_find(VectorFile *file, const char *key, float *vector);

// Add a vector [dim]: it is there after the process has been killed. One thread
// at a time.
bool vector_file_add(VectorFile *file, const char *key, const float *vector,
                     GError **error);

// What a file's vector depends on, for a key: kind, path, size and time. NULL
// with the error when there is no such regular file. Returns, g_free().
char *vector_file_make_key(const char *kind, const char *path, GError **error);
