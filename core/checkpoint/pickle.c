// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pickle.c - the stack machine of pickle protocol 2, as far as torch.save()
// uses it. Called by torch_zip.c.
//
// Values may hold each other in circles; nothing here or in the caller walks
// them without a bound.
// Source: CPython Lib/pickletools.py (the meaning of the opcodes).

#include "pickle.h"

#include <string.h>

// A whole training state of the largest model takes some 30,000.
#define MAX_VALUES (1 << 20)
#define MAX_GLOBAL_NAME 256

typedef struct {
    const uint8_t *start, *p, *end;
    const char *path;
    PePickleFindGlobal find_global;
    PePickle *pickle;
    GPtrArray *stack; // of PePickleValue, NULL is a mark
    GHashTable *memo; // number -> PePickleValue
    GError **error;
} Machine;

static bool
fail(Machine *m, const char *message)
{
    g_set_error(m->error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: data.pkl, byte %zu: %s", m->path,
                (size_t)(m->p - m->start), message);
    return false;
}

static const uint8_t *
take(Machine *m, size_t n)
{
    if ((size_t)(m->end - m->p) < n) {
        fail(m, "ends too early");
        return NULL;
    }
    m->p += n;
    return m->p - n;
}

// A little-endian number of `n` <= 8 bytes.
static bool
take_number(Machine *m, int n, uint64_t *number)
{
    const uint8_t *p = take(m, (size_t)n);
    if (!p)
        return false;
    *number = 0;
    for (int i = n - 1; i >= 0; i--)
        *number = *number << 8 | p[i];
    return true;
}

static void
free_value(void *data)
{
    PePickleValue *value = data;
    if (value->items)
        g_ptr_array_unref(value->items);
    g_free(value);
}

static PePickleValue *
push(Machine *m, PePickleKind kind)
{
    if (m->pickle->values->len >= MAX_VALUES) {
        fail(m, "has more values than any checkpoint");
        return NULL;
    }
    PePickleValue *value = g_new0(PePickleValue, 1);
    value->kind = kind;
    g_ptr_array_add(m->pickle->values, value);
    g_ptr_array_add(m->stack, value);
    return value;
}

static bool
push_int(Machine *m, int64_t integer)
{
    PePickleValue *value = push(m, PE_PICKLE_INT);
    if (value)
        value->integer = integer;
    return value != NULL;
}

// The value on top; NULL with an error when there is none or a mark.
static PePickleValue *
top(Machine *m)
{
    PePickleValue *value = NULL;
    if (m->stack->len > 0)
        value = g_ptr_array_index(m->stack, m->stack->len - 1);
    if (!value)
        fail(m, "takes a value from an empty stack");
    return value;
}

static PePickleValue *
pop(Machine *m)
{
    PePickleValue *value = top(m);
    if (value)
        g_ptr_array_set_size(m->stack, (int)m->stack->len - 1);
    return value;
}

// Add the topmost `n` values of the stack to `value` and drop them.
static bool
collect(Machine *m, PePickleValue *value, guint n)
{
    guint first = m->stack->len - n;
    if (!value->items)
        value->items = g_ptr_array_new();
    for (guint i = first; i < m->stack->len; i++)
        g_ptr_array_add(value->items, g_ptr_array_index(m->stack, i));
    g_ptr_array_set_size(m->stack, (int)first);
    return true;
}

// How many values lie above the last mark; the mark is removed.
static bool
close_mark(Machine *m, guint *n)
{
    for (guint i = m->stack->len; i-- > 0;) {
        if (!g_ptr_array_index(m->stack, i)) {
            *n = m->stack->len - i - 1;
            g_ptr_array_remove_index(m->stack, i);
            return true;
        }
    }
    return fail(m, "has no mark");
}

// A tuple of the topmost `n` values.
static bool
make_tuple(Machine *m, guint n)
{
    guint first = m->stack->len - n;
    for (guint i = 0; i < n; i++) {
        if (n > m->stack->len || !g_ptr_array_index(m->stack, first + i))
            return fail(m, "makes a tuple of too few values");
    }
    PePickleValue *tuple = push(m, PE_PICKLE_TUPLE);
    if (!tuple)
        return false;
    g_ptr_array_set_size(m->stack, (int)m->stack->len - 1);
    collect(m, tuple, n);
    g_ptr_array_add(m->stack, tuple);
    return true;
}

