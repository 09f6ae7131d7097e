// SPDX-License-Identifier: LGPL-2.1-or-later
//
// installed_file.h - files that come with this library: installed beside it, or
// in a build tree. Private to core.

#pragma once

// The first of the places that is a file. `beside` are paths relative to the
// folder of this library (of the program, when it is linked into one); so an
// installation may be moved as a whole. `installed` is the whole path that it
// was configured to be installed under. Returns a path, g_free(), or NULL.
//   beside  ends with NULL
char *pe_installed_file_find(const char *const *beside, const char *installed);
