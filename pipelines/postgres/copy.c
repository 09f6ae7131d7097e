// SPDX-License-Identifier: LGPL-2.1-or-later
//
// copy.c - see copy.h. PostgreSQL's manual has the format ("COPY", Binary
// Format): a header, rows of values with their lengths, and -1. Numbers are
// big-endian.

#include "copy.h"

#include <string.h>

static void
add(GByteArray *copy, const void *data, gsize size)
{
    g_byte_array_append(copy, data, (guint)size);
}

static void
add_int16(GByteArray *copy, gint16 value)
{
    value = GINT16_TO_BE(value);
    add(copy, &value, sizeof value);
}

static void
add_int32(GByteArray *copy, gint32 value)
{
    value = GINT32_TO_BE(value);
    add(copy, &value, sizeof value);
}

static void
add_int64(GByteArray *copy, gint64 value)
{
    value = GINT64_TO_BE(value);
    add(copy, &value, sizeof value);
}

GByteArray *
copy_begin(void)
{
    GByteArray *copy = g_byte_array_new();
    add(copy, "PGCOPY\n\377\r\n\0", 11);
    add_int32(copy, 0); // flags
    add_int32(copy, 0); // bytes of an extension of the header
    return copy;
}

void
copy_end(GByteArray *copy)
{
    add_int16(copy, -1);
}

void
copy_row(GByteArray *copy, int n_values)
{
    add_int16(copy, (gint16)n_values);
}

void
copy_int64(GByteArray *copy, gint64 value)
{
    add_int32(copy, sizeof value);
    add_int64(copy, value);
}

void
copy_double(GByteArray *copy, double value)
{
    gint64 bits;
    memcpy(&bits, &value, sizeof bits);
    copy_int64(copy, bits);
}

void
copy_text(GByteArray *copy, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    gsize size = strlen(valid);
    add_int32(copy, (gint32)size);
    add(copy, valid, size);
}

void
copy_bytes(GByteArray *copy, GBytes *bytes)
{
    gsize size = 0;
    const void *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    add_int32(copy, bytes ? (gint32)size : -1);
    if (size > 0)
        add(copy, data, size);
}

// Its dimension, a zero, and the values.
static void
add_halves(GByteArray *copy, const uint16_t *halves, int dim)
{
    add_int16(copy, (gint16)dim);
    add_int16(copy, 0);
    guint at = copy->len;
    g_byte_array_set_size(copy, at + (guint)dim * sizeof *halves);
    for (int i = 0; i < dim; i++) {
        uint16_t value = GUINT16_TO_BE(halves[i]);
        memcpy(copy->data + at + (guint)i * sizeof value, &value, sizeof value);
    }
}

void
copy_halves(GByteArray *copy, const uint16_t *halves, int dim)
{
    add_int32(copy, (gint32)(4 + (size_t)dim * sizeof *halves));
    add_halves(copy, halves, dim);
}

gboolean
copy_unpack_halves(const void *value, int size, int dim, uint16_t *halves)
{
    const char *bytes = value;
    uint16_t n;
    if (size != 4 + dim * (int)sizeof n)
        return FALSE;
    memcpy(&n, bytes, sizeof n);
    if (GUINT16_FROM_BE(n) != dim)
        return FALSE;
    for (int i = 0; i < dim; i++) {
        memcpy(&n, bytes + 4 + (size_t)i * sizeof n, sizeof n);
        halves[i] = GUINT16_FROM_BE(n);
    }
    return TRUE;
}
