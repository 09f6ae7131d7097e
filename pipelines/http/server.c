// SPDX-License-Identifier: LGPL-2.1-or-later
//
// server.c - see server.h.

#include "server.h"

#include <string.h>

#include "pipelines/http/access.h"
#include "pipelines/http/clients.h"
#include "pipelines/http/reply.h"

// Nothing from elsewhere, nothing in line, and no other page around it.
#define POLICY \
    "default-src 'none'; script-src 'self'; style-src 'self'; " \
    "img-src 'self'; media-src 'self'; connect-src 'self'; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct HttpServer {
    char *program;
    SoupServer *soup;
    HttpClients *clients;
    HttpAccess *access;
    const HttpRoute *routes;
    size_t n_routes;
    void *data;
};

// ---- The page --------------------------------------------------------------

static const struct {
    const char *path, *file, *type;
} files[] = {
    {"/", "page.html", "text/html; charset=utf-8"},
    {"/page.js", "page.js", "text/javascript; charset=utf-8"},
    {"/page.css", "page.css", "text/css; charset=utf-8"},
};

static bool
send_file(const HttpServer *server, SoupServerMessage *message,
          const char *path)
{
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        if (!g_str_equal(path, files[i].path))
            continue;
        g_autofree char *name =
            g_strdup_printf("/%s/%s", server->program, files[i].file);
        g_autoptr(GBytes) bytes =
            g_resources_lookup_data(name, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
        http_reply_bytes(message, SOUP_STATUS_OK, files[i].type, bytes);
        return true;
    }
    return false;
}

// ---- Requests --------------------------------------------------------------

static HttpFunc
find_route(const HttpServer *server, const char *path)
{
    for (size_t i = 0; i < server->n_routes; i++) {
        const char *known = server->routes[i].path;
        if (g_str_has_suffix(known, "/") ? g_str_has_prefix(path, known)
                                         : g_str_equal(path, known))
            return server->routes[i].func;
    }
    return NULL;
}

// As soon as the headers are there: what the body has is not kept.
static void
on_headers(SoupServer *soup, SoupServerMessage *message, const char *path,
           GHashTable *query, gpointer data)
{
    soup_message_body_set_accumulate(
        soup_server_message_get_request_body(message), FALSE);
}

static void
on_request(SoupServer *soup, SoupServerMessage *message, const char *path,
           GHashTable *query, gpointer data)
{
    HttpServer *server = data;
    const char *method = soup_server_message_get_method(message);
    SoupMessageHeaders *headers =
        soup_server_message_get_response_headers(message);
    soup_message_headers_append(headers, "Content-Security-Policy", POLICY);
    soup_message_headers_append(headers, "X-Content-Type-Options", "nosniff");
    soup_message_headers_append(headers, "Referrer-Policy", "no-referrer");
    soup_message_headers_append(headers, "Cache-Control", "no-store");
    soup_message_headers_append(headers, "Connection", "close");
    HttpFunc route = find_route(server, path);
    if (!g_str_equal(method, "GET") && !g_str_equal(method, "HEAD"))
        http_reply_text(message, SOUP_STATUS_METHOD_NOT_ALLOWED, "text/plain",
                        "only GET and HEAD\n");
    else if (!http_access_check(server->access, message, query) ||
             send_file(server, message, path))
        return;
    else if (route)
        route(message, path, server->data);
    else
        http_reply_text(message, SOUP_STATUS_NOT_FOUND, "text/plain",
                        "there is nothing here\n");
}

// ---- Start and end ---------------------------------------------------------

static void
tell_address(const HttpServer *server, GSocketAddress *bound)
{
    GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS(bound);
    GInetAddress *address = g_inet_socket_address_get_address(inet);
    g_autofree char *host = g_inet_address_to_string(address);
    bool is_v6 = g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6;
    g_printerr("%s: the page is at http://%s%s%s:%d/\n", server->program,
               is_v6 ? "[" : "", host, is_v6 ? "]" : "",
               g_inet_socket_address_get_port(inet));
}

HttpServer *
http_server_new(const HttpServerParams *params, void *data, GError **error)
{
    g_autoptr(GSocketAddress) address = http_access_parse_address(
        params->address, params->token_file, params->remote, error);
    HttpAccess *access =
        address ? http_access_new(params->program, params->token_file, error)
                : NULL;
    if (!access)
        return NULL;
    HttpServer *server = g_new0(HttpServer, 1);
    *server = (HttpServer){.program = g_strdup(params->program),
                           .access = access,
                           .routes = params->routes,
                           .n_routes = params->n_routes,
                           .data = data};
    server->soup = soup_server_new("server-header", params->program, NULL);
    soup_server_add_early_handler(server->soup, NULL, on_headers, server, NULL);
    soup_server_add_handler(server->soup, NULL, on_request, server, NULL);
    g_autoptr(GSocketAddress) bound = NULL;
    server->clients = http_clients_new(server->soup, address, &bound, error);
    if (!server->clients) {
        g_prefix_error(error, "%s: ", params->address);
        http_server_free(server);
        return NULL;
    }
    tell_address(server, bound);
    return server;
}

void
http_server_stop(HttpServer *server)
{
    http_clients_stop(server->clients);
}

guint
http_server_count_busy(const HttpServer *server)
{
    return http_clients_count_busy(server->clients);
}

void
http_server_free(HttpServer *server)
{
    soup_server_disconnect(server->soup);
    if (server->clients)
        http_clients_free(server->clients);
    g_object_unref(server->soup);
    http_access_free(server->access);
    g_free(server->program);
    g_free(server);
}
