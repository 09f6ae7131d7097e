// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clip_frames.c - see clip_frames.h.

#include "clip_frames.h"

#include "gst/video/gstpepicture.h"
#include "tools/decode.h"

typedef struct {
    PePictureFunc func;
    void *user_data;
    GArray *indices; // gint64
    guint n_taken;   // of indices
} Pass;

static bool
count_frame(const PeFrame *frame, int64_t index, void *data, GError **error)
{
    return true;
}

// The frame is given as often as it was chosen.
static bool
take_frame(const PeFrame *frame, int64_t index, void *data, GError **error)
{
    Pass *pass = data;
    while (pass->n_taken < pass->indices->len &&
           g_array_index(pass->indices, gint64, pass->n_taken) == index) {
        if (!pass->func(frame, pass->user_data, error))
            return false;
        pass->n_taken++;
    }
    return pass->n_taken < pass->indices->len;
}

// Source: the frame loader of the reference's video evaluation.
static GArray *
choose_frames(int64_t n_decoded, int n)
{
    GArray *indices = g_array_new(FALSE, FALSE, sizeof(gint64));
    for (int i = 0; i < n; i++) {
        gint64 index = n == 1
                           ? n_decoded / 2
                           : (gint64)((double)(i * (n_decoded - 1)) / (n - 1));
        g_array_append_val(indices, index);
    }
    return indices;
}

static int64_t
decode_video(const char *path, DecodeFunc func, void *user_data, GError **error)
{
    return gst_pe_picture_is_animation(path)
               ? gst_pe_picture_read_animation(path, func, user_data, error)
               : decode_file(path, func, user_data, error);
}

GArray *
clip_frames_read(const char *path, int n, PePictureFunc func, void *user_data,
                 int64_t *n_decoded, GError **error)
{
    int64_t n_frames = decode_video(path, count_frame, NULL, error);
    if (n_frames < 0)
        return NULL;
    Pass pass = {func, user_data, choose_frames(n_frames, n), 0};
    if (n_decoded)
        *n_decoded = n_frames;
    bool ok = decode_video(path, take_frame, &pass, error) >= 0;
    if (ok && pass.n_taken == pass.indices->len)
        return pass.indices;
    if (ok)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: the second pass gave fewer frames than the first",
                    path);
    g_array_unref(pass.indices);
    return NULL;
}
