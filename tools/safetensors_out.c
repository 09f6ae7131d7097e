// SPDX-License-Identifier: LGPL-2.1-or-later
//
// safetensors_out.c - see safetensors_out.h.

#include "safetensors_out.h"

#include <string.h>

#include "json_line.h"
#include "program_output.h"

struct SafetensorsOut {
    PeModel *model;
    int dim;
    GArray *values; // float [n, dim]
    GString *items; // JSON objects, separated by commas
};

SafetensorsOut *
safetensors_out_new(PeModel *model, int dim)
{
    SafetensorsOut *out = g_new(SafetensorsOut, 1);
    out->model = pe_model_ref(model);
    out->dim = dim;
    out->values = g_array_new(FALSE, FALSE, sizeof(float));
    out->items = g_string_new(NULL);
    return out;
}

void
safetensors_out_free(SafetensorsOut *out)
{
    pe_model_unref(out->model);
    g_array_unref(out->values);
    g_string_free(out->items, TRUE);
    g_free(out);
}

void
safetensors_out_add(SafetensorsOut *out, const char *type, const char *name,
                    const float *embedding)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "type", type);
    json_line_string(&j, "name", name);
    g_autofree char *item = json_line_steal(&j);
    if (out->items->len > 0)
        g_string_append(out->items, ", ");
    g_string_append(out->items, item);
    g_array_append_vals(out->values, embedding, (guint)out->dim);
}

// The header, padded with spaces so that the data is 8-byte aligned.
static GString *
make_header(const SafetensorsOut *out)
{
    JsonLine meta;
    g_autofree char *items = g_strdup_printf("[%s]", out->items->str);
    json_line_begin(&meta);
    json_line_string(&meta, "model", pe_model_get_name(out->model));
    json_line_string(&meta, "model_fingerprint",
                     pe_model_get_fingerprint(out->model));
    json_line_string(&meta, "normalized", "true");
    json_line_string(&meta, "items", items);
    g_autofree char *metadata = json_line_steal(&meta);

    GString *header = g_string_new(NULL);
    g_string_printf(header,
                    "{\"__metadata__\": %s, \"embeddings\": {\"dtype\": "
                    "\"F32\", \"shape\": [%u, %d], \"data_offsets\": [0, "
                    "%" G_GSIZE_FORMAT "]}}",
                    metadata, out->values->len / (guint)out->dim, out->dim,
                    out->values->len * sizeof(float));
    while (header->len % 8 != 0)
        g_string_append_c(header, ' ');
    return header;
}

bool
safetensors_out_write(const SafetensorsOut *out, const char *path,
                      GError **error)
{
    g_autoptr(GString) header = make_header(out);
    g_autoptr(GByteArray) file = g_byte_array_new();
    guint64 size = GUINT64_TO_LE((guint64)header->len);
    g_byte_array_append(file, (const guint8 *)&size, sizeof size);
    g_byte_array_append(file, (const guint8 *)header->str, (guint)header->len);
    g_byte_array_append(file, (const guint8 *)out->values->data,
                        out->values->len * (guint)sizeof(float));
    return program_output_write(path, (const char *)file->data,
                                (gssize)file->len, error);
}
