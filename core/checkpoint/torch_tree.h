// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_tree.h - finds the weights in what a program has saved.

#pragma once

#include "pickle.h"
#include "torch_archive.h"

// Enter the tensors of the state dictionary, or of the module, that is in
// `root`, in what training programs wrap it in.
bool pe_torch_add_weights(const PeTorchArchive *archive,
                          const PePickleValue *root, GError **error);
