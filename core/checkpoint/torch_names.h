// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_names.h - the Python names in a checkpoint that mean something to us.

#pragma once

#include "core/base/tensor.h"
#include "pickle.h"

typedef enum {
    PE_TORCH_DICT,
    PE_TORCH_TENSOR,    // (storage, offset, size, stride, grad, hooks, bits)
    PE_TORCH_TENSOR_V3, // (storage, offset, size, stride, grad, hooks, dtype)
    PE_TORCH_PARAMETER, // (tensor, ...)
    PE_TORCH_SUBCLASS,  // (function, class, its arguments, state)
    PE_TORCH_OTHER,     // a tensor that is not a view of numbers in memory
    PE_TORCH_STORAGE,
    PE_TORCH_DTYPE,
} PeTorchRole;

typedef struct {
    const char *name; // "module name"
    PeTorchRole role;
    int dtype;        // STORAGE, DTYPE: a PeDtype, -1 when we have no such one
    const char *what; // OTHER: what the tensor is
} PeTorchName;

// For pe_pickle_parse().
int pe_torch_find_name(const char *name);

// NULL when the value is of another kind, or opaque.
const PeTorchName *pe_torch_get_name(const PePickleValue *value,
                                     PePickleKind kind);
bool pe_torch_has_role(const PePickleValue *value, PePickleKind kind,
                       PeTorchRole role);
