// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pickle.c - reads the opcodes of pickle protocols 2 to 5, those that CPython
// writes. Called by torch_zip.c.
//
// Source: CPython Lib/pickletools.py (the meaning of the opcodes).

#include "pickle.h"

#include <string.h>

#include "pickle_machine.h"

#define MAX_GLOBAL_NAME 256

// ---- Arguments ------------------------------------------------------------

static const uint8_t *
take(PeMachine *m, uint64_t n)
{
    if ((uint64_t)(m->end - m->p) < n) {
        pe_machine_fail(m, "ends too early");
        return NULL;
    }
    m->p += n;
    return m->p - n;
}

// A little-endian number of `n` <= 8 bytes.
static bool
take_number(PeMachine *m, int n, uint64_t *number)
{
    const uint8_t *p = take(m, (uint64_t)n);
    if (!p)
        return false;
    *number = 0;
    for (int i = n - 1; i >= 0; i--)
        *number = *number << 8 | p[i];
    return true;
}

// Bytes behind their number, which has `n` bytes.
static const uint8_t *
take_counted(PeMachine *m, int n, uint64_t *length)
{
    return take_number(m, n, length) ? take(m, *length) : NULL;
}

// Up to the next end of line, which is skipped.
static const char *
take_line(PeMachine *m, size_t *length)
{
    const uint8_t *start = m->p;
    const uint8_t *stop =
        memchr(start, '\n', MIN((size_t)(m->end - start), MAX_GLOBAL_NAME));
    if (!stop) {
        pe_machine_fail(m, "has a broken global");
        return NULL;
    }
    m->p = stop + 1;
    *length = (size_t)(stop - start);
    return (const char *)start;
}

// ---- Values ---------------------------------------------------------------

static bool
push_other(PeMachine *m, uint64_t skipped_bytes)
{
    return take(m, skipped_bytes) && pe_machine_push(m, PE_PICKLE_OTHER);
}

static bool
push_int(PeMachine *m, int64_t integer)
{
    PePickleValue *value = pe_machine_push(m, PE_PICKLE_INT);
    if (value)
        value->integer = integer;
    return value != NULL;
}

static bool
read_int(PeMachine *m, int n)
{
    uint64_t number;
    if (!take_number(m, n, &number))
        return false;
    return push_int(m, n == 4 ? (int32_t)number : (int64_t)number);
}

// Those that do not fit an int64 are nothing that a tensor is made of.
static bool
read_long(PeMachine *m, int n_length)
{
    uint64_t n, number;
    if (!take_number(m, n_length, &n))
        return false;
    if (n > 8)
        return push_other(m, n);
    if (!take_number(m, (int)n, &number))
        return false;
    if (n > 0 && n < 8 && number >> (8 * n - 1))
        number |= UINT64_MAX << (8 * n);
    return push_int(m, (int64_t)number);
}

// Python keeps names of files that are not UTF-8 as lone surrogates: those are
// nothing that a tensor is called.
static bool
read_string(PeMachine *m, int n_length)
{
    uint64_t length;
    const uint8_t *text = take_counted(m, n_length, &length);
    if (!text)
        return false;
    bool valid = g_utf8_validate_len((const char *)text, (size_t)length, NULL);
    PePickleValue *value =
        pe_machine_push(m, valid ? PE_PICKLE_STRING : PE_PICKLE_OTHER);
    if (!value)
        return false;
    value->text = (const char *)text;
    value->length = (size_t)length;
    return true;
}

static bool
read_bytes(PeMachine *m, int n_length)
{
    uint64_t length;
    return take_counted(m, n_length, &length) &&
           pe_machine_push(m, PE_PICKLE_OTHER);
}

// ---- Objects --------------------------------------------------------------

// Two lines: module, name.
static bool
read_global(PeMachine *m)
{
    size_t module_n = 0, name_n = 0;
    const char *module = take_line(m, &module_n);
    const char *name = module ? take_line(m, &name_n) : NULL;
    return name && pe_machine_push_global(m, module, module_n, name, name_n);
}

// The same from the stack.
static bool
take_global(PeMachine *m)
{
    const PePickleValue *name = pe_machine_pop(m);
    const PePickleValue *module = name ? pe_machine_pop(m) : NULL;
    if (!module)
        return false;
    if (name->kind != PE_PICKLE_STRING || module->kind != PE_PICKLE_STRING ||
        name->length > MAX_GLOBAL_NAME || module->length > MAX_GLOBAL_NAME)
        return pe_machine_fail(m, "has a broken global");
    return pe_machine_push_global(m, module->text, module->length, name->text,
                                  name->length);
}

static bool
record_persistent(PeMachine *m)
{
    PePickleValue *args = pe_machine_pop(m);
    PePickleValue *value =
        args ? pe_machine_push(m, PE_PICKLE_PERSISTENT) : NULL;
    if (value)
        value->args = args;
    return value != NULL;
}

// ---- Opcodes --------------------------------------------------------------

static bool
make_marked_tuple(PeMachine *m)
{
    guint n;
    return pe_machine_close_mark(m, &n) && pe_machine_make_tuple(m, n);
}

static bool
fill_marked(PeMachine *m, bool pairs)
{
    guint n;
    return pe_machine_close_mark(m, &n) && pe_machine_fill(m, n, pairs);
}

static bool
memo_put(PeMachine *m, int n)
{
    uint64_t number;
    return take_number(m, n, &number) && pe_machine_keep(m, (guint)number);
}

static bool
memo_get(PeMachine *m, int n)
{
    uint64_t number;
    return take_number(m, n, &number) && pe_machine_recall(m, (guint)number);
}

static bool
push_top_again(PeMachine *m)
{
    PePickleValue *value = pe_machine_top(m);
    return value && pe_machine_push_again(m, value);
}

