// SPDX-License-Identifier: LGPL-2.1-or-later
//
// probe.c - see probe.h.

#include "probe.h"

#define SIDE 64 // pixels

static const char *const texts[] = {"a red circle", "a view at night"};

// Areas of several colours with an edge in each direction, and a gradient.
// Archives hold what it gives, so it must never change.
static void
draw(uint8_t *pixels)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            uint8_t *p = pixels + 3 * (y * SIDE + x);
            int dx = x - 40, dy = y - 36;
            bool inside = dx * dx + dy * dy < 18 * 18;
            p[0] = inside ? 220 : (uint8_t)(2 * x + y);
            p[1] = inside ? 30 : (uint8_t)(y < 32 ? 140 : 90 - y / 2);
            p[2] = inside ? 40 : (uint8_t)(255 - 3 * y);
        }
    }
}

float *
probe_embed(PeEngine *engine, const PeTokenizer *tokenizer, int *n_probes,
            GError **error)
{
    int dim = pe_engine_get_dim(engine);
    bool has_texts =
        tokenizer && pe_model_get_text(pe_engine_get_model(engine)) != NULL;
    int n_texts = has_texts ? (int)G_N_ELEMENTS(texts) : 0;
    g_autofree uint8_t *pixels = g_malloc(3 * SIDE * SIDE);
    float *out = g_new(float, (size_t)(1 + n_texts) * (size_t)dim);
    draw(pixels);
    PeFrame frame = {
        .format = PE_FORMAT_RGB,
        .width = SIDE,
        .height = SIDE,
        .planes = {pixels},
        .strides = {3 * SIDE},
    };
    if (!pe_engine_embed_frames(engine, &frame, 1, out, error) ||
        (n_texts > 0 && !pe_engine_embed_texts(engine, tokenizer, texts,
                                               n_texts, out + dim, error))) {
        g_free(out);
        return NULL;
    }
    for (int i = 0; i < 1 + n_texts; i++)
        pe_embedding_normalize(out + i * dim, dim);
    *n_probes = 1 + n_texts;
    return out;
}
