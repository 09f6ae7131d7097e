// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clients.h - the connections of a server, within bounds: how many there are,
// how long a request may take to arrive, and how long a client may leave an
// answer lying. A connection has one request. Lives on the main thread.

#pragma once

#include <libsoup/soup.h>

typedef struct HttpClients HttpClients;

// Listen for a server, which is borrowed. Returns NULL with the error.
//   bound  gets the address with its port, g_object_unref()
HttpClients *http_clients_new(SoupServer *server, GSocketAddress *address,
                              GSocketAddress **bound, GError **error);
// Take no more connections.
void http_clients_stop(HttpClients *clients);
// Those that have sent a request that is not answered yet.
guint http_clients_count_busy(const HttpClients *clients);
void http_clients_free(HttpClients *clients);
