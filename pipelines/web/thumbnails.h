// SPDX-License-Identifier: LGPL-2.1-or-later
//
// thumbnails.h - small pictures of what streams show, made only while somebody
// asks for them, at most one a second of each, by a single thread.

#pragma once

#include "pipelines/live/stream.h"

typedef struct Thumbnails Thumbnails;

Thumbnails *thumbnails_new(void);
void thumbnails_free(Thumbnails *thumbnails);

// The newest JPEG of the stream that there is, or NULL, and have a newer one
// made. Does not wait. Returns a reference.
GBytes *thumbnails_get(Thumbnails *thumbnails, Stream *stream);
