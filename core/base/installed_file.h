// SPDX-License-Identifier: LGPL-2.1-or-later
//
// installed_file.h - files that come with this library: installed beside it, or
// in a build tree. Private to core.

#pragma once

// Look for a file in several places and return the path of the first one that
// is there, g_free(), or NULL. `beside` are paths relative to the folder of
// this library (of the program, when it is linked into one), so that an
// installation may be moved as a whole. `installed` is the whole path under
// which the build was configured to install the file.
//   beside  ends with NULL
char *pe_installed_file_find(const char *const *beside, const char *installed);
