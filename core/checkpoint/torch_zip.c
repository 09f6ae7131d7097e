// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_zip.c - reads what torch.save() writes since torch 1.6: a zip with a
// pickle of the dictionary (data.pkl) and one stored entry a storage (data/N).
// Called by open.c.
//
// Source: pytorch torch/serialization.py, torch/_utils.py.

#include "torch_zip.h"

#include <string.h>
#include <zlib.h>

#include "core/base/failure.h"
#include "pickle.h"
#include "zip.h"

#define MAX_PICKLE_SIZE (64 << 20)
#define MAX_WRAPPERS 4

typedef enum {
    ROLE_DICT,
    ROLE_TENSOR,    // (storage, offset, size, stride, ...)
    ROLE_TENSOR_V3, // (storage, offset, size, stride, grad, hooks, dtype, ...)
    ROLE_PARAMETER, // (tensor, ...)
    ROLE_STORAGE,
    ROLE_DTYPE,
} Role;

#define UNREAD_DTYPE -1

// Everything that may be named in a pickle.
static const struct {
    const char *name;
    Role role;
    int dtype;
} globals[] = {
    {"collections OrderedDict", ROLE_DICT},
    {"torch._utils _rebuild_tensor_v2", ROLE_TENSOR},
    {"torch._utils _rebuild_tensor_v3", ROLE_TENSOR_V3},
    {"torch._utils _rebuild_parameter", ROLE_PARAMETER},
    {"torch.nn.parameter Parameter", ROLE_PARAMETER},
    {"torch FloatStorage", ROLE_STORAGE, PE_DTYPE_F32},
    {"torch HalfStorage", ROLE_STORAGE, PE_DTYPE_F16},
    {"torch BFloat16Storage", ROLE_STORAGE, PE_DTYPE_BF16},
    {"torch DoubleStorage", ROLE_STORAGE, PE_DTYPE_F64},
    {"torch LongStorage", ROLE_STORAGE, PE_DTYPE_I64},
    {"torch IntStorage", ROLE_STORAGE, PE_DTYPE_I32},
    {"torch ByteStorage", ROLE_STORAGE, PE_DTYPE_U8},
    {"torch ShortStorage", ROLE_STORAGE, UNREAD_DTYPE},
    {"torch CharStorage", ROLE_STORAGE, UNREAD_DTYPE},
    {"torch BoolStorage", ROLE_STORAGE, UNREAD_DTYPE},
    {"torch.storage UntypedStorage", ROLE_STORAGE, PE_DTYPE_U8},
    {"torch float32", ROLE_DTYPE, PE_DTYPE_F32},
    {"torch float16", ROLE_DTYPE, PE_DTYPE_F16},
    {"torch bfloat16", ROLE_DTYPE, PE_DTYPE_BF16},
    {"torch float64", ROLE_DTYPE, PE_DTYPE_F64},
    {"torch int64", ROLE_DTYPE, PE_DTYPE_I64},
    {"torch int32", ROLE_DTYPE, PE_DTYPE_I32},
    {"torch uint8", ROLE_DTYPE, PE_DTYPE_U8},
    {"torch uint16", ROLE_DTYPE, UNREAD_DTYPE},
    {"torch uint32", ROLE_DTYPE, UNREAD_DTYPE},
    {"torch uint64", ROLE_DTYPE, UNREAD_DTYPE},
    {"torch float8_e4m3fn", ROLE_DTYPE, UNREAD_DTYPE},
    {"torch float8_e5m2", ROLE_DTYPE, UNREAD_DTYPE},
};

typedef struct {
    PeCheckpoint *ckpt;
    GHashTable *entries; // of the zip
    char *prefix;        // "PE-Core-L14-336/"
} Reader;

static int
find_global(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(globals); i++) {
        if (strcmp(name, globals[i].name) == 0)
            return (int)i;
    }
    return -1;
}

static bool
has_role(const PePickleValue *value, PePickleKind kind, Role role)
{
    return value->kind == kind && globals[value->global].role == role;
}

static bool
is_dict(const PePickleValue *value)
{
    return value->kind == PE_PICKLE_DICT ||
           has_role(value, PE_PICKLE_CALL, ROLE_DICT);
}

// ---- Entries --------------------------------------------------------------

// The entry "PREFIX/name"; NULL without an error when there is none.
static const PeZipEntry *
get_entry(const Reader *r, const char *name)
{
    g_autofree char *full = g_strconcat(r->prefix, name, NULL);
    return g_hash_table_lookup(r->entries, full);
}

static bool
require_stored(const Reader *r, const PeZipEntry *entry, const char *name,
               GError **error)
{
    if (entry && entry->data)
        return true;
    return pe_fail(
        error, PE_ERROR_FORMAT, r->ckpt->path,
        entry ? "the zip entry %s is compressed, which torch.save() never does"
              : "the zip has no entry %s: it was not written by torch.save()",
        name);
}

