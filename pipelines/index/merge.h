// SPDX-License-Identifier: LGPL-2.1-or-later
//
// merge.h - one archive with what is in several.

#pragma once

#include "archive.h"

// Write all that the archives know into a new one, in an order that nothing but
// what they know decides: the bytes of its index and of its packs are the same
// however the files are spread over the archives, and in whatever order these
// are named.
//
// Files come in the order of their names (as bytes), and contents, and with
// them their rows, as the first of their files. Contents with the same key of
// which the same was found become one. Left behind are rows that no content
// has any more, and the hashes of whole files, which some archives needed and
// others not.
//
//   archives  Archive *, at least one, opened to read; borrows
//   folder    of the new one; what a killed merge has left there goes
// Returns it, archive_close(), all on the disk; NULL with the error, which is
// PE_ERROR_SHAPE, and names both, when two archives are of other models, were
// sampled otherwise, or know different things of one file.
Archive *archive_merge(const GPtrArray *archives, const char *folder,
                       GError **error);
