// SPDX-License-Identifier: LGPL-2.1-or-later
//
// lookup.h - what belongs to a row of an archive: its picture, its video, a
// clip of it. A row is all that a request can name, so that no file but those
// that the archive lists is ever opened.

#pragma once

#include "pipelines/search/serve/handle.h"
#include "pipelines/search/serve/worker.h"

typedef struct {
    ArchiveHandle *handle;
    gint is_cancelled; // atomic: give up a clip
} LookupState;

// WorkFuncs.
//   state  LookupState *
//   asked  char *: what follows the route in the path: "ROW", of clips
//          "FIRST-LAST"
Answer *lookup_archive(void *state, void *asked);
Answer *lookup_thumbnail(void *state, void *asked);
Answer *lookup_video(void *state, void *asked);
Answer *lookup_clip(void *state, void *asked);
