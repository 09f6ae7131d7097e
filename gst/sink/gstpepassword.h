// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepassword.h - the password of a broker's user: as it was set, or the
// first line of a file.

#pragma once

#include <glib.h>
#include <stdbool.h>

// As they are in a sink's settings; NULL or empty: not set.
typedef struct {
    char *name, *password, *password_file;
} GstPeUser;

// The file comes first. Returns a copy, g_free(); NULL: none, or the error,
// which names the file.
char *gst_pe_password_get(const GstPeUser *user, GError **error);

// Can it be read, and does it belong to a user? Returns false with the error.
bool gst_pe_password_check(const GstPeUser *user, GError **error);
