// SPDX-License-Identifier: LGPL-2.1-or-later
//
// checkpoint_files.h - builds checkpoint files for the tests, sound and broken
// ones, byte by byte. Knows the formats, not the library.

#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

// ---- Files ----------------------------------------------------------------

// A folder of this process that file_cleanup() removes with all files in it.
const char *file_folder(void);
void file_cleanup(void);

// Write bytes to `name` in the folder. Returns the path, g_free().
char *file_write(const char *name, const void *data, size_t size);
char *file_write_bytes(const char *name, const GByteArray *bytes);

// A file of the committed data: in $PE_TEST_DATA, or in tests/data of the
// current folder. Return, g_free().
char *file_data_path(const char *name);
GByteArray *file_read(const char *path);

// ---- Pickle, protocol 2 ---------------------------------------------------

void pickle_begin(GByteArray *p); // protocol, EMPTY_DICT, MARK
void pickle_end(GByteArray *p);   // SETITEMS, STOP
void pickle_op(GByteArray *p, const char *opcodes);
void pickle_text(GByteArray *p, const char *text);
void pickle_int(GByteArray *p, int64_t value);
void pickle_global(GByteArray *p, const char *module, const char *name);

typedef struct {
    const char *storage; // "FloatStorage"; NULL: an untyped one, see `dtype`
    const char *dtype;   // "float32": rebuilt with _rebuild_tensor_v3
    const char *key;     // of the storage
    int64_t elements;    // that the storage claims
    int64_t offset;
    int n_dims;
    int64_t shape[6];
    int64_t strides[6];
} PickledTensor;

void pickle_tensor(GByteArray *p, const PickledTensor *tensor);

// ---- Zip ------------------------------------------------------------------

typedef struct {
    GByteArray *bytes;     // the archive so far
    GByteArray *directory; // its central directory so far
    int count;
    bool zip64; // write the directory's end and all sizes the long way
} Zip;

void zip_begin(Zip *zip);
// Padded as torch does, so that the data are aligned to 64 bytes.
void zip_add(Zip *zip, const char *name, const void *data, size_t size);
// The same, the header fields given.
void zip_add_raw(Zip *zip, const char *name, const void *data, size_t size,
                 int method, uint32_t crc, uint64_t claimed_size);
// Returns the archive; the caller frees it.
GByteArray *zip_end(Zip *zip);

// A torch file of a pickle and the storages data/0, data/1, ...
typedef struct {
    const void *data;
    size_t size;
} Storage;
GByteArray *torch_file(const GByteArray *pickle, const Storage *storages,
                       int n_storages);

// ---- safetensors ----------------------------------------------------------

// Header length, header, then `size` bytes of data (zeros when NULL).
GByteArray *safetensors_file(const char *header, const void *data, size_t size);
