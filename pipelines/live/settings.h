// SPDX-License-Identifier: LGPL-2.1-or-later
//
// settings.h - the properties of peinference that a stream may set.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

// As texts, by name.
typedef GHashTable Settings;

// Can the property have this value? If not, `error` says what is there instead.
bool settings_check(const char *key, const char *value, GError **error);

// The properties onto a peinference. They have all been checked.
void settings_apply(Settings *settings, GstElement *inference);
