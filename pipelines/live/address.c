// SPDX-License-Identifier: LGPL-2.1-or-later
//
// address.c - see address.h.

#include "address.h"

#include <gst/gst.h>
#include <string.h>

#include "gst/video/gstpeuri.h"

#define HIDDEN "***"
// The first groups of an expression: the scheme, and what follows it.
#define URI "\\b(?!file:)([A-Za-z][A-Za-z0-9+.-]*://)("

static void
hide(Address *address, const char *text)
{
    if (text && *text)
        g_ptr_array_add(address->hidden, g_strdup(text));
}

// One that is a part of many words protects nothing, and messages could not be
// read any more.
static void
hide_word(Address *address, const char *text)
{
    enum { SHORTEST = 3 };
    if (text && strlen(text) >= SHORTEST)
        hide(address, text);
}

// A user and a password must not be found in any of the forms in which they
// travel: as they were written, decoded, or in an Authorization header.
static void
hide_login(Address *address)
{
    g_autofree char *pair =
        g_strdup_printf("%s:%s", address->user ? address->user : "",
                        address->password ? address->password : "");
    g_autofree char *header = g_base64_encode((guchar *)pair, strlen(pair));
    hide(address, pair);
    hide(address, header);
    hide_word(address, address->password);
    hide_word(address, address->user);
}

void
address_set_login(Address *address, const char *user, const char *password)
{
    if (user) {
        g_free(address->user);
        address->user = g_strdup(user);
    }
    if (password) {
        g_free(address->password);
        address->password = g_strdup(password);
    }
    hide_login(address);
}

// ---- Parsing ---------------------------------------------------------------

static bool
read_test(Address *address, const char *pattern, GError **error)
{
    address->kind = ADDRESS_TEST;
    address->shown = g_strdup_printf("test:%s", pattern);
    address->name = g_strdup("test");
    if (!*pattern)
        return true;
    g_autoptr(GstElement) source =
        gst_element_factory_make("videotestsrc", NULL);
    if (!source)
        return true; // what is missing is told when the stream starts
    gst_object_ref_sink(source);
    GParamSpec *spec =
        g_object_class_find_property(G_OBJECT_GET_CLASS(source), "pattern");
    address->pattern = g_strdup(pattern);
    if (g_enum_get_value_by_nick(G_PARAM_SPEC_ENUM(spec)->enum_class, pattern))
        return true;
    g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                "test:%s is no pattern; \"gst-inspect-1.0 videotestsrc\" lists "
                "them",
                pattern);
    return false;
}

static bool
read_camera(Address *address, const char *path, GError **error)
{
    path += g_str_has_prefix(path, "//") ? 2 : 0;
    address->kind = ADDRESS_CAMERA;
    address->uri = g_strdup_printf("v4l2://%s", path);
    address->shown = g_strdup_printf("v4l2:%s", path);
    address->name = g_path_get_basename(path);
    if (*path == '/')
        return true;
    g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                "%s: expected v4l2:/dev/videoN", address->shown);
    return false;
}

static bool
read_file(Address *address, const char *path, GError **error)
{
    address->kind = ADDRESS_FILE;
    address->uri = g_str_has_prefix(path, "file:")
                       ? g_strdup(path)
                       : gst_filename_to_uri(path, error);
    address->shown = g_filename_display_name(path);
    address->name = g_filename_display_basename(path);
    return address->uri != NULL;
}

// user:password, of which either may be empty.
static void
read_login(Address *address, const char *text, size_t length)
{
    g_autofree char *login = g_strndup(text, length);
    hide(address, login);
    char *colon = strchr(login, ':');
    if (colon) {
        *colon = '\0';
        hide_word(address, colon + 1);
        address->password = g_uri_unescape_string(colon + 1, NULL);
        if (!address->password)
            address->password = g_strdup(colon + 1);
    }
    address->user = g_uri_unescape_string(login, NULL);
    if (!address->user)
        address->user = g_strdup(login);
    hide_login(address);
}

