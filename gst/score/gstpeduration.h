// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeduration.h - a length of time as users write it.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

// "10s", "1.5 s", "500ms", "2min", "1h". At least 10 ms, at most a day.
// false, with an error that says what was expected and found: it is none.
bool gst_pe_duration_parse(const char *text, GstClockTime *duration,
                           GError **error);