// NULL when it cannot be read.
static const uint8_t *
load_entry(const Reader *r, const PeZipEntry *entry)
{
    size_t offset = (size_t)(entry->data - r->ckpt->base);
    return pe_file_load(r->ckpt->file, offset, entry->size);
}

// The folder inside the zip has the name that the file had when it was saved.
static bool
find_prefix(Reader *r, GError **error)
{
    GHashTableIter iter;
    void *key;
    g_hash_table_iter_init(&iter, r->entries);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const char *name = key;
        const char *slash = strchr(name, '/');
        if (!slash || strcmp(slash, "/data.pkl") != 0)
            continue;
        if (r->prefix)
            return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                           "the zip holds two torch archives");
        r->prefix = g_strndup(name, (size_t)(slash + 1 - name));
    }
    if (!r->prefix)
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "is a zip, but not one of torch.save(): it "
                       "has no data.pkl");
    if (get_entry(r, "constants.pkl"))
        return pe_fail(
            error, PE_ERROR_FORMAT, r->ckpt->path,
            "is a TorchScript archive (a program): save the weights alone with "
            "torch.save(torch.jit.load(\"old.pt\").state_dict(), \"new.pt\")");
    return true;
}

static bool
check_byte_order(const Reader *r, GError **error)
{
    // Absent before torch 2.1.
    const PeZipEntry *entry = get_entry(r, "byteorder");
    if (!entry)
        return true;
    if (!require_stored(r, entry, "byteorder", error))
        return false;
    const uint8_t *order = load_entry(r, entry);
    if (entry->size != 6 || !order || memcmp(order, "little", 6) != 0)
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "was saved on a machine of another byte order");
    return true;
}

// ---- Tensors --------------------------------------------------------------

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

// Arguments of a call: 'storage', type, key, device, elements.
static const PeZipEntry *
find_storage(const Reader *r, const char *name, const PePickleValue *value,
             int *dtype, GError **error)
{
    const PePickleValue *args = value->args;
    if (value->kind != PE_PICKLE_PERSISTENT || pe_pickle_count(args) < 5 ||
        !pe_pickle_is_text(pe_pickle_item(args, 0), "storage") ||
        !has_role(pe_pickle_item(args, 1), PE_PICKLE_GLOBAL, ROLE_STORAGE) ||
        pe_pickle_item(args, 2)->kind != PE_PICKLE_STRING) {
        pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path, "'%s' has no storage",
                name);
        return NULL;
    }
    const PePickleValue *key = pe_pickle_item(args, 2);
    *dtype = globals[pe_pickle_item(args, 1)->global].dtype;
    g_autofree char *key_text = g_strndup(key->text, key->length);
    g_autofree char *path = g_strconcat("data/", key_text, NULL);
    const PeZipEntry *entry = get_entry(r, path);
    return require_stored(r, entry, path, error) ? entry : NULL;
}

static bool
read_view(const Reader *r, const char *name, const PePickleValue *args,
          PeTensor *tensor, int64_t *offset, GError **error)
{
    const PePickleValue *first = pe_pickle_item(args, 1);
    const PePickleValue *shape = pe_pickle_item(args, 2);
    const PePickleValue *strides = pe_pickle_item(args, 3);
    int n = pe_pickle_count(shape);
    if (n > PE_MAX_DIMS)
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "'%s' has %d axes, at most %d can be read", name, n,
                       PE_MAX_DIMS);
    tensor->n_dims = n;
    if (first->kind != PE_PICKLE_INT || first->integer < 0 ||
        shape->kind != PE_PICKLE_TUPLE || strides->kind != PE_PICKLE_TUPLE ||
        pe_pickle_count(strides) != n ||
        !read_counts(shape, n, tensor->shape) ||
        !read_counts(strides, n, tensor->strides))
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "'%s' has a broken shape, stride or offset", name);
    *offset = first->integer;
    return true;
}

