// SPDX-License-Identifier: LGPL-2.1-or-later
//
// http.c - see http.h.

#include "http.h"

#include <string.h>

#include "core/pe.h"
#include "pipelines/http/reply.h"
#include "pipelines/http/server.h"
#include "pipelines/live/report/describe.h"
#include "pipelines/web/metrics.h"
#include "pipelines/web/thumbnails.h"

#define SEARCH_TOP 12

struct Http {
    HttpServer *server;
    const Commands *commands;
    const Streams *streams;
    Thumbnails *thumbnails;
    bool stopping;
};

// ---- Answers ---------------------------------------------------------------

static void
send_streams(SoupServerMessage *message, const char *path, void *data)
{
    Http *http = data;
    JsonBuilder *builder = describe_begin("streams");
    json_builder_set_member_name(builder, "streams");
    json_builder_begin_array(builder);
    for (guint i = 0; i < http->streams->list->len; i++) {
        const Stream *stream = http->streams->list->pdata[i];
        json_builder_begin_object(builder);
        describe_stats(builder, stream);
        describe_labels(builder, stream);
        describe_events(builder, stream);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    g_autofree char *text = describe_end(builder);
    http_reply_text(message, SOUP_STATUS_OK, "application/json", text);
}

// Takes jpeg, which may be NULL.
static void
send_jpeg(SoupServerMessage *message, GBytes *jpeg)
{
    if (!jpeg) {
        http_reply_text(message, SOUP_STATUS_NOT_FOUND, "text/plain",
                        "there is no picture of this stream\n");
        return;
    }
    http_reply_bytes(message, SOUP_STATUS_OK, "image/jpeg", jpeg);
    g_bytes_unref(jpeg);
}

static void
send_moment(SoupServerMessage *message, const char *path, void *data)
{
    Http *http = data;
    guint64 number = 0;
    g_ascii_string_to_unsigned(path + strlen("/moments/"), 10, 1, G_MAXINT64,
                               &number, NULL);
    send_jpeg(message, moments_get_picture(
                           search_get_moments(http->commands->search), number));
}

// Takes answer and message.
static void
on_found(char *answer, void *message)
{
    http_reply_text(message, SOUP_STATUS_OK, "application/json", answer);
    soup_server_message_unpause(message);
    g_object_unref(message);
    g_free(answer);
}

static void
send_search(SoupServerMessage *message, const char *path, void *data)
{
    Http *http = data;
    const char *query = g_uri_get_query(soup_server_message_get_uri(message));
    g_autoptr(GHashTable) words = query ? soup_form_decode(query) : NULL;
    const char *text = words ? g_hash_table_lookup(words, "text") : NULL;
    soup_server_message_pause(message);
    commands_search(http->commands, text ? text : "", NULL, SEARCH_TOP,
                    on_found, g_object_ref(message));
}

static void
send_thumbnail(SoupServerMessage *message, const char *path, void *data)
{
    Http *http = data;
    const char *name = path + strlen("/thumbnails/");
    Stream *stream = NULL;
    for (guint i = 0; i < http->streams->list->len; i++) {
        Stream *other = http->streams->list->pdata[i];
        if (g_str_equal(other->name, name))
            stream = other;
    }
    send_jpeg(message,
              stream ? thumbnails_get(http->thumbnails, stream) : NULL);
}

static void
send_metrics(SoupServerMessage *message, const char *path, void *data)
{
    Http *http = data;
    g_autofree char *text =
        metrics_write(http->streams, http->commands->engine);
    http_reply_text(message, SOUP_STATUS_OK, "text/plain; version=0.0.4", text);
}

static void
send_health(SoupServerMessage *message, const char *path, void *data)
{
    http_reply_text(message, SOUP_STATUS_OK, "text/plain", "ok\n");
}

static void
send_readiness(SoupServerMessage *message, const char *path, void *data)
{
    Http *http = data;
    guint n_running = 0, n = http->streams->list->len;
    for (guint i = 0; i < n; i++) {
        const Stream *stream = http->streams->list->pdata[i];
        n_running += stream->supervisor.status == STATUS_RUNNING;
    }
    bool ready = !http->stopping && (n == 0 || n_running > 0);
    g_autofree char *text = g_strdup_printf(
        "%s: %u of %u streams are running%s\n", ready ? "ready" : "not ready",
        n_running, n, http->stopping ? ", and the program is ending" : "");
    http_reply_text(message,
                    ready ? SOUP_STATUS_OK : SOUP_STATUS_SERVICE_UNAVAILABLE,
                    "text/plain", text);
}

// ---- Start and end ---------------------------------------------------------

static const HttpRoute routes[] = {
    {"/streams", send_streams},  {"/thumbnails/", send_thumbnail},
    {"/search", send_search},    {"/moments/", send_moment},
    {"/metrics", send_metrics},  {"/healthz", send_health},
    {"/readyz", send_readiness},
};

Http *
http_new(const char *address, const char *token_file, bool remote,
         const Commands *commands, GError **error)
{
    const HttpServerParams params = {
        .program = "pe-live",
        .address = address,
        .token_file = token_file,
        .remote = remote,
        .routes = routes,
        .n_routes = G_N_ELEMENTS(routes),
    };
    Http *http = g_new0(Http, 1);
    http->commands = commands;
    http->streams = commands->streams;
    http->server = http_server_new(&params, http, error);
    if (!http->server) {
        g_free(http);
        return NULL;
    }
    http->thumbnails = thumbnails_new();
    return http;
}

void
http_set_stopping(Http *http)
{
    http->stopping = true;
}

void
http_free(Http *http)
{
    http_server_free(http->server);
    thumbnails_free(http->thumbnails);
    g_free(http);
}
