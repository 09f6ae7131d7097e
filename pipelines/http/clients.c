// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clients.c - see clients.h. libsoup itself waits for a slow client as long as
// it likes, so connections are accepted here and ended here.

#include "clients.h"

#include <stdbool.h>

#define MAX_CLIENTS 128                    // further ones are closed at once
#define REQUEST_TIME (10 * G_USEC_PER_SEC) // for all of a request
#define IDLE_TIME 30                       // s without a byte of an answer
#define LOOK_PERIOD 1                      // s

struct HttpClients {
    SoupServer *server;
    GSocketService *service;
    GHashTable *clients; // GSocketAddress of the other side to Client
    guint timer;         // 0: nobody is there
    gulong on_read, on_finished, on_aborted;
};

typedef struct {
    HttpClients *clients;
    GSocketAddress *address; // its key; unlike others even if equal to them
    GSocketConnection *connection; // borrowed
    gint64 since;                  // it was accepted
    bool is_busy;                  // its request is there
} Client;

static void
on_gone(gpointer data, GObject *connection)
{
    Client *client = data;
    client->connection = NULL;
    g_hash_table_remove(client->clients->clients, client->address);
}

static void
client_free(gpointer data)
{
    Client *client = data;
    if (client->connection)
        g_object_weak_unref(G_OBJECT(client->connection), on_gone, client);
    g_object_unref(client->address);
    g_free(client);
}

// libsoup sees that the connection has ended, and lets go of it.
static void
cut(const Client *client)
{
    g_socket_shutdown(g_socket_connection_get_socket(client->connection), TRUE,
                      TRUE, NULL);
}

static gboolean
look(gpointer data)
{
    HttpClients *clients = data;
    gint64 limit = g_get_monotonic_time() - REQUEST_TIME;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, clients->clients);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Client *client = value;
        if (!client->is_busy && client->since < limit)
            cut(client);
    }
    if (g_hash_table_size(clients->clients) > 0)
        return G_SOURCE_CONTINUE;
    clients->timer = 0;
    return G_SOURCE_REMOVE;
}

static gboolean
on_incoming(GSocketService *service, GSocketConnection *connection,
            GObject *source, gpointer data)
{
    HttpClients *clients = data;
    if (g_hash_table_size(clients->clients) >= MAX_CLIENTS)
        return TRUE; // it is closed with its last reference
    g_autoptr(GSocketAddress) local =
        g_socket_connection_get_local_address(connection, NULL);
    g_autoptr(GSocketAddress) remote =
        g_socket_connection_get_remote_address(connection, NULL);
    if (!local || !remote)
        return TRUE;
    g_socket_set_timeout(g_socket_connection_get_socket(connection), IDLE_TIME);
    Client *client = g_new0(Client, 1);
    *client = (Client){clients, g_object_ref(remote), connection,
                       g_get_monotonic_time(), false};
    g_object_weak_ref(G_OBJECT(connection), on_gone, client);
    g_hash_table_insert(clients->clients, remote, client);
    if (!clients->timer)
        clients->timer = g_timeout_add_seconds(LOOK_PERIOD, look, clients);
    soup_server_accept_iostream(clients->server, G_IO_STREAM(connection), local,
                                remote, NULL);
    return TRUE;
}

static void
set_busy(HttpClients *clients, SoupServerMessage *message, bool is_busy)
{
    Client *client = g_hash_table_lookup(
        clients->clients, soup_server_message_get_remote_address(message));
    if (client)
        client->is_busy = is_busy;
}

static void
on_read(SoupServer *server, SoupServerMessage *message, gpointer data)
{
    set_busy(data, message, true);
}

static void
on_end(SoupServer *server, SoupServerMessage *message, gpointer data)
{
    set_busy(data, message, false);
}

HttpClients *
http_clients_new(SoupServer *server, GSocketAddress *address,
                 GSocketAddress **bound, GError **error)
{
    g_autoptr(GSocketService) service = g_socket_service_new();
    g_socket_listener_set_backlog(G_SOCKET_LISTENER(service), MAX_CLIENTS);
    if (!g_socket_listener_add_address(
            G_SOCKET_LISTENER(service), address, G_SOCKET_TYPE_STREAM,
            G_SOCKET_PROTOCOL_TCP, NULL, bound, error))
        return NULL;
    HttpClients *clients = g_new0(HttpClients, 1);
    clients->server = server;
    clients->service = g_steal_pointer(&service);
    clients->clients = g_hash_table_new_full(NULL, NULL, NULL, client_free);
    clients->on_read =
        g_signal_connect(server, "request-read", G_CALLBACK(on_read), clients);
    clients->on_finished = g_signal_connect(server, "request-finished",
                                            G_CALLBACK(on_end), clients);
    clients->on_aborted = g_signal_connect(server, "request-aborted",
                                           G_CALLBACK(on_end), clients);
    g_signal_connect(clients->service, "incoming", G_CALLBACK(on_incoming),
                     clients);
    g_socket_service_start(clients->service);
    return clients;
}

void
http_clients_stop(HttpClients *clients)
{
    g_socket_service_stop(clients->service);
    g_socket_listener_close(G_SOCKET_LISTENER(clients->service));
}

guint
http_clients_count_busy(const HttpClients *clients)
{
    guint n = 0;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, clients->clients);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        n += ((const Client *)value)->is_busy;
    return n;
}

void
http_clients_free(HttpClients *clients)
{
    http_clients_stop(clients);
    g_signal_handler_disconnect(clients->server, clients->on_read);
    g_signal_handler_disconnect(clients->server, clients->on_finished);
    g_signal_handler_disconnect(clients->server, clients->on_aborted);
    if (clients->timer)
        g_source_remove(clients->timer);
    g_hash_table_unref(clients->clients);
    g_object_unref(clients->service);
    g_free(clients);
}
