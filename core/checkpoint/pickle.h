// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pickle.h - the part of Python's pickle that torch.save() writes for (nested)
// dictionaries of tensors and plain values.
//
// Nothing is executed: a call is recorded as a value for the caller to read.

#pragma once

#include <stddef.h>

#include "core/pe.h"

typedef enum {
    PE_PICKLE_OTHER, // None, a bool or a float: nobody asks which
    PE_PICKLE_INT,
    PE_PICKLE_STRING,
    PE_PICKLE_TUPLE,
    PE_PICKLE_LIST,
    PE_PICKLE_DICT,
    PE_PICKLE_GLOBAL,
    PE_PICKLE_CALL,       // `global`(*args); may have been filled like a dict
    PE_PICKLE_PERSISTENT, // persistent id `args`
} PePickleKind;

typedef struct PePickleValue PePickleValue;
struct PePickleValue {
    PePickleKind kind;
    int global;       // GLOBAL, CALL: what find_global() answered
    int64_t integer;  // INT
    const char *text; // STRING: UTF-8, not terminated, borrowed from the pickle
    size_t length;    // STRING
    const PePickleValue *args; // CALL, PERSISTENT: a tuple
    GPtrArray *items; // TUPLE, LIST: values; DICT, CALL: key, value, key, ...
};

typedef struct {
    GPtrArray *values; // owns every value
    const PePickleValue *root;
} PePickle;

// Any number >= 0 that stands for "module name", -1: refuse the file.
typedef int (*PePickleFindGlobal)(const char *name);

// Messages start with `path`. Returns, pe_pickle_free().
PePickle *pe_pickle_parse(const uint8_t *data, size_t size, const char *path,
                          PePickleFindGlobal find_global, GError **error);
void pe_pickle_free(PePickle *pickle);

// A tuple's, list's or dictionary's values; 0 for anything else.
int pe_pickle_count(const PePickleValue *value);
const PePickleValue *pe_pickle_item(const PePickleValue *value, int index);
bool pe_pickle_is_text(const PePickleValue *value, const char *text);
