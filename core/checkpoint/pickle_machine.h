// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pickle_machine.h - the stack and the memo of pickle's machine. For pickle.c
// alone, which reads the opcodes.
//
// What can fail says so in `error` and returns false or NULL.

#pragma once

#include "pickle.h"

typedef struct {
    const uint8_t *start, *p, *end;
    const char *path;
    PePickleFindGlobal find_global;
    PePickle *pickle;
    GPtrArray *stack; // of PePickleValue, NULL is a mark
    GHashTable *memo; // number -> PePickleValue
    GError **error;
} PeMachine;

// "PATH: data.pkl, byte N: message"
bool pe_machine_fail(PeMachine *m, const char *message);

PePickleValue *pe_machine_push(PeMachine *m, PePickleKind kind);
bool pe_machine_push_mark(PeMachine *m);
// The same value once more.
bool pe_machine_push_again(PeMachine *m, PePickleValue *value);
// The value on top; there is none under a mark.
PePickleValue *pe_machine_top(PeMachine *m);
PePickleValue *pe_machine_pop(PeMachine *m);

// How many values lie above the last mark, which is removed.
bool pe_machine_close_mark(PeMachine *m, guint *n);
// Drop the topmost value, or a mark.
bool pe_machine_drop(PeMachine *m);
// Drop the last mark and all above it.
bool pe_machine_drop_to_mark(PeMachine *m);

// A tuple of the topmost `n` values in their place.
bool pe_machine_make_tuple(PeMachine *m, guint n);
// A value of the kind OTHER in the place of what lies above the last mark.
bool pe_machine_make_other(PeMachine *m);

// Add the topmost `n` values to what lies below them: pairs to a dictionary,
// others to a list. What an opaque object would do with others is not known:
// they are dropped.
bool pe_machine_fill(PeMachine *m, guint n, bool pairs);

// The topmost `n_args` = 1 or 2 values are a call's tuple of arguments and
// perhaps a dictionary of named ones, below them is what is called.
bool pe_machine_call(PeMachine *m, int n_args);
// Attributes for the object below them.
bool pe_machine_set_state(PeMachine *m);
bool pe_machine_push_global(PeMachine *m, const char *module, size_t module_n,
                            const char *name, size_t name_n);

bool pe_machine_keep(PeMachine *m, guint number);
bool pe_machine_recall(PeMachine *m, guint number);
