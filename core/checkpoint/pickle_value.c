// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pickle_value.c - what a value of a pickle holds.

#include <string.h>

#include "pickle.h"

int
pe_pickle_count(const PePickleValue *value)
{
    return value->items ? (int)value->items->len : 0;
}

PePickleValue *
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

PePickleValue *
pe_pickle_find(const PePickleValue *dict, const char *key)
{
    for (int i = pe_pickle_count(dict) - 2; i >= 0; i -= 2) {
        if (pe_pickle_is_text(pe_pickle_item(dict, i), key))
            return pe_pickle_item(dict, i + 1);
    }
    return NULL;
}
