// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_tensor.c - see torch_tensor.h.
//
// Source: pytorch torch/_utils.py, torch/_tensor.py (Tensor.__reduce_ex__).

#include "torch_tensor.h"

#include <string.h>

#include "core/base/failure.h"
#include "torch_names.h"

// Parameters hold tensors, some classes of tensors hold others.
#define MAX_NESTING 4

// What makes a tensor of its arguments.
typedef struct {
    bool is_tensor;
    const PeTorchName *function; // NULL: opaque
    const PePickleValue *args;   // a tuple
    const char *python_name;
} Call;

// ---- Which function -------------------------------------------------------

// Classes of libraries that wrap tensors, such as "…tensor DTensor".
static bool
sounds_like_a_tensor(const char *name)
{
    return strstr(name, "Tensor") || strstr(name, "Parameter") ||
           g_str_has_prefix(name, "torch._utils _rebuild_") ||
           g_str_has_prefix(name, "torch._tensor _rebuild_");
}

static bool
makes_tensors(PeTorchRole role)
{
    return role == PE_TORCH_TENSOR || role == PE_TORCH_TENSOR_V3 ||
           role == PE_TORCH_OTHER;
}

// function(class, arguments): `args` of _rebuild_from_type_v2.
static Call
unpack_subclass(const PePickleValue *args)
{
    Call call = {true, NULL, args, "a class of tensors"};
    const PePickleValue *function =
        pe_pickle_count(args) >= 3 ? pe_pickle_item(args, 0) : NULL;
    const PePickleValue *inner = function ? pe_pickle_item(args, 2) : NULL;
    if (!function || function->kind != PE_PICKLE_GLOBAL ||
        inner->kind != PE_PICKLE_TUPLE)
        return call;
    return (Call){true, pe_torch_get_name(function, PE_PICKLE_GLOBAL), inner,
                  function->name};
}

static Call
find_call(const PePickleValue *value)
{
    Call call = {0};
    for (int i = 0; i < MAX_NESTING && value->kind == PE_PICKLE_CALL; i++) {
        call = (Call){false, pe_torch_get_name(value, PE_PICKLE_CALL),
                      value->args, value->name};
        if (call.function && call.function->role == PE_TORCH_SUBCLASS)
            call = unpack_subclass(call.args);
        if (!call.function || call.function->role != PE_TORCH_PARAMETER ||
            pe_pickle_count(call.args) == 0)
            break;
        call.is_tensor = true;
        value = pe_pickle_item(call.args, 0);
    }
    if (call.python_name)
        call.is_tensor |= call.function
                              ? makes_tensors(call.function->role)
                              : sounds_like_a_tensor(call.python_name);
    return call;
}

bool
pe_torch_is_tensor(const PePickleValue *value)
{
    return find_call(value).is_tensor;
}

// ---- Views ----------------------------------------------------------------

static bool
read_counts(const PePickleValue *tuple, int n, int64_t *out)
{
    for (int i = 0; i < n; i++) {
        const PePickleValue *item = pe_pickle_item(tuple, i);
        if (item->kind != PE_PICKLE_INT || item->integer < 0)
            return false;
        out[i] = item->integer;
    }
    return true;
}

// Arguments of a persistent id: 'storage', type, key, device, elements.
static bool
is_storage(const PePickleValue *value)
{
    const PePickleValue *args = value->args;
    return value->kind == PE_PICKLE_PERSISTENT &&
           args->kind == PE_PICKLE_TUPLE && pe_pickle_count(args) >= 5 &&
           pe_pickle_is_text(pe_pickle_item(args, 0), "storage") &&
           pe_pickle_item(args, 1)->kind == PE_PICKLE_GLOBAL &&
           pe_pickle_item(args, 2)->kind == PE_PICKLE_STRING;
}

static const PeZipEntry *
find_storage(const PeTorchArchive *a, const PePickleValue *storage,
             GError **error)
{
    const PePickleValue *key = pe_pickle_item(storage->args, 2);
    g_autofree char *path =
        g_strdup_printf("data/%.*s", (int)MIN(key->length, 64), key->text);
    return pe_torch_archive_get(a, path, error);
}

