// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reply.c - see reply.h.

#include "reply.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE (256 * 1024) // bytes

void
http_reply_text(SoupServerMessage *message, guint status, const char *type,
                const char *text)
{
    soup_server_message_set_status(message, status, NULL);
    soup_server_message_set_response(message, type, SOUP_MEMORY_COPY, text,
                                     strlen(text));
}

void
http_reply_bytes(SoupServerMessage *message, guint status, const char *type,
                 GBytes *bytes)
{
    SoupMessageHeaders *headers =
        soup_server_message_get_response_headers(message);
    soup_server_message_set_status(message, status, NULL);
    soup_message_headers_replace(headers, "Content-Type", type);
    soup_message_body_append_bytes(
        soup_server_message_get_response_body(message), bytes);
}

// ---- Files -----------------------------------------------------------------

// A file on its way; two own it: the message, and the piece that is read.
typedef struct {
    SoupServerMessage *message; // NULL: gone
    int fd;
    goffset next, end; // bytes of the file
} Sending;

static void
sending_free(gpointer data)
{
    Sending *sending = data;
    close(sending->fd);
}

static void
sending_unref(gpointer sending)
{
    g_atomic_rc_box_release_full(sending, sending_free);
}

static void
read_piece(GTask *task, gpointer source, gpointer data, GCancellable *cancel)
{
    Sending *sending = data;
    size_t size = (size_t)MIN(PIECE, sending->end - sending->next);
    char *piece = g_malloc(size);
    ssize_t n;
    do
        n = pread(sending->fd, piece, size, (off_t)sending->next);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        g_task_return_pointer(task, g_bytes_new_take(piece, (gsize)n),
                              (GDestroyNotify)g_bytes_unref);
        return;
    }
    g_free(piece);
    g_task_return_pointer(task, NULL, NULL);
}

// On the main thread, as all below.
static void
on_piece(GObject *source, GAsyncResult *result, gpointer data)
{
    Sending *sending = g_task_get_task_data(G_TASK(result));
    g_autoptr(GBytes) piece = g_task_propagate_pointer(G_TASK(result), NULL);
    if (!sending->message)
        return;
    SoupMessageBody *body =
        soup_server_message_get_response_body(sending->message);
    if (piece) {
        sending->next += (goffset)g_bytes_get_size(piece);
        soup_message_body_append_bytes(body, piece);
    } else {
        // Less than was promised: an empty piece ends the connection.
        soup_message_body_complete(body);
    }
    soup_server_message_unpause(sending->message);
}

static void
send_next(SoupServerMessage *message, gpointer data)
{
    Sending *sending = data;
    if (sending->next >= sending->end)
        return;
    soup_server_message_pause(message);
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_piece, NULL);
    g_task_set_task_data(task, g_atomic_rc_box_acquire(sending), sending_unref);
    g_task_run_in_thread(task, read_piece);
}

static void
on_finished(SoupServerMessage *message, gpointer data)
{
    Sending *sending = data;
    sending->message = NULL;
}

static void
disconnect_sending(gpointer data, GClosure *closure)
{
    sending_unref(data);
}

// What the request wants of a file. Several ranges, and ranges of anything but
// bytes, are answered by all of it, as they may be. false: there is nothing of
// it.
static bool
find_range(SoupServerMessage *message, goffset size, goffset *start,
           goffset *end)
{
    SoupMessageHeaders *asked =
        soup_server_message_get_request_headers(message);
    SoupRange *ranges = NULL;
    int n = 0;
    *start = 0;
    *end = size;
    const char *range = soup_message_headers_get_one(asked, "Range");
    if (!range || !g_str_has_prefix(range, "bytes="))
        return true;
    if (!soup_message_headers_get_ranges(asked, size, &ranges, &n))
        return size == 0;
    bool ok = true;
    if (n == 1) {
        *start = ranges[0].start;
        *end = MIN(ranges[0].end + 1, size);
        ok = *start >= 0 && *start < *end;
    }
    soup_message_headers_free_ranges(asked, ranges);
    return ok;
}

void
http_reply_file(SoupServerMessage *message, const char *type, int fd,
                goffset size)
{
    SoupMessageHeaders *headers =
        soup_server_message_get_response_headers(message);
    SoupMessageBody *body = soup_server_message_get_response_body(message);
    goffset start, end;
    soup_message_headers_replace(headers, "Accept-Ranges", "bytes");
    if (!find_range(message, size, &start, &end)) {
        g_autofree char *whole =
            g_strdup_printf("bytes */%" G_GOFFSET_FORMAT, size);
        soup_message_headers_replace(headers, "Content-Range", whole);
        http_reply_text(message, SOUP_STATUS_REQUESTED_RANGE_NOT_SATISFIABLE,
                        "text/plain", "the file is shorter\n");
        close(fd);
        return;
    }
    bool is_part = start > 0 || end < size;
    soup_server_message_set_status(
        message, is_part ? SOUP_STATUS_PARTIAL_CONTENT : SOUP_STATUS_OK, NULL);
    if (is_part)
        soup_message_headers_set_content_range(headers, start, end - 1, size);
    soup_message_headers_replace(headers, "Content-Type", type);
    soup_message_headers_set_content_length(headers, end - start);
    if (g_str_equal(soup_server_message_get_method(message), "HEAD") ||
        start == end) {
        close(fd);
        return;
    }
    soup_message_body_set_accumulate(body, FALSE);
    Sending *sending = g_atomic_rc_box_new0(Sending);
    *sending = (Sending){message, fd, start, end};
    g_signal_connect_data(message, "finished", G_CALLBACK(on_finished),
                          g_atomic_rc_box_acquire(sending), disconnect_sending,
                          0);
    g_signal_connect_data(message, "wrote-chunk", G_CALLBACK(send_next),
                          sending, disconnect_sending, 0);
    send_next(message, sending);
}
