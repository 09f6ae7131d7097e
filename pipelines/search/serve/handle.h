// SPDX-License-Identifier: LGPL-2.1-or-later
//
// handle.h - an archive that stays open while others write to it, and may be
// replaced by another one. It is in a folder or in a database.

#pragma once

#include "pipelines/index/archive.h"

typedef struct ArchiveHandle ArchiveHandle;

// One owner. Does not open it yet.
//   place  a folder, or the URI of a database
//   exact  of a database: compare all vectors, without its index
ArchiveHandle *archive_handle_new(const char *place, bool exact);
void archive_handle_free(ArchiveHandle *handle);

// The archive that is there now: what is read of it, between archive_hold() and
// archive_release(), is what was committed last. Borrowed, until the next call.
// NULL with the error.
Archive *archive_handle_get(ArchiveHandle *handle, GError **error);
