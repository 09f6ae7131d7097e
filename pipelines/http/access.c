// SPDX-License-Identifier: LGPL-2.1-or-later
//
// access.c - see access.h.

#include "access.h"

#include <string.h>

#include "core/pe.h"
#include "pipelines/http/reply.h"

#define MIN_TOKEN 16 // characters

struct HttpAccess {
    char *cookie; // name
    char *token;  // NULL: none is asked for
};

// ---- The token -------------------------------------------------------------

// As long for a wrong token as for the right one.
static bool
is_token(const HttpAccess *access, const char *text)
{
    if (!text || strlen(text) != strlen(access->token))
        return false;
    int difference = 0;
    for (size_t i = 0; text[i]; i++)
        difference |= text[i] ^ access->token[i];
    return difference == 0;
}

static bool
has_token(const HttpAccess *access, SoupServerMessage *message)
{
    SoupMessageHeaders *headers =
        soup_server_message_get_request_headers(message);
    const char *given = soup_message_headers_get_one(headers, "Authorization");
    if (given && g_str_has_prefix(given, "Bearer ") &&
        is_token(access, given + strlen("Bearer ")))
        return true;
    bool found = false;
    const char *cookies = soup_message_headers_get_list(headers, "Cookie");
    g_autofree char *start = g_strconcat(access->cookie, "=", NULL);
    g_auto(GStrv) parts = g_strsplit(cookies ? cookies : "", ";", 100);
    for (char **part = parts; *part; part++) {
        g_strstrip(*part);
        found |= g_str_has_prefix(*part, start) &&
                 is_token(access, *part + strlen(start));
    }
    return found;
}

// With ?token= the browser gets a cookie, so that the token is in no address
// that it shows or keeps.
static bool
take_token(const HttpAccess *access, SoupServerMessage *message,
           GHashTable *query)
{
    const char *token = query ? g_hash_table_lookup(query, "token") : NULL;
    if (!is_token(access, token))
        return false;
    g_autofree char *cookie = g_strdup_printf(
        "%s=%s; HttpOnly; SameSite=Strict; Path=/", access->cookie, token);
    soup_message_headers_append(
        soup_server_message_get_response_headers(message), "Set-Cookie",
        cookie);
    soup_server_message_set_redirect(message, SOUP_STATUS_SEE_OTHER, "/");
    return true;
}

static char *
read_token(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    g_strstrip(text);
    if (strlen(text) >= MIN_TOKEN &&
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789-_.~") == strlen(text))
        return g_steal_pointer(&text);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: a token has at least %d letters, digits, or any of -_.~",
                path, MIN_TOKEN);
    return NULL;
}

HttpAccess *
http_access_new(const char *program, const char *token_file, GError **error)
{
    char *token = token_file ? read_token(token_file, error) : NULL;
    if (token_file && !token)
        return NULL;
    HttpAccess *access = g_new0(HttpAccess, 1);
    access->cookie = g_strconcat(program, "-token", NULL);
    access->token = token;
    return access;
}

void
http_access_free(HttpAccess *access)
{
    g_free(access->cookie);
    g_free(access->token);
    g_free(access);
}

// ---- Requests --------------------------------------------------------------

// A page of another site must not reach us by a name that it has pointed here.
static bool
is_named_as_loopback(SoupServerMessage *message)
{
    const char *host = soup_message_headers_get_one(
        soup_server_message_get_request_headers(message), "Host");
    g_autoptr(GUri) uri = NULL;
    if (host) {
        g_autofree char *text = g_strconcat("http://", host, "/", NULL);
        uri = g_uri_parse(text, G_URI_FLAGS_NONE, NULL);
    }
    const char *name = uri ? g_uri_get_host(uri) : NULL;
    if (!name)
        return false;
    if (g_ascii_strcasecmp(name, "localhost") == 0)
        return true;
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(name);
    return address && g_inet_address_get_is_loopback(address);
}

bool
http_access_check(const HttpAccess *access, SoupServerMessage *message,
                  GHashTable *query)
{
    if (access->token) {
        if (has_token(access, message))
            return true;
        if (!take_token(access, message, query))
            http_reply_text(message, SOUP_STATUS_UNAUTHORIZED, "text/plain",
                            "a token is needed\n");
        return false;
    }
    if (is_named_as_loopback(message))
        return true;
    http_reply_text(message, SOUP_STATUS_FORBIDDEN, "text/plain",
                    "only by the name localhost or the address of it\n");
    return false;
}

// ---- The address -----------------------------------------------------------

static GSocketAddress *
parse_address(const char *text, GError **error)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = g_strndup(text, colon ? (gsize)(colon - text) : 0);
    char *name = host;
    if (*name == '[' && g_str_has_suffix(name, "]")) {
        name[strlen(name) - 1] = '\0';
        name++;
    }
    guint64 port = 0;
    GSocketAddress *address = NULL;
    if (colon &&
        g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL))
        address = g_inet_socket_address_new_from_string(
            g_str_equal(name, "localhost") ? "127.0.0.1" : name, (guint)port);
    if (!address)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "--http takes ADDRESS:PORT, such as 127.0.0.1:8080, not "
                    "\"%s\"",
                    text);
    return address;
}

GSocketAddress *
http_access_parse_address(const char *text, const char *token_file, bool remote,
                          GError **error)
{
    GSocketAddress *address = parse_address(text, error);
    if (!address)
        return NULL;
    GInetAddress *inet =
        g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address));
    if (g_inet_address_get_is_loopback(inet) || (remote && token_file))
        return address;
    g_object_unref(address);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "others could reach the page at this address: give "
                "--http-remote and --http-token-file too, or 127.0.0.1");
    return NULL;
}
