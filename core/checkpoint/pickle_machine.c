// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pickle_machine.c - see pickle_machine.h.
//
// Values may hold each other in circles; nothing here walks them.

#include "pickle_machine.h"

// A whole training state of the largest model takes some 30,000.
#define MAX_VALUES (1 << 20)
#define MAX_STACK (1 << 22)

bool
pe_machine_fail(PeMachine *m, const char *message)
{
    g_set_error(m->error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: data.pkl, byte %zu: %s", m->path,
                (size_t)(m->p - m->start), message);
    return false;
}

// ---- Stack ----------------------------------------------------------------

static bool
add_to_stack(PeMachine *m, PePickleValue *value)
{
    if (m->stack->len >= MAX_STACK)
        return pe_machine_fail(m, "puts more on its stack than any checkpoint");
    g_ptr_array_add(m->stack, value);
    return true;
}

PePickleValue *
pe_machine_push(PeMachine *m, PePickleKind kind)
{
    if (m->pickle->values->len >= MAX_VALUES) {
        pe_machine_fail(m, "has more than a million values, as data saved "
                           "beside a model may: save its state_dict() alone, "
                           "or as safetensors");
        return NULL;
    }
    PePickleValue *value = g_new0(PePickleValue, 1);
    value->kind = kind;
    g_ptr_array_add(m->pickle->values, value);
    return add_to_stack(m, value) ? value : NULL;
}

bool
pe_machine_push_mark(PeMachine *m)
{
    return add_to_stack(m, NULL);
}

bool
pe_machine_push_again(PeMachine *m, PePickleValue *value)
{
    return add_to_stack(m, value);
}

PePickleValue *
pe_machine_top(PeMachine *m)
{
    PePickleValue *value = NULL;
    if (m->stack->len > 0)
        value = g_ptr_array_index(m->stack, m->stack->len - 1);
    if (!value)
        pe_machine_fail(m, "takes a value from an empty stack");
    return value;
}

PePickleValue *
pe_machine_pop(PeMachine *m)
{
    PePickleValue *value = pe_machine_top(m);
    if (value)
        g_ptr_array_set_size(m->stack, (int)m->stack->len - 1);
    return value;
}

bool
pe_machine_drop(PeMachine *m)
{
    if (m->stack->len == 0)
        return pe_machine_fail(m, "takes a value from an empty stack");
    g_ptr_array_set_size(m->stack, (int)m->stack->len - 1);
    return true;
}

bool
pe_machine_close_mark(PeMachine *m, guint *n)
{
    for (guint i = m->stack->len; i-- > 0;) {
        if (!g_ptr_array_index(m->stack, i)) {
            *n = m->stack->len - i - 1;
            g_ptr_array_remove_index(m->stack, i);
            return true;
        }
    }
    return pe_machine_fail(m, "has no mark");
}

bool
pe_machine_drop_to_mark(PeMachine *m)
{
    guint n;
    if (!pe_machine_close_mark(m, &n))
        return false;
    g_ptr_array_set_size(m->stack, (int)(m->stack->len - n));
    return true;
}

// ---- Containers -----------------------------------------------------------

static bool
has_values(const PeMachine *m, guint n)
{
    if (n > m->stack->len)
        return false;
    for (guint i = m->stack->len - n; i < m->stack->len; i++) {
        if (!g_ptr_array_index(m->stack, i))
            return false;
    }
    return true;
}

// Add the topmost `n` values of the stack to `value` and drop them.
static void
collect(PeMachine *m, PePickleValue *value, guint n)
{
    guint first = m->stack->len - n;
    if (!value->items)
        value->items = g_ptr_array_new();
    for (guint i = first; i < m->stack->len; i++)
        g_ptr_array_add(value->items, g_ptr_array_index(m->stack, i));
    g_ptr_array_set_size(m->stack, (int)first);
}