// Numbers, texts and bytes. `known` is false for any other opcode.
static bool
step_scalar(PeMachine *m, int opcode, bool *known)
{
    switch (opcode) {
    case 'N':
    case 0x88: // True
    case 0x89: // False
        return push_other(m, 0);
    case 'G': // float
        return push_other(m, 8);
    case 'K':
        return read_int(m, 1);
    case 'M':
        return read_int(m, 2);
    case 'J':
        return read_int(m, 4);
    case 0x8a:
        return read_long(m, 1);
    case 0x8b:
        return read_long(m, 4);
    case 'U':  // bytes of Python 2, its texts
    case 0x8c: // short texts since protocol 4
        return read_string(m, 1);
    case 'T':
    case 'X':
        return read_string(m, 4);
    case 0x8d:
        return read_string(m, 8);
    case 'C':
        return read_bytes(m, 1);
    case 'B':
        return read_bytes(m, 4);
    case 0x8e:
    case 0x96: // bytearray
        return read_bytes(m, 8);
    default:
        *known = false;
        return false;
    }
}

static bool
step_container(PeMachine *m, int opcode, bool *known)
{
    switch (opcode) {
    case '}':
        return pe_machine_push(m, PE_PICKLE_DICT);
    case ']':
        return pe_machine_push(m, PE_PICKLE_LIST);
    case ')':
        return pe_machine_push(m, PE_PICKLE_TUPLE);
    case 0x8f: // set
        return pe_machine_push(m, PE_PICKLE_OTHER);
    case 0x91: // frozenset
        return pe_machine_make_other(m);
    case 't':
        return make_marked_tuple(m);
    case 0x85:
    case 0x86:
    case 0x87:
        return pe_machine_make_tuple(m, (guint)opcode - 0x84);
    case 'a':
        return pe_machine_fill(m, 1, false);
    case 'e':
    case 0x90: // to a set
        return fill_marked(m, false);
    case 's':
        return pe_machine_fill(m, 2, true);
    case 'u':
        return fill_marked(m, true);
    default:
        *known = false;
        return false;
    }
}

static bool
step_object(PeMachine *m, int opcode, bool *known)
{
    switch (opcode) {
    case 'c':
        return read_global(m);
    case 0x93:
        return take_global(m);
    case 'R':
    case 0x81: // an object of a class, made without its constructor
        return pe_machine_call(m, 1);
    case 0x92:
        return pe_machine_call(m, 2);
    case 'b':
        return pe_machine_set_state(m);
    case 'Q':
        return record_persistent(m);
    case 0x82: // numbers of a registry of classes
        return push_other(m, 1);
    case 0x83:
        return push_other(m, 2);
    case 0x84:
        return push_other(m, 4);
    default:
        *known = false;
        return false;
    }
}

static bool
step_stack(PeMachine *m, int opcode, bool *known)
{
    switch (opcode) {
    case '(':
        return pe_machine_push_mark(m);
    case '0':
        return pe_machine_drop(m);
    case '1':
        return pe_machine_drop_to_mark(m);
    case '2':
        return push_top_again(m);
    case 'q':
        return memo_put(m, 1);
    case 'r':
        return memo_put(m, 4);
    case 0x94:
        return pe_machine_keep(m, g_hash_table_size(m->memo));
    case 'h':
        return memo_get(m, 1);
    case 'j':
        return memo_get(m, 4);
    case 0x95: // a frame's length: a hint for who reads a stream
        return take(m, 8);
    default:
        *known = false;
        return false;
    }
}

// Everything but PROTO and STOP.
static bool
step(PeMachine *m, int opcode)
{
    static bool (*const groups[])(PeMachine *, int, bool *) = {
        step_scalar, step_stack, step_container, step_object};
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        bool known = true;
        bool ok = groups[i](m, opcode, &known);
        if (known)
            return ok;
    }
    g_autofree char *message = g_strdup_printf(
        "refuses the pickle opcode 0x%02x, which torch.save() never writes",
        opcode);
    return pe_machine_fail(m, message);
}

static bool
run(PeMachine *m)
{
    const uint8_t *p = take(m, 2);
    if (!p)
        return false;
    if (p[0] != 0x80 || p[1] < 2 || p[1] > 5)
        return pe_machine_fail(m, "is not a pickle of the protocols 2 to 5; "
                                  "torch.save() writes 2 unless told "
                                  "otherwise");
    while ((p = take(m, 1))) {
        if (*p == '.') {
            m->pickle->root = pe_machine_pop(m);
            return m->pickle->root != NULL;
        }
        if (!step(m, *p))
            return false;
    }
    return false;
}

// ---- From outside ---------------------------------------------------------

static void
free_value(void *data)
{
    PePickleValue *value = data;
    if (value->items)
        g_ptr_array_unref(value->items);
    g_free(value);
}

PePickle *
pe_pickle_parse(const uint8_t *data, size_t size, const char *path,
                PePickleFindGlobal find_global, GError **error)
{
    PePickle *pickle = g_new0(PePickle, 1);
    pickle->values = g_ptr_array_new_with_free_func(free_value);
    pickle->names = g_string_chunk_new(1024);
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_autoptr(GHashTable) memo = g_hash_table_new(NULL, NULL);
    PeMachine m = {data,   data,  data + size, path, find_global,
                   pickle, stack, memo,        error};
    if (!run(&m)) {
        pe_pickle_free(pickle);
        return NULL;
    }
    return pickle;
}

void
pe_pickle_free(PePickle *pickle)
{
    if (!pickle)
        return;
    g_ptr_array_unref(pickle->values);
    g_string_chunk_free(pickle->names);
    g_free(pickle);
}
