// SPDX-License-Identifier: LGPL-2.1-or-later
//
// known_answer.c - a picture and two texts made by a formula go through the
// first layers of the towers on a device and on the plain C operations. The
// model's own weights are used, so the shapes are those that matter; the cut
// depth and a 4 x 4 grid keep it far below a second for every published model.
// The full check then takes them through all layers, on the device alone.

#include "known_answer.h"

#include "text.h"
#include "vision.h"

#include <limits.h>
#include <math.h>

#define GRID 4 // patches along a side
#define N_TEXTS 2
#define ALL_LAYERS INT_MAX

// What rounding of the activations may cost. With bf16, two layers and the pool
// of the published shapes lose 1e-5 of the cosine (measured with random
// weights); a hundred times that is allowed.
static double
limit_for(PePrecision precision)
{
    switch (precision) {
    case PE_PRECISION_FP32:
        return 0.99999;
    case PE_PRECISION_INT8:
        return 0.995;
    case PE_PRECISION_FP8:
        return 0.99;
    default:
        return 0.999;
    }
}

// Waves of another length in every channel, within [-1, 1].
//   returns  [3, size, size]
static float *
make_picture(int size)
{
    float *pixels = g_new(float, 3 * (size_t)size * (size_t)size);
    float *p = pixels;
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < size; y++) {
            for (int x = 0; x < size; x++)
                *p++ = 0.6f * sinf(0.13f * (float)((c + 1) * x + 2 * y)) +
                       0.4f * cosf(0.71f * (float)(x - (c + 2) * y));
        }
    }
    return pixels;
}

// Fixed ids: start, some words, end, then padding. The two largest ids are
// start and end, as in the CLIP vocabulary.
//   returns  [N_TEXTS, context]
static int *
make_texts(const PeTextConfig *text)
{
    int context = text->context_length;
    int *ids = g_new0(int, (size_t)(N_TEXTS * context));
    for (int t = 0; t < N_TEXTS; t++) {
        int *row = ids + t * context;
        int n = MIN(context, 5 + 4 * t);
        for (int i = 0; i < n; i++)
            row[i] = (320 + 97 * i + 31 * t) % MAX(text->vocab_size - 2, 1);
        row[0] = text->vocab_size - 2;
        row[n - 1] = text->vocab_size - 1;
    }
    return ids;
}

// Floats that pe_vision_embed_pixels() writes for one picture.
static size_t
picture_outputs(const PeVisionConfig *v)
{
    int tokens = GRID * GRID + v->cls_token;
    return v->output_dim > 0 ? (size_t)v->output_dim
                             : (size_t)tokens * (size_t)v->width;
}

static bool
embed_picture(PeBackend *be, const PeModel *model, int layers, float *out,
              GError **error)
{
    const PeVisionConfig *v = pe_model_get_vision(model);
    int size = GRID * v->patch_size;
    PeTowerParams params = {
        .max_batch = 1,
        .max_tokens = GRID * GRID + v->cls_token,
        .max_layers = MIN(layers, v->layers),
    };
    PeVision *tower = pe_vision_new(be, model, &params, error);
    if (!tower)
        return false;
    g_autofree float *pixels = make_picture(size);
    bool ok = pe_vision_embed_pixels(tower, pixels, 1, size, size, out, error);
    pe_vision_free(tower);
    return ok;
}

static bool
embed_texts(PeBackend *be, const PeModel *model, int layers, float *out,
            GError **error)
{
    const PeTextConfig *text = pe_model_get_text(model);
    PeTowerParams params = {
        .max_batch = N_TEXTS,
        .max_layers = MIN(layers, text->layers),
    };
    PeText *tower = pe_text_new(be, model, &params, error);
    if (!tower)
        return false;
    g_autofree int *ids = make_texts(text);
    bool ok =
        pe_text_embed(tower, ids, N_TEXTS, text->context_length, out, error);
    pe_text_free(tower);
    return ok;
}

// Cosine of a and b [n]; NaN anywhere makes it NaN. *max_abs grows to the
// largest difference between the unit vectors.
static double
compare(const float *a, const float *b, size_t n, double *max_abs)
{
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
        ab += (double)a[i] * b[i];
    }
    double na = sqrt(aa), nb = sqrt(bb);
    if (!(na > 0 && nb > 0))
        return NAN;
    for (size_t i = 0; i < n; i++)
        *max_abs = MAX(*max_abs, fabs(a[i] / na - b[i] / nb));
    return ab / (na * nb);
}

