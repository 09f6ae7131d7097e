// SPDX-License-Identifier: LGPL-2.1-or-later
//
// streams.c - see streams.h.

#include "streams.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "core/pe.h"

#define PERIOD_MS 50
#define TRIM_PERIOD G_USEC_PER_SEC

static void
look_after_leaving(Streams *streams, gint64 now)
{
    for (guint i = streams->leaving->len; i-- > 0;) {
        Stream *stream = streams->leaving->pdata[i];
        stream_tick(stream, now);
        if (stream->n_alive == 0)
            g_ptr_array_remove_index(streams->leaving, i);
    }
}

// The threads of a pipeline leave their free memory spread over the allocator's
// arenas, which would grow by a megabyte with every thousand pipelines.
static void
give_memory_back(Streams *streams, gint64 now)
{
    int n_alive = streams_count_alive(streams);
    streams->has_waste |= n_alive < streams->n_alive;
    streams->n_alive = n_alive;
    if (!streams->has_waste || now - streams->trim_time < TRIM_PERIOD)
        return;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    streams->has_waste = false;
    streams->trim_time = now;
}

static gboolean
look_after(gpointer data)
{
    Streams *streams = data;
    gint64 now = g_get_monotonic_time();
    for (guint i = 0; i < streams->list->len; i++)
        stream_tick(streams->list->pdata[i], now);
    look_after_leaving(streams, now);
    give_memory_back(streams, now);
    return G_SOURCE_CONTINUE;
}

Streams *
streams_new(LiveConfig *common)
{
    Streams *streams = g_new0(Streams, 1);
    streams->common = common;
    streams->listeners = g_array_new(FALSE, FALSE, sizeof(StreamListener));
    streams->list = g_ptr_array_new_with_free_func((GDestroyNotify)stream_free);
    streams->leaving =
        g_ptr_array_new_with_free_func((GDestroyNotify)stream_free);
    streams->timer = g_timeout_add(PERIOD_MS, look_after, streams);
    return streams;
}

void
streams_listen(Streams *streams, const StreamListener *listener)
{
    g_array_append_vals(streams->listeners, listener, 1);
}

void
streams_free(Streams *streams)
{
    g_source_remove(streams->timer);
    g_ptr_array_unref(streams->list);
    g_ptr_array_unref(streams->leaving);
    g_array_unref(streams->listeners);
    g_free(streams);
}

static Stream *
find(Streams *streams, const char *name)
{
    for (guint i = 0; i < streams->list->len; i++) {
        Stream *stream = streams->list->pdata[i];
        if (g_str_equal(stream->name, name))
            return stream;
    }
    return NULL;
}

Stream *
streams_find(Streams *streams, const char *name, GError **error)
{
    Stream *stream = find(streams, name);
    if (!stream) {
        g_autofree char *escaped = g_strescape(name, NULL);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "there is no stream \"%.80s\"", escaped);
    }
    return stream;
}

// "camera", "camera-2", "camera-3" ...
static void
number_name(Streams *streams, StreamConfig *config)
{
    g_autofree char *name = g_steal_pointer(&config->name);
    config->name = g_strdup(name);
    for (int n = 2; find(streams, config->name); n++) {
        g_free(config->name);
        config->name = g_strdup_printf("%s-%d", name, n);
    }
}

static Stream *
append(Streams *streams, Stream *stream)
{
    g_ptr_array_add(streams->list, stream);
    listeners_status(streams->listeners, stream);
    stream->told = stream->supervisor.status;
    return stream;
}

Stream *
streams_add(Streams *streams, StreamConfig *config, bool named, GError **error)
{
    if (!named)
        number_name(streams, config);
    if (find(streams, config->name)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "there is a stream \"%s\" already", config->name);
        stream_config_free(config);
        return NULL;
    }
    return append(streams, stream_new(streams->common, config,
                                      streams->listeners, g_random_int()));
}

void
streams_add_wrong(Streams *streams, const char *name, const char *problem)
{
    append(streams, stream_new_wrong(name, problem, streams->listeners));
}

void
streams_remove(Streams *streams, Stream *stream, bool drain)
{
    guint index;
    if (!g_ptr_array_find(streams->list, stream, &index))
        return;
    g_ptr_array_steal_index(streams->list, index);
    g_ptr_array_add(streams->leaving, stream);
    stream->removed = true;
    stream_stop(stream, drain);
}

void
streams_stop(Streams *streams)
{
    for (guint i = 0; i < streams->list->len; i++)
        stream_stop(streams->list->pdata[i], true);
}

bool
streams_are_done(const Streams *streams)
{
    for (guint i = 0; i < streams->list->len; i++) {
        if (!stream_is_done(streams->list->pdata[i]))
            return false;
    }
    return streams->list->len > 0;
}

bool
streams_have_failed(const Streams *streams)
{
    for (guint i = 0; i < streams->list->len; i++) {
        if (stream_has_failed(streams->list->pdata[i]))
            return true;
    }
    return false;
}

static int
count_alive(const GPtrArray *list)
{
    int n = 0;
    for (guint i = 0; i < list->len; i++)
        n += ((const Stream *)list->pdata[i])->n_alive;
    return n;
}

int
streams_count_alive(const Streams *streams)
{
    return count_alive(streams->list) + count_alive(streams->leaving);
}
