// SPDX-License-Identifier: LGPL-2.1-or-later
//
// handle.h - an archive that stays open while others write to it, and may be
// replaced by another one.

#pragma once

#include "pipelines/index/archive.h"

typedef struct ArchiveHandle ArchiveHandle;

// One owner. Does not open it yet.
ArchiveHandle *archive_handle_new(const char *folder);
void archive_handle_free(ArchiveHandle *handle);

// The archive that is in the folder now: what is read of it is what was
// committed last. Borrowed, until the next call. NULL with the error.
Archive *archive_handle_get(ArchiveHandle *handle, GError **error);
