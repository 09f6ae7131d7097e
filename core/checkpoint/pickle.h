// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pickle.h - Python's pickle, protocols 2 to 5, as values to look at.
//
// Nothing is executed, imported or built: a call is recorded as a value for the
// caller to read, and what is neither a number, a text nor a container of these
// is opaque.

#pragma once

#include <stddef.h>

#include "core/pe.h"

// What find_global() answers about a name that it does not know.
#define PE_PICKLE_OPAQUE -1

typedef enum {
    PE_PICKLE_OTHER, // None, a bool, a float, bytes, a set: nobody asks which
    PE_PICKLE_INT,
    PE_PICKLE_STRING,
    PE_PICKLE_TUPLE,
    PE_PICKLE_LIST,
    PE_PICKLE_DICT,
    PE_PICKLE_GLOBAL,
    PE_PICKLE_CALL,       // `global`(*args), or an object of the class `global`
    PE_PICKLE_PERSISTENT, // persistent id `args`
} PePickleKind;

typedef struct PePickleValue PePickleValue;
struct PePickleValue {
    PePickleKind kind;
    int global;          // GLOBAL, CALL: what find_global() answered
    int64_t integer;     // INT
    size_t length;       // STRING
    const char *text;    // STRING: UTF-8, not terminated, of the pickle's bytes
    const char *name;    // GLOBAL, CALL: "module name", printable
    PePickleValue *args; // CALL: a tuple; PERSISTENT: anything
    PePickleValue *state; // CALL: its attributes, NULL when it was given none
    GPtrArray *items;     // TUPLE, LIST: values; DICT, and a CALL that was
                          // filled like one: key, value, key, ...
};

typedef struct {
    GPtrArray *values;   // owns every value
    GStringChunk *names; // and what they are called
    const PePickleValue *root;
} PePickle;

// Any number >= 0 that stands for "module name", or PE_PICKLE_OPAQUE.
typedef int (*PePickleFindGlobal)(const char *name);

// Messages start with `path`. Returns, pe_pickle_free().
PePickle *pe_pickle_parse(const uint8_t *data, size_t size, const char *path,
                          PePickleFindGlobal find_global, GError **error);
void pe_pickle_free(PePickle *pickle);

// A tuple's, list's or dictionary's values; 0 for anything else.
int pe_pickle_count(const PePickleValue *value);
PePickleValue *pe_pickle_item(const PePickleValue *value, int index);
bool pe_pickle_is_text(const PePickleValue *value, const char *text);
// A dictionary's value of that name, the last one if there are several; NULL
// when there is none.
PePickleValue *pe_pickle_find(const PePickleValue *dict, const char *key);
