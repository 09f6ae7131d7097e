// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepassword.c - see gstpepassword.h.

#include "gst/sink/gstpepassword.h"

#include "core/pe.h"
#include "gst/labels/gstpeproperty.h"

#include <string.h>

#define MAX_PASSWORD (64 << 10) // bytes of the file

char *
gst_pe_password_get(const GstPeUser *user, GError **error)
{
    size_t size;

    if (!gst_pe_property_is_set(user->password_file))
        return gst_pe_property_is_set(user->password) ? g_strdup(user->password)
                                                      : NULL;
    char *text = pe_read_file(user->password_file, MAX_PASSWORD, &size, error);
    if (!text) {
        g_prefix_error(error, "password-file ");
        return NULL;
    }
    text[strcspn(text, "\r\n")] = 0;
    if (!*text) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "password-file %s: expected a password in its first line, "
                    "found none",
                    user->password_file);
        g_clear_pointer(&text, g_free);
    }
    return text;
}

bool
gst_pe_password_check(const GstPeUser *user, GError **error)
{
    GError *failure = NULL;
    g_autofree char *found = gst_pe_password_get(user, &failure);

    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    if (!found || gst_pe_property_is_set(user->name))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "there is a password but no user");
    return false;
}