// `args` of _rebuild_tensor_v2 or _v3. Tensors of types that no weight has
// are left out.
static bool
add_view(const Reader *r, const char *name, const PePickleValue *args,
         bool has_dtype, GError **error)
{
    if (pe_pickle_count(args) < (has_dtype ? 7 : 4) ||
        (has_dtype &&
         !has_role(pe_pickle_item(args, 6), PE_PICKLE_GLOBAL, ROLE_DTYPE)))
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "'%s' is incomplete", name);
    PeTensor tensor = {0};
    int dtype;
    int64_t offset = 0, size, span;
    const PeZipEntry *storage =
        find_storage(r, name, pe_pickle_item(args, 0), &dtype, error);
    if (!storage || !read_view(r, name, args, &tensor, &offset, error))
        return false;
    if (has_dtype)
        dtype = globals[pe_pickle_item(args, 6)->global].dtype;
    if (dtype == UNREAD_DTYPE) {
        pe_log(PE_LOG_DEBUG, "%s: '%s' is left out for its type", r->ckpt->path,
               name);
        return true;
    }
    tensor.dtype = (PeDtype)dtype;

    int64_t end;
    size_t elements = storage->size / pe_dtype_size(tensor.dtype);
    if (!pe_tensor_measure(&tensor, &size, &span) ||
        __builtin_add_overflow(offset, span, &end) || (uint64_t)end > elements)
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "'%s' reaches behind its storage of %zu elements", name,
                       elements);
    tensor.data = storage->data + (size_t)offset * pe_dtype_size(tensor.dtype);
    return pe_checkpoint_add(r->ckpt, name, &tensor, error);
}

// Anything but a tensor is skipped.
static bool
add_value(const Reader *r, const PePickleValue *key, const PePickleValue *value,
          GError **error)
{
    // A parameter holds a tensor, a hostile one itself: one level is enough.
    if (has_role(value, PE_PICKLE_CALL, ROLE_PARAMETER) &&
        pe_pickle_count(value->args) > 0)
        value = pe_pickle_item(value->args, 0);
    bool is_v3 = has_role(value, PE_PICKLE_CALL, ROLE_TENSOR_V3);
    if (!is_v3 && !has_role(value, PE_PICKLE_CALL, ROLE_TENSOR))
        return true;
    if (key->kind != PE_PICKLE_STRING)
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "a tensor's name is not a string");
    g_autofree char *name = g_strndup(key->text, key->length);
    return add_view(r, name, value->args, is_v3, error);
}

// The dictionary that holds the weights, below the names that training
// programs put it under.
static const PePickleValue *
unwrap(const PePickleValue *dict)
{
    static const char *const wrappers[] = {"state_dict", "model_state_dict",
                                           "weights",    "model",
                                           "module",     "net",
                                           "params",     "teacher",
                                           "model_ema",  "state_dict_ema",
                                           "ema"};
    for (int depth = 0; depth < MAX_WRAPPERS; depth++) {
        const PePickleValue *inner = NULL;
        for (size_t w = 0; !inner && w < G_N_ELEMENTS(wrappers); w++) {
            for (int i = 0; i + 1 < pe_pickle_count(dict); i += 2) {
                if (pe_pickle_is_text(pe_pickle_item(dict, i), wrappers[w]) &&
                    is_dict(pe_pickle_item(dict, i + 1)))
                    inner = pe_pickle_item(dict, i + 1);
            }
        }
        if (!inner)
            break;
        dict = inner;
    }
    return dict;
}

static bool
read_tensors(const Reader *r, const PePickleValue *root, GError **error)
{
    if (!is_dict(root))
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "holds no dictionary of tensors");
    const PePickleValue *dict = unwrap(root);
    for (int i = 0; i + 1 < pe_pickle_count(dict); i += 2) {
        if (!add_value(r, pe_pickle_item(dict, i), pe_pickle_item(dict, i + 1),
                       error))
            return false;
    }
    return true;
}

static bool
read_pickle(const Reader *r, GError **error)
{
    const PeZipEntry *entry = get_entry(r, "data.pkl");
    if (!require_stored(r, entry, "data.pkl", error))
        return false;
    if (entry->size > MAX_PICKLE_SIZE)
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "data.pkl has %zu bytes, too many for a "
                       "dictionary of tensors",
                       entry->size);
    const uint8_t *data = load_entry(r, entry);
    if (!data)
        return pe_fail(error, PE_ERROR_FILE, r->ckpt->path, "cannot be read");
    // torch can be told to leave the checksums out.
    uLong crc = crc32(0, data, (uInt)entry->size);
    if (entry->crc != 0 && crc != entry->crc)
        return pe_fail(error, PE_ERROR_FORMAT, r->ckpt->path,
                       "data.pkl is damaged: its checksum is wrong");

    PePickle *pickle =
        pe_pickle_parse(data, entry->size, r->ckpt->path, find_global, error);
    if (!pickle)
        return false;
    bool ok = read_tensors(r, pickle->root, error);
    pe_pickle_free(pickle);
    return ok;
}

bool
pe_checkpoint_read_torch_zip(PeCheckpoint *ckpt, GError **error)
{
    g_autoptr(GHashTable) entries = pe_zip_read(ckpt->file, error);
    if (!entries)
        return false;
    Reader r = {ckpt, entries, NULL};
    bool ok = find_prefix(&r, error) && check_byte_order(&r, error) &&
              read_pickle(&r, error);
    g_free(r.prefix);
    return ok;
}