static bool
read_view(const PeTorchArchive *a, const char *name, const PePickleValue *args,
          PeTensor *tensor, int64_t *offset, GError **error)
{
    const PePickleValue *first = pe_pickle_item(args, 1);
    const PePickleValue *shape = pe_pickle_item(args, 2);
    const PePickleValue *strides = pe_pickle_item(args, 3);
    int n = pe_pickle_count(shape);
    if (n > PE_MAX_DIMS)
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "'%s' has %d axes, at most %d can be read", name, n,
                       PE_MAX_DIMS);
    tensor->n_dims = n;
    if (first->kind != PE_PICKLE_INT || first->integer < 0 ||
        shape->kind != PE_PICKLE_TUPLE || strides->kind != PE_PICKLE_TUPLE ||
        pe_pickle_count(strides) != n ||
        !read_counts(shape, n, tensor->shape) ||
        !read_counts(strides, n, tensor->strides))
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "'%s' has a broken shape, stride or offset", name);
    *offset = first->integer;
    return true;
}

// The type of the numbers, by what says it: the storage or, since version 3,
// an argument. NULL when nothing does.
static const PePickleValue *
find_dtype(const PePickleValue *args, const PePickleValue *storage, bool is_v3)
{
    if (!is_v3)
        return pe_pickle_item(storage->args, 1);
    const PePickleValue *dtype =
        pe_pickle_count(args) >= 7 ? pe_pickle_item(args, 6) : NULL;
    return dtype && dtype->kind == PE_PICKLE_GLOBAL ? dtype : NULL;
}

// Views of the imaginary part and the like have their sign in an argument.
static bool
has_bits(const PePickleValue *args, bool is_v3)
{
    int position = is_v3 ? 7 : 6;
    return pe_pickle_count(args) > position &&
           pe_pickle_count(pe_pickle_item(args, position)) > 0;
}

static bool
place_view(const PeTorchArchive *a, const char *name, PeTensor *tensor,
           int64_t offset, const PeZipEntry *storage, GError **error)
{
    int64_t size, span, end;
    size_t bytes = pe_dtype_size(tensor->dtype);
    size_t elements = storage->size / bytes;
    if (!pe_tensor_measure(tensor, &size, &span) ||
        __builtin_add_overflow(offset, span, &end) || (uint64_t)end > elements)
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "'%s' reaches behind its storage of %zu elements", name,
                       elements);
    tensor->data = storage->data + (size_t)offset * bytes;
    return pe_checkpoint_add(a->ckpt, name, tensor, error);
}

static bool
add_view(const PeTorchArchive *a, const char *name, const PePickleValue *args,
         bool is_v3, GError **error)
{
    const PePickleValue *storage =
        pe_pickle_count(args) >= 4 ? pe_pickle_item(args, 0) : NULL;
    if (!storage)
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "'%s' is incomplete", name);
    if (!is_storage(storage))
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "'%s' has no storage", name);
    const PePickleValue *type = find_dtype(args, storage, is_v3);
    if (!type)
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "'%s' is incomplete", name);
    const PeTorchName *dtype = pe_torch_get_name(type, PE_PICKLE_GLOBAL);
    if (dtype && dtype->role != (is_v3 ? PE_TORCH_DTYPE : PE_TORCH_STORAGE))
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "'%s' has no storage", name);
    if (!dtype || dtype->dtype < 0) {
        pe_checkpoint_add_unread(a->ckpt, name,
                                 "holds numbers of the type '%s'", type->name);
        return true;
    }
    if (has_bits(args, is_v3)) {
        pe_checkpoint_add_unread(a->ckpt, name, "is a view with another sign");
        return true;
    }
    PeTensor tensor = {.dtype = (PeDtype)dtype->dtype};
    int64_t offset = 0;
    const PeZipEntry *entry = find_storage(a, storage, error);
    return entry && read_view(a, name, args, &tensor, &offset, error) &&
           place_view(a, name, &tensor, offset, entry, error);
}

bool
pe_torch_add_tensor(const PeTorchArchive *a, const char *name,
                    const PePickleValue *value, GError **error)
{
    Call call = find_call(value);
    if (!call.is_tensor)
        return true;
    if (call.function && call.function->role == PE_TORCH_TENSOR)
        return add_view(a, name, call.args, false, error);
    if (call.function && call.function->role == PE_TORCH_TENSOR_V3)
        return add_view(a, name, call.args, true, error);
    if (call.function && call.function->what)
        pe_checkpoint_add_unread(a->ckpt, name, "%s", call.function->what);
    else
        pe_checkpoint_add_unread(a->ckpt, name, "is an object of '%s'",
                                 call.python_name);
    return true;
}