static bool
make_marked_tuple(Machine *m)
{
    guint n;
    return close_mark(m, &n) && make_tuple(m, n);
}

// Add the topmost `n` values to the list or dictionary below them.
static bool
fill(Machine *m, guint n, bool pairs)
{
    PePickleValue *target =
        m->stack->len > n ? g_ptr_array_index(m->stack, m->stack->len - n - 1)
                          : NULL;
    bool fits = target && (pairs ? target->kind == PE_PICKLE_DICT ||
                                       target->kind == PE_PICKLE_CALL
                                 : target->kind == PE_PICKLE_LIST);
    for (guint i = 0; fits && i < n; i++)
        fits = g_ptr_array_index(m->stack, m->stack->len - 1 - i) != NULL;
    if (!fits || (pairs && n % 2 != 0))
        return fail(m, pairs ? "fills something that is no dictionary"
                             : "fills something that is no list");
    return collect(m, target, n);
}

static bool
fill_marked(Machine *m, bool pairs)
{
    guint n;
    return close_mark(m, &n) && fill(m, n, pairs);
}

static bool
read_global(Machine *m)
{
    // Two lines: module, name.
    const uint8_t *start = m->p;
    const uint8_t *middle =
        memchr(start, '\n', MIN((size_t)(m->end - start), MAX_GLOBAL_NAME));
    const uint8_t *stop =
        middle ? memchr(middle + 1, '\n',
                        MIN((size_t)(m->end - middle - 1), MAX_GLOBAL_NAME))
               : NULL;
    if (!stop)
        return fail(m, "has a broken global");
    g_autofree char *module = g_strndup((const char *)start, middle - start);
    g_autofree char *name =
        g_strndup((const char *)middle + 1, stop - middle - 1);
    g_autofree char *full = g_strdup_printf("%s %s", module, name);
    int global = m->find_global(full);
    if (global < 0) {
        g_autofree char *safe = g_strescape(full, NULL);
        g_autofree char *message = g_strdup_printf(
            "refuses the Python object '%s': only dictionaries of tensors are "
            "read; save model.state_dict() alone",
            safe);
        return fail(m, message);
    }
    m->p = stop + 1;
    PePickleValue *value = push(m, PE_PICKLE_GLOBAL);
    if (value)
        value->global = global;
    return value != NULL;
}

static bool
read_string(Machine *m)
{
    uint64_t length;
    const uint8_t *text;
    if (!take_number(m, 4, &length) || !(text = take(m, (size_t)length)))
        return false;
    if (!g_utf8_validate_len((const char *)text, (size_t)length, NULL))
        return fail(m, "has a string that is not UTF-8");
    PePickleValue *value = push(m, PE_PICKLE_STRING);
    if (!value)
        return false;
    value->text = (const char *)text;
    value->length = (size_t)length;
    return true;
}

// A long of up to 255 bytes; those that do not fit an int64 are nothing that a
// tensor is made of.
static bool
read_long(Machine *m)
{
    uint64_t n, number;
    if (!take_number(m, 1, &n))
        return false;
    if (n > 8)
        return take(m, (size_t)n) && push(m, PE_PICKLE_OTHER);
    if (!take_number(m, (int)n, &number))
        return false;
    if (n > 0 && n < 8 && number >> (8 * n - 1))
        number |= UINT64_MAX << (8 * n);
    return push_int(m, (int64_t)number);
}

static bool
read_int(Machine *m, int n)
{
    uint64_t number;
    if (!take_number(m, n, &number))
        return false;
    return push_int(m, n == 4 ? (int32_t)number : (int64_t)number);
}

static bool
record_call(Machine *m)
{
    PePickleValue *args = pop(m);
    PePickleValue *callee = args ? pop(m) : NULL;
    if (!callee)
        return false;
    if (callee->kind != PE_PICKLE_GLOBAL || args->kind != PE_PICKLE_TUPLE)
        return fail(m, "calls something that is no function");
    PePickleValue *value = push(m, PE_PICKLE_CALL);
    if (!value)
        return false;
    value->global = callee->global;
    value->args = args;
    return true;
}