static bool
read_uri(Address *address, const char *uri, GError **error)
{
    address->kind = ADDRESS_NETWORK;
    GstPeUri parts;
    gst_pe_uri_split(&parts, uri); // it has a "://"
    if (parts.has_login)
        read_login(address, parts.login, parts.login_length);
    int scheme_length = (int)parts.scheme_length;
    const char *host = parts.host;
    if (parts.host_length == 0 || !parts.good_port) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                    "%.*s...: the host cannot be told; in a user or a "
                    "password, write / as %%2F, ? as %%3F and # as %%23",
                    scheme_length, uri);
        return false;
    }
    const char *query = parts.secret;
    address->uri = g_strdup_printf("%.*s%s", scheme_length, uri, host);
    if (*query)
        hide(address, query + 1);
    // Where a password had a slash in it, the host is behind its "@".
    g_autofree char *plain = g_strndup(host, (gsize)(query - host));
    char *at = strrchr(plain, '@');
    address->shown =
        g_strdup_printf("%.*s%s", scheme_length, uri, at ? at + 1 : plain);
    address->name =
        g_strndup(at ? at + 1 : plain, strcspn(at ? at + 1 : plain, "/"));
    return true;
}

Address *
address_parse(const char *text, GError **error)
{
    g_autoptr(Address) address = g_new0(Address, 1);
    address->hidden = g_ptr_array_new_with_free_func(g_free);
    bool ok = false;
    if (!*text) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                    "the address is empty");
    } else if (g_str_has_prefix(text, "test:")) {
        ok = read_test(address, text + strlen("test:"), error);
    } else if (g_str_has_prefix(text, "v4l2:")) {
        ok = read_camera(address, text + strlen("v4l2:"), error);
    } else if (!strstr(text, "://") || g_str_has_prefix(text, "file:")) {
        ok = read_file(address, text, error);
    } else {
        ok = read_uri(address, text, error);
    }
    return ok ? g_steal_pointer(&address) : NULL;
}

Address *
address_copy(const Address *address)
{
    Address *copy = g_new0(Address, 1);
    *copy = (Address){
        .kind = address->kind,
        .uri = g_strdup(address->uri),
        .pattern = g_strdup(address->pattern),
        .user = g_strdup(address->user),
        .password = g_strdup(address->password),
        .shown = g_strdup(address->shown),
        .name = g_strdup(address->name),
        .hidden = g_ptr_array_new_with_free_func(g_free),
    };
    for (guint i = 0; i < address->hidden->len; i++)
        hide(copy, address->hidden->pdata[i]);
    return copy;
}

void
address_free(Address *address)
{
    g_free(address->uri);
    g_free(address->pattern);
    g_free(address->user);
    g_free(address->password);
    g_free(address->shown);
    g_free(address->name);
    g_ptr_array_unref(address->hidden);
    g_free(address);
}

bool
address_is_live(const Address *address)
{
    return address->kind != ADDRESS_FILE;
}

// ---- What may be shown -----------------------------------------------------

// Takes text. The order does not matter: whatever is left of a secret of which
// another one is a part does not tell it any more.
static char *
replace_hidden(const Address *address, char *text)
{
    for (guint i = 0; address && i < address->hidden->len; i++) {
        char **parts = g_strsplit(text, address->hidden->pdata[i], -1);
        g_free(text);
        text = g_strjoinv(HIDDEN, parts);
        g_strfreev(parts);
    }
    return text;
}

char *
address_redact(const Address *address, const char *text)
{
    static GRegex *login, *query;
    if (g_once_init_enter(&query)) {
        login = g_regex_new(URI "[^\\s\"'<>]*)@", 0, 0, NULL);
        g_once_init_leave(
            &query,
            g_regex_new(URI "[^\\s\"'<>?]*)\\?[^\\s\"'<>]*", 0, 0, NULL));
    }
    g_autofree char *plain =
        replace_hidden(address, g_utf8_make_valid(text, -1));
    g_autofree char *half =
        g_regex_replace(login, plain, -1, 0, "\\1" HIDDEN "@", 0, NULL);
    return g_regex_replace(query, half, -1, 0, "\\1\\2?" HIDDEN, 0, NULL);
}
