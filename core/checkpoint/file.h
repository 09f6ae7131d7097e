// SPDX-License-Identifier: LGPL-2.1-or-later
//
// file.h - a file that is read, never mapped: whoever truncates a mapped file
// kills every process that reads it.
//
// All bytes of the file have addresses, `base` to `base + size - 1`, by which
// tensors name them, but there is nothing at an address until it is loaded.

#pragma once

#include <sys/stat.h>

#include "core/pe.h"

typedef struct {
    char *path;
    int fd;
    const uint8_t *base;
    size_t size;
    struct stat opened; // as the file was then
} PeFile;

// Fails for what is empty or no regular file. Returns, pe_file_close().
PeFile *pe_file_open(const char *path, GError **error);
void pe_file_close(PeFile *file);

// Bytes offset..offset+n-1 at their addresses, until pe_file_unload(). NULL
// when they do not lie in the file or cannot be read. One thread.
const uint8_t *pe_file_load(PeFile *file, uint64_t offset, uint64_t n);
void pe_file_unload(PeFile *file);

// Copy the bytes at n addresses from `address` on. Fails with PE_ERROR_FILE
// when they cannot be read, or when the file has been written to since it was
// opened: then its bytes are not all of one model any more. Any thread.
bool pe_file_read(const PeFile *file, const void *address, size_t n, void *out,
                  GError **error);
