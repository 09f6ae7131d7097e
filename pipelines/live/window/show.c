// SPDX-License-Identifier: LGPL-2.1-or-later
//
// show.c - see show.h.

#include "show.h"

#include "pipelines/live/window/wall.h"

// Of texts on a stream's picture, as a share of its height: larger where the
// wall makes the picture smaller.
#define TEXT_SIZE 0.03
#define MOST_TEXT_SIZE 0.09

// "gate", or "gate: retrying, no picture for 3.0 s".
static char *
describe(const Stream *stream)
{
    Status status = stream->supervisor.status;
    if (status == STATUS_RUNNING)
        return g_strdup(stream->name);
    return g_strdup_printf("%s: %s%s%s", stream->name, status_nick(status),
                           stream->detail ? ", " : "",
                           stream->detail ? stream->detail : "");
}

static Tile *
look_at(Stream *stream, double text_size)
{
    GstSample *picture = NULL;
    if (stream->attempt) {
        attempt_set_text_size(stream->attempt, text_size);
        picture = attempt_take_picture(stream->attempt, PICTURE_OVERLAY);
        attempt_want_picture(stream->attempt, PICTURE_OVERLAY);
    }
    g_autofree char *text = describe(stream);
    return tile_new(stream->name, text,
                    stream->supervisor.status == STATUS_RUNNING, picture);
}

void
show_streams(Window *window, Streams *streams)
{
    if (!window_is_ready(window))
        return;
    GPtrArray *tiles =
        g_ptr_array_new_with_free_func((GDestroyNotify)tile_free);
    double text_size =
        MIN(TEXT_SIZE * wall_count_rows(streams->list->len), MOST_TEXT_SIZE);
    for (guint i = 0; i < streams->list->len; i++)
        g_ptr_array_add(tiles, look_at(streams->list->pdata[i], text_size));
    window_show(window, tiles);
}
