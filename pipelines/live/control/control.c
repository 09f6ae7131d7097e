// SPDX-License-Identifier: LGPL-2.1-or-later
//
// control.c - see control.h.

#include "control.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CLIENTS 32
#define MAX_LINE (256 * 1024) // labels can be long
#define DEADLINE 5            // s, for the rest of a line and for an answer
#define CHUNK 4096

struct Control {
    char *path;
    GSocketService *service;
    ControlFunc func;
    void *user_data;
    GPtrArray *clients; // Client
};

typedef struct {
    Control *control;
    GSocketConnection *connection;
    GCancellable *cancellable;
    GByteArray *pending; // bytes that are no whole line yet
    char chunk[CHUNK];
    char *answer;        // on its way
    ControlReply *reply; // that is waited for; NULL: none
    guint timer;         // 0: nothing is owed
} Client;

struct ControlReply {
    Client *client; // NULL: gone
};

static void read_more(Client *client);

char *
control_default_path(void)
{
    const char *dir = g_getenv("XDG_RUNTIME_DIR");
    return dir && *dir ? g_build_filename(dir, "pe-live.sock", NULL) : NULL;
}

// ---- A client --------------------------------------------------------------

static void
client_free(gpointer data)
{
    Client *client = data;
    if (client->timer)
        g_source_remove(client->timer);
    g_io_stream_close(G_IO_STREAM(client->connection), NULL, NULL);
    g_object_unref(client->connection);
    g_object_unref(client->cancellable);
    g_byte_array_unref(client->pending);
    if (client->reply)
        client->reply->client = NULL;
    g_free(client->answer);
    g_free(client);
}

// From the callback of its operation, of which there is one at a time.
static void
drop(Client *client)
{
    Control *control = client->control;
    g_ptr_array_remove_fast(control->clients, client);
}

static gboolean
on_deadline(gpointer data)
{
    Client *client = data;
    client->timer = 0;
    g_cancellable_cancel(client->cancellable);
    return G_SOURCE_REMOVE;
}

static void
set_deadline(Client *client, bool owed)
{
    if (client->timer && !owed) {
        g_source_remove(client->timer);
        client->timer = 0;
    } else if (!client->timer && owed) {
        client->timer = g_timeout_add_seconds(DEADLINE, on_deadline, client);
    }
}

static void
on_written(GObject *stream, GAsyncResult *result, gpointer data)
{
    Client *client = data;
    g_clear_pointer(&client->answer, g_free);
    if (!g_output_stream_write_all_finish(G_OUTPUT_STREAM(stream), result, NULL,
                                          NULL)) {
        drop(client);
        return;
    }
    set_deadline(client, false);
    read_more(client);
}

// Takes answer.
static void
send_answer(Client *client, char *answer)
{
    client->answer = answer;
    set_deadline(client, false);
    set_deadline(client, true);
    g_output_stream_write_all_async(
        g_io_stream_get_output_stream(G_IO_STREAM(client->connection)), answer,
        strlen(answer), G_PRIORITY_DEFAULT, client->cancellable, on_written,
        client);
}

void
control_reply_send(ControlReply *reply, char *answer)
{
    Client *client = reply->client;
    g_free(reply);
    if (!client) {
        g_free(answer);
        return;
    }
    client->reply = NULL;
    send_answer(client, answer);
}

// The first whole line, or NULL. Returns, g_free().
static char *
take_line(Client *client)
{
    GByteArray *pending = client->pending;
    const guint8 *end =
        pending->len ? memchr(pending->data, '\n', pending->len) : NULL;
    if (!end)
        return NULL;
    gsize length = (gsize)(end - pending->data);
    // What has a zero in it is cut there, and then no JSON.
    char *line = g_strndup((const char *)pending->data, length);
    g_byte_array_remove_range(pending, 0, (guint)length + 1);
    return line;
}

static void
on_read(GObject *stream, GAsyncResult *result, gpointer data)
{
    Client *client = data;
    gssize n = g_input_stream_read_finish(G_INPUT_STREAM(stream), result, NULL);
    if (n <= 0 || client->pending->len + (gsize)n > MAX_LINE) {
        drop(client);
        return;
    }
    g_byte_array_append(client->pending, (guint8 *)client->chunk, (guint)n);
    read_more(client);
}

static void
read_more(Client *client)
{
    g_autofree char *line = take_line(client);
    if (line) {
        Control *control = client->control;
        client->reply = g_new(ControlReply, 1);
        client->reply->client = client;
        set_deadline(client, false);
        control->func(line, client->reply, control->user_data);
        return;
    }
    set_deadline(client, client->pending->len > 0);
    g_input_stream_read_async(
        g_io_stream_get_input_stream(G_IO_STREAM(client->connection)),
        client->chunk, CHUNK, G_PRIORITY_DEFAULT, client->cancellable, on_read,
        client);
}

static gboolean
on_incoming(GSocketService *service, GSocketConnection *connection,
            GObject *source, gpointer data)
{
    Control *control = data;
    if (control->clients->len >= MAX_CLIENTS)
        return TRUE; // closes it
    Client *client = g_new0(Client, 1);
    client->control = control;
    client->connection = g_object_ref(connection);
    client->cancellable = g_cancellable_new();
    client->pending = g_byte_array_new();
    g_ptr_array_add(control->clients, client);
    read_more(client);
    return TRUE;
}

// ---- The socket ------------------------------------------------------------

static bool
is_in_use(GSocketAddress *address)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketConnection) connection = g_socket_client_connect(
        client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
    return connection != NULL;
}

// What is left of a program that was killed is in the way; what is no socket is
// not ours.
static bool
make_room(const char *path, GSocketAddress *address, GError **error)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return true;
    if (!S_ISSOCK(status.st_mode)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                    "%s is there and is no socket", path);
        return false;
    }
    if (is_in_use(address)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
                    "another pe-live listens on %s; give this one its own "
                    "with --control",
                    path);
        return false;
    }
    unlink(path);
    return true;
}

Control *
control_new(const char *path, ControlFunc func, void *user_data, GError **error)
{
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    if (!make_room(path, address, error))
        return NULL;
    g_autoptr(GSocketService) service = g_socket_service_new();
    // Nobody else may connect, from the first moment on.
    mode_t mask = umask(0177);
    gboolean ok = g_socket_listener_add_address(
        G_SOCKET_LISTENER(service), address, G_SOCKET_TYPE_STREAM,
        G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, error);
    umask(mask);
    if (!ok) {
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    Control *control = g_new0(Control, 1);
    control->path = g_strdup(path);
    control->service = g_steal_pointer(&service);
    control->func = func;
    control->user_data = user_data;
    control->clients = g_ptr_array_new_with_free_func(client_free);
    g_signal_connect(control->service, "incoming", G_CALLBACK(on_incoming),
                     control);
    return control;
}

void
control_free(Control *control)
{
    g_socket_service_stop(control->service);
    g_socket_listener_close(G_SOCKET_LISTENER(control->service));
    unlink(control->path);
    for (guint i = control->clients->len; i-- > 0;) {
        Client *client = control->clients->pdata[i];
        if (client->reply)
            drop(client);
        else
            g_cancellable_cancel(client->cancellable);
    }
    // Each of the others is dropped by the operation that it waits for.
    while (control->clients->len > 0)
        g_main_context_iteration(NULL, TRUE);
    g_ptr_array_unref(control->clients);
    g_object_unref(control->service);
    g_free(control->path);
    g_free(control);
}
