// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_names.c - see torch_names.h.
//
// Source: pytorch torch/_utils.py, torch/_tensor.py (Tensor.__reduce_ex__).

#include "torch_names.h"

#include <string.h>

#define UNREAD -1

#define DENSE_OF "torch._utils _rebuild_"

static const PeTorchName names[] = {
    {"collections OrderedDict", PE_TORCH_DICT},
    {DENSE_OF "tensor_v2", PE_TORCH_TENSOR},
    {DENSE_OF "tensor_v3", PE_TORCH_TENSOR_V3},
    {DENSE_OF "parameter", PE_TORCH_PARAMETER},
    {DENSE_OF "parameter_with_state", PE_TORCH_PARAMETER},
    {"torch.nn.parameter Parameter", PE_TORCH_PARAMETER},
    {"torch._tensor _rebuild_from_type_v2", PE_TORCH_SUBCLASS},
    {"torch FloatStorage", PE_TORCH_STORAGE, PE_DTYPE_F32},
    {"torch HalfStorage", PE_TORCH_STORAGE, PE_DTYPE_F16},
    {"torch BFloat16Storage", PE_TORCH_STORAGE, PE_DTYPE_BF16},
    {"torch DoubleStorage", PE_TORCH_STORAGE, PE_DTYPE_F64},
    {"torch LongStorage", PE_TORCH_STORAGE, PE_DTYPE_I64},
    {"torch IntStorage", PE_TORCH_STORAGE, PE_DTYPE_I32},
    {"torch ByteStorage", PE_TORCH_STORAGE, PE_DTYPE_U8},
    {"torch ShortStorage", PE_TORCH_STORAGE, UNREAD},
    {"torch CharStorage", PE_TORCH_STORAGE, UNREAD},
    {"torch BoolStorage", PE_TORCH_STORAGE, UNREAD},
    {"torch ComplexFloatStorage", PE_TORCH_STORAGE, UNREAD},
    {"torch ComplexDoubleStorage", PE_TORCH_STORAGE, UNREAD},
    {"torch.storage UntypedStorage", PE_TORCH_STORAGE, PE_DTYPE_U8},
    {"torch float32", PE_TORCH_DTYPE, PE_DTYPE_F32},
    {"torch float16", PE_TORCH_DTYPE, PE_DTYPE_F16},
    {"torch bfloat16", PE_TORCH_DTYPE, PE_DTYPE_BF16},
    {"torch float64", PE_TORCH_DTYPE, PE_DTYPE_F64},
    {"torch int64", PE_TORCH_DTYPE, PE_DTYPE_I64},
    {"torch int32", PE_TORCH_DTYPE, PE_DTYPE_I32},
    {"torch uint8", PE_TORCH_DTYPE, PE_DTYPE_U8},
    {"torch uint16", PE_TORCH_DTYPE, UNREAD},
    {"torch uint32", PE_TORCH_DTYPE, UNREAD},
    {"torch uint64", PE_TORCH_DTYPE, UNREAD},
    {"torch float8_e4m3fn", PE_TORCH_DTYPE, UNREAD},
    {"torch float8_e5m2", PE_TORCH_DTYPE, UNREAD},
    {DENSE_OF "qtensor", PE_TORCH_OTHER, 0, "is quantised"},
    {DENSE_OF "sparse_tensor", PE_TORCH_OTHER, 0, "is sparse"},
    {DENSE_OF "sparse_csr_tensor", PE_TORCH_OTHER, 0, "is sparse"},
    {DENSE_OF "nested_tensor", PE_TORCH_OTHER, 0, "is a nested tensor"},
    {DENSE_OF "mkldnn_tensor", PE_TORCH_OTHER, 0, "is in MKL-DNN's order"},
    {DENSE_OF "meta_tensor_no_storage", PE_TORCH_OTHER, 0,
     "is on the device meta, without numbers"},
    {DENSE_OF "wrapper_subclass", PE_TORCH_OTHER, 0,
     "is a tensor of a class of its own"},
    {DENSE_OF "device_tensor_from_numpy", PE_TORCH_OTHER, 0,
     "is a tensor of another device"},
    {"numpy.core.multiarray _reconstruct", PE_TORCH_OTHER, 0,
     "is a NumPy array"},
    {"numpy._core.multiarray _reconstruct", PE_TORCH_OTHER, 0,
     "is a NumPy array"},
};

int
pe_torch_find_name(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(name, names[i].name) == 0)
            return (int)i;
    }
    return PE_PICKLE_OPAQUE;
}

const PeTorchName *
pe_torch_get_name(const PePickleValue *value, PePickleKind kind)
{
    return value->kind == kind && value->global != PE_PICKLE_OPAQUE
               ? &names[value->global]
               : NULL;
}

bool
pe_torch_has_role(const PePickleValue *value, PePickleKind kind,
                  PeTorchRole role)
{
    const PeTorchName *name = pe_torch_get_name(value, kind);
    return name && name->role == role;
}
