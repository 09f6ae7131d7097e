// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_tensor.h - a tensor as torch pickles it.

#pragma once

#include "pickle.h"
#include "torch_archive.h"

// Whether Python would make a tensor of the value, one that we can read or not.
bool pe_torch_is_tensor(const PePickleValue *value);

// Enter the tensor into the checkpoint; one that is no view of numbers in
// memory only among what was not read. Nothing happens when the value is none.
bool pe_torch_add_tensor(const PeTorchArchive *archive, const char *name,
                         const PePickleValue *value, GError **error);