static bool
judge(double cosine, const PeDeviceReport *report, const char *what,
      double limit, GError **error)
{
    if (cosine >= limit)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_BACKEND,
                "device %s (%s) gives wrong %s embeddings: cosine %.6g to the "
                "reference, expected >= %g",
                report->device, report->precision, what, cosine, limit);
    return false;
}

typedef bool (*EmbedFunc)(PeBackend *be, const PeModel *model, int layers,
                          float *out, GError **error);

// The lowest cosine of `n` vectors of `size` floats.
static bool
compare_backends(PeBackend *be, PeBackend *reference, const PeModel *model,
                 int layers, EmbedFunc embed, int n, size_t size,
                 double *cosine, double *max_abs, GError **error)
{
    g_autofree float *got = g_new(float, (size_t)n *size);
    g_autofree float *wanted = g_new(float, (size_t)n *size);
    if (!embed(be, model, layers, got, error) ||
        !embed(reference, model, layers, wanted, error))
        return false;
    *cosine = 1;
    for (int i = 0; i < n; i++) {
        size_t offset = (size_t)i * size;
        double c = compare(got + offset, wanted + offset, size, max_abs);
        if (!isnan(*cosine) && !(c >= *cosine))
            *cosine = c;
    }
    return true;
}

// A number that is none in any layer spoils the output.
static bool
check_all_layers(PeBackend *be, const PeModel *model, const char *what,
                 EmbedFunc embed, size_t size, GError **error)
{
    g_autofree float *out = g_new(float, size);
    if (!embed(be, model, ALL_LAYERS, out, error))
        return false;
    if (pe_all_finite(out, size))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_BACKEND,
                "%s: the %s tower's output is not finite on %s in %s: a weight "
                "is damaged or overflows",
                pe_model_get_path(model), what, be->name,
                pe_precision_nick(be->precision));
    return false;
}

static bool
check_depth(PeBackend *be, const PeModel *model, GError **error)
{
    const PeTextConfig *text = pe_model_get_text(model);
    return check_all_layers(be, model, "image", embed_picture,
                            picture_outputs(pe_model_get_vision(model)),
                            error) &&
           (!text ||
            check_all_layers(be, model, "text", embed_texts,
                             N_TEXTS * (size_t)text->output_dim, error));
}

bool
pe_known_answer_check(PeBackend *be, const PeModel *model,
                      PeKnownAnswerDepth depth, PeDeviceReport *report,
                      GError **error)
{
    const PeTextConfig *text = pe_model_get_text(model);
    int layers = depth == PE_KNOWN_ANSWER_QUICK ? 1 : 2;
    double limit = limit_for(be->precision);
    PeDeviceReport r = {
        .cosine_image = NAN,
        .cosine_text = NAN,
        .device = g_intern_string(be->name),
        .precision = pe_precision_nick(be->precision),
    };

    PeBackend *reference = pe_backend_open_reference();
    bool ok = compare_backends(be, reference, model, layers, embed_picture, 1,
                               picture_outputs(pe_model_get_vision(model)),
                               &r.cosine_image, &r.max_abs, error) &&
              judge(r.cosine_image, &r, "image", limit, error);
    if (ok && text && depth == PE_KNOWN_ANSWER_FULL)
        ok = compare_backends(be, reference, model, layers, embed_texts,
                              N_TEXTS, (size_t)text->output_dim, &r.cosine_text,
                              &r.max_abs, error) &&
             judge(r.cosine_text, &r, "text", limit, error);
    if (ok && depth == PE_KNOWN_ANSWER_FULL)
        ok = check_depth(be, model, error);
    reference->ops->close(reference);
    if (report)
        *report = r;
    return ok;
}

bool
pe_device_check(PeModel *model, const char *device, PePrecision precision,
                PeDeviceReport *report, GError **error)
{
    g_return_val_if_fail(model, false);
    PeBackend *be =
        pe_backend_open(device ? device : "auto", precision, 0, error);
    if (!be)
        return false;
    bool ok =
        pe_known_answer_check(be, model, PE_KNOWN_ANSWER_FULL, report, error);
    be->ops->close(be);
    return ok;
}
