// SPDX-License-Identifier: LGPL-2.1-or-later
//
// merging.h - pe-tag merge.

#pragma once

#include <glib.h>
#include <stdbool.h>

// Make the archive `out`, which must not be there, of those in `folders`. It is
// there when it is whole. false with the error.
//   verify  compare it with the checksums, such as of vectors, before that
bool merging_run(char *const *folders, const char *out, bool verify,
                 GError **error);
