// SPDX-License-Identifier: LGPL-2.1-or-later
//
// find_file.h - which file of those that a user may mean is the checkpoint.

#pragma once

#include "core/pe.h"

// `path` is a checkpoint, a folder with one, an entry of the Hugging Face cache
// or, where there is nothing of that name, the id "owner/name" of such an
// entry. Nothing is downloaded. Returns the path of a file, which need not
// exist, g_free().
char *pe_model_find_file(const char *path, GError **error);
