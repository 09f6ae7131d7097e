// SPDX-License-Identifier: LGPL-2.1-or-later
//
// control.h - the control socket: a Unix socket of this user, JSON lines. Never
// waits for a client: one that does not send the rest of a line, or does not
// read its answer, within five seconds is dropped.

#pragma once

#include <gio/gio.h>
#include <stdbool.h>

// Where the answer to a request goes.
typedef struct ControlReply ControlReply;

// Answers a line: control_reply_send() must be called once, now or later.
typedef void (*ControlFunc)(const char *request, ControlReply *reply,
                            void *user_data);

// Takes both; answer has its newline. A client that has gone meanwhile gets
// none.
void control_reply_send(ControlReply *reply, char *answer);

typedef struct Control Control;

// $XDG_RUNTIME_DIR/pe-live.sock. Returns, g_free(), or NULL when that is not
// set.
char *control_default_path(void);

// Listens on `path`, where nothing may listen already. Returns NULL and sets
// `error` otherwise.
Control *control_new(const char *path, ControlFunc func, void *user_data,
                     GError **error);
// Also removes the socket.
void control_free(Control *control);