static bool
record_persistent(Machine *m)
{
    PePickleValue *args = pop(m);
    PePickleValue *value = args ? push(m, PE_PICKLE_PERSISTENT) : NULL;
    if (value)
        value->args = args;
    return value != NULL;
}

// Attributes of an object (a state dict's _metadata): not needed.
static bool
skip_state(Machine *m)
{
    return pop(m) && top(m);
}

static bool
memo_put(Machine *m, int n)
{
    uint64_t number;
    PePickleValue *value = take_number(m, n, &number) ? top(m) : NULL;
    if (value)
        g_hash_table_insert(m->memo, GUINT_TO_POINTER((guint)number), value);
    return value != NULL;
}

static bool
memo_get(Machine *m, int n)
{
    uint64_t number;
    if (!take_number(m, n, &number))
        return false;
    PePickleValue *value =
        g_hash_table_lookup(m->memo, GUINT_TO_POINTER((guint)number));
    if (!value)
        return fail(m, "recalls a value that it never kept");
    g_ptr_array_add(m->stack, value);
    return true;
}

static bool
refuse(Machine *m, int opcode)
{
    g_autofree char *message = g_strdup_printf(
        "refuses the pickle opcode 0x%02x: torch.save() writes no such thing "
        "for a dictionary of tensors",
        opcode);
    return fail(m, message);
}

// Everything but PROTO and STOP.
static bool
step(Machine *m, int opcode)
{
    switch (opcode) {
    case '(':
        g_ptr_array_add(m->stack, NULL);
        return true;
    case '}':
        return push(m, PE_PICKLE_DICT);
    case ']':
        return push(m, PE_PICKLE_LIST);
    case ')':
        return push(m, PE_PICKLE_TUPLE);
    case 'N':
    case 0x88: // True
    case 0x89: // False
        return push(m, PE_PICKLE_OTHER);
    case 'G': // float
        return take(m, 8) && push(m, PE_PICKLE_OTHER);
    case 'K':
        return read_int(m, 1);
    case 'M':
        return read_int(m, 2);
    case 'J':
        return read_int(m, 4);
    case 0x8a:
        return read_long(m);
    case 'X':
        return read_string(m);
    case 't':
        return make_marked_tuple(m);
    case 0x85:
    case 0x86:
    case 0x87:
        return make_tuple(m, (guint)opcode - 0x84);
    case 'a':
        return fill(m, 1, false);
    case 'e':
        return fill_marked(m, false);
    case 's':
        return fill(m, 2, true);
    case 'u':
        return fill_marked(m, true);
    case 'c':
        return read_global(m);
    case 'R':
        return record_call(m);
    case 'b':
        return skip_state(m);
    case 'Q':
        return record_persistent(m);
    case 'q':
        return memo_put(m, 1);
    case 'r':
        return memo_put(m, 4);
    case 'h':
        return memo_get(m, 1);
    case 'j':
        return memo_get(m, 4);
    default:
        return refuse(m, opcode);
    }
}

static bool
run(Machine *m)
{
    const uint8_t *p = take(m, 2);
    if (!p)
        return false;
    if (p[0] != 0x80 || p[1] != 2)
        return fail(m, "is not a pickle of protocol 2, which torch.save() "
                       "writes unless told otherwise");
    while ((p = take(m, 1))) {
        if (*p == '.') {
            m->pickle->root = pop(m);
            return m->pickle->root != NULL;
        }
        if (!step(m, *p))
            return false;
    }
    return false;
}

PePickle *
pe_pickle_parse(const uint8_t *data, size_t size, const char *path,
                PePickleFindGlobal find_global, GError **error)
{
    PePickle *pickle = g_new0(PePickle, 1);
    pickle->values = g_ptr_array_new_with_free_func(free_value);
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_autoptr(GHashTable) memo = g_hash_table_new(NULL, NULL);
    Machine m = {data,   data,  data + size, path, find_global,
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
    g_free(pickle);
}

int
pe_pickle_count(const PePickleValue *value)
{
    return value->items ? (int)value->items->len : 0;
}

const PePickleValue *
pe_pickle_item(const PePickleValue *value, int index)
{
    return g_ptr_array_index(value->items, index);
}

bool
pe_pickle_is_text(const PePickleValue *value, const char *text)
{
    return value->kind == PE_PICKLE_STRING && value->length == strlen(text) &&
           memcmp(value->text, text, value->length) == 0;
}
