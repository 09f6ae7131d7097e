// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeduration.c - see gstpeduration.h.

#include "gst/score/gstpeduration.h"

#include "core/pe.h"

#include <math.h>
#include <string.h>

#define MIN_S 0.01
#define MAX_S 86400.0

static const struct {
    const char *name;
    double seconds;
} units[] = {{"ms", 0.001}, {"s", 1}, {"min", 60}, {"h", 3600}};

bool
gst_pe_duration_parse(const char *text, GstClockTime *duration, GError **error)
{
    const char *start = text + strspn(text, " \t");
    char *end;
    double seconds = NAN;
    // Not "inf", "nan" or 0x, which it would take.
    bool number = g_ascii_isdigit(start[0]) || start[0] == '.';
    double value = number ? g_ascii_strtod(start, &end) : NAN;

    if (number && !(start[0] == '0' && g_ascii_tolower(start[1]) == 'x')) {
        g_autofree char *unit = g_strstrip(g_strdup(end));
        for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
            if (g_str_equal(unit, units[i].name))
                seconds = value * units[i].seconds;
        }
    }
    if (seconds >= MIN_S && seconds <= MAX_S) {
        *duration = (GstClockTime)llround(seconds * 1e9);
        return true;
    }
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "expected a number with ms, s, min or h, from 10ms to 24h, "
                "such as 10s; found %.40s",
                valid);
    return false;
}
