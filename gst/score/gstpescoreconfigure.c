// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescoreconfigure.c - see gstpescoreconfigure.h.

#include "gst/score/gstpescoreconfigure.h"

#include "gst/score/gstpeduration.h"

static bool
parse(const char *property, const char *text, GstClockTime *duration,
      GError **error)
{
    if (!text || !*text || gst_pe_duration_parse(text, duration, error))
        return true;
    g_prefix_error(error, "%s: ", property);
    return false;
}

// Returns, g_free(); NULL: each sample is a clip.
static char *
make_name(const GstPeScore *self, const GstPeWindowSpec *spec)
{
    if (self->window_name && *self->window_name)
        return g_strdup(self->window_name);
    if (spec->length > 0)
        return g_strstrip(g_strdup(self->window));
    return spec->clip_length > 1
               ? g_strdup_printf("%d-frames", spec->clip_length)
               : NULL;
}

// What the properties ask for. The caller has the lock.
static bool
get_spec(const GstPeScore *self, GstPeWindowSpec *spec, GError **error)
{
    *spec = (GstPeWindowSpec){.clip_length = self->clip_length,
                              .clip_stride = self->clip_stride};
    if (!parse("window", self->window, &spec->length, error) ||
        !parse("window-stride", self->window_stride, &spec->stride, error))
        return false;
    if (spec->length > 0 && (spec->clip_length > 1 || spec->clip_stride > 0)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "window and %s are both set; clear one of them",
                    spec->clip_length > 1 ? "clip-length" : "clip-stride");
        return false;
    }
    if (spec->length == 0 && spec->stride > 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "window-stride is set and window is not; set window");
        return false;
    }
    if (spec->stride == 0)
        spec->stride = spec->length;
    return true;
}

bool
gst_pe_score_configure(GstPeScore *self, GError **error)
{
    GstPeWindowSpec spec;
    char *name = NULL;

    g_mutex_lock(&self->lock);
    bool ok = get_spec(self, &spec, error);
    if (ok)
        name = make_name(self, &spec);
    g_free(self->wanted);
    self->wanted = g_strdup(self->of_element);
    g_mutex_unlock(&self->lock);
    if (!ok)
        return false;
    gst_pe_series_configure(self->series, &spec);
    g_free(self->name);
    self->name = name;
    return true;
}
