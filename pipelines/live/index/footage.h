// SPDX-License-Identifier: LGPL-2.1-or-later
//
// footage.h - what a stream shows, as contents of an archive: of neighbouring
// results that are nearly equal, the first. A content ends after an hour, when
// it has as many frames as it may have, when nothing came for a while, or when
// there are other labels. Knows no database.

#pragma once

#include "gst/meta/gstpemeta.h"
#include "pipelines/index/archive.h"

// A content as it is at one moment: a later one of the same key has more.
typedef struct {
    char *key; // of all contents of all programs
    ArchiveFile *file;
    ArchiveContent *content;
    uint16_t *vectors; // [n_frames, dim]
    bool is_closed;    // none of this key comes after it
} Snapshot;

void snapshot_free(Snapshot *snapshot);
guint64 snapshot_count_bytes(const Snapshot *snapshot, int dim);

typedef struct Footage Footage;

// place  what its files' names begin with, "pe-live://host/stream"
// One owner.
Footage *footage_new(const char *place, int dim);
void footage_free(Footage *footage);

// Add a result that has an embedding. Returns the content before it, closed,
// snapshot_free(); NULL: this one belongs to it, or there was none.
//   now  ns since 1970, for a result that does not know when it is from
Snapshot *footage_add(Footage *footage, GstPeResult *result, gint64 now);
// What has changed since the last call, snapshot_free(); NULL: nothing.
Snapshot *footage_take(Footage *footage);
// Has nothing come for so long that the next content is another one? Then what
// is not taken is its last.
bool footage_is_over(const Footage *footage, gint64 now);
// End the content. Returns, snapshot_free(); NULL: there is none.
Snapshot *footage_close(Footage *footage);