bool
pe_machine_make_tuple(PeMachine *m, guint n)
{
    if (!has_values(m, n))
        return pe_machine_fail(m, "makes a tuple of too few values");
    PePickleValue *tuple = pe_machine_push(m, PE_PICKLE_TUPLE);
    if (!tuple)
        return false;
    g_ptr_array_set_size(m->stack, (int)m->stack->len - 1);
    collect(m, tuple, n);
    g_ptr_array_add(m->stack, tuple);
    return true;
}

bool
pe_machine_make_other(PeMachine *m)
{
    return pe_machine_drop_to_mark(m) && pe_machine_push(m, PE_PICKLE_OTHER);
}

bool
pe_machine_fill(PeMachine *m, guint n, bool pairs)
{
    PePickleValue *target =
        m->stack->len > n ? g_ptr_array_index(m->stack, m->stack->len - n - 1)
                          : NULL;
    PePickleKind wanted = pairs ? PE_PICKLE_DICT : PE_PICKLE_LIST;
    if (!target || !has_values(m, n) || (pairs && n % 2 != 0) ||
        (target->kind != wanted && target->kind != PE_PICKLE_CALL &&
         target->kind != PE_PICKLE_OTHER))
        return pe_machine_fail(m, pairs
                                      ? "fills something that is no dictionary"
                                      : "fills something that is no list");
    if (target->kind == wanted || (pairs && target->kind == PE_PICKLE_CALL))
        collect(m, target, n);
    else
        g_ptr_array_set_size(m->stack, (int)(m->stack->len - n));
    return true;
}

// ---- Objects --------------------------------------------------------------

bool
pe_machine_call(PeMachine *m, int n_args)
{
    PePickleValue *args = pe_machine_pop(m);
    if (args && n_args == 2) // the named ones are nothing that anybody asks for
        args = pe_machine_pop(m);
    PePickleValue *callee = args ? pe_machine_pop(m) : NULL;
    if (!callee)
        return false;
    if (args->kind != PE_PICKLE_TUPLE)
        return pe_machine_fail(m, "calls something with no tuple");
    // Python may call what it has just built; what that is, nobody knows here.
    bool known = callee->kind == PE_PICKLE_GLOBAL;
    if (!known && callee->kind != PE_PICKLE_CALL &&
        callee->kind != PE_PICKLE_OTHER)
        return pe_machine_fail(m, "calls something that is no function");
    PePickleValue *value = pe_machine_push(m, PE_PICKLE_CALL);
    if (!value)
        return false;
    value->global = known ? callee->global : PE_PICKLE_OPAQUE;
    value->name = callee->name ? callee->name : "an object";
    value->args = args;
    return true;
}

bool
pe_machine_set_state(PeMachine *m)
{
    PePickleValue *state = pe_machine_pop(m);
    PePickleValue *object = state ? pe_machine_top(m) : NULL;
    if (object && object->kind == PE_PICKLE_CALL)
        object->state = state;
    return object != NULL;
}

bool
pe_machine_push_global(PeMachine *m, const char *module, size_t module_n,
                       const char *name, size_t name_n)
{
    g_autofree char *full =
        g_strdup_printf("%.*s %.*s", (int)module_n, module, (int)name_n, name);
    g_autofree char *printable = g_strescape(full, NULL);
    PePickleValue *value = pe_machine_push(m, PE_PICKLE_GLOBAL);
    if (!value)
        return false;
    value->global = m->find_global(full);
    value->name = g_string_chunk_insert_const(m->pickle->names, printable);
    return true;
}

// ---- Memo -----------------------------------------------------------------

bool
pe_machine_keep(PeMachine *m, guint number)
{
    PePickleValue *value = pe_machine_top(m);
    if (value)
        g_hash_table_insert(m->memo, GUINT_TO_POINTER(number), value);
    return value != NULL;
}

bool
pe_machine_recall(PeMachine *m, guint number)
{
    PePickleValue *value =
        g_hash_table_lookup(m->memo, GUINT_TO_POINTER(number));
    if (!value)
        return pe_machine_fail(m, "recalls a value that it never kept");
    return pe_machine_push_again(m, value);
}
