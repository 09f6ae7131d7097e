// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehistoryfile.c - see gstpehistoryfile.h.

#include "gst/events/gstpehistoryfile.h"

#include "core/pe.h"

#define EVERY_US (300 * G_USEC_PER_SEC)

struct _GstPeHistoryFile {
    int refs; // atomic
    char *path;
    int64_t due;  // monotonic, us; of the streaming thread
    guint64 last; // number of the last dump; the same
    GMutex lock;  // of the file and of:
    guint64 written;
    bool warned;
};

typedef struct {
    GstPeHistoryFile *file;
    char *dump;
    guint64 number;
} Write;

GstPeHistoryFile *
gst_pe_history_file_new(const char *path)
{
    GstPeHistoryFile *file = g_new0(GstPeHistoryFile, 1);

    file->refs = 1;
    file->path = g_strdup(path);
    file->due = g_get_monotonic_time() + EVERY_US;
    g_mutex_init(&file->lock);
    return file;
}

void
gst_pe_history_file_unref(GstPeHistoryFile *file)
{
    if (!g_atomic_int_dec_and_test(&file->refs))
        return;
    g_mutex_clear(&file->lock);
    g_free(file->path);
    g_free(file);
}

const char *
gst_pe_history_file_get_path(const GstPeHistoryFile *file)
{
    return file->path;
}

bool
gst_pe_history_file_is_due(const GstPeHistoryFile *file)
{
    return g_get_monotonic_time() >= file->due;
}

static void
write_dump(GstElement *element, void *data)
{
    const Write *w = data;
    GstPeHistoryFile *file = w->file;
    g_autoptr(GError) error = NULL;
    bool warn = false;

    g_mutex_lock(&file->lock);
    if (w->number > file->written) {
        bool ok = pe_events_save_history(file->path, w->dump, &error);
        warn = !ok && !file->warned;
        file->warned |= !ok;
        file->written = w->number;
    }
    g_mutex_unlock(&file->lock);
    if (warn)
        GST_ELEMENT_WARNING(
            element, RESOURCE, WRITE,
            ("%s; the history of events goes on in memory", error->message),
            (NULL));
}

static void
free_write(void *data)
{
    Write *w = data;

    gst_pe_history_file_unref(w->file);
    g_free(w->dump);
    g_free(w);
}

void
gst_pe_history_file_write(GstPeHistoryFile *file, GstElement *element,
                          char *dump, bool wait)
{
    Write *w = g_new(Write, 1);

    *w = (Write){file, dump, ++file->last};
    g_atomic_int_inc(&file->refs);
    file->due = g_get_monotonic_time() + EVERY_US;
    if (wait) {
        write_dump(element, w);
        free_write(w);
    } else {
        gst_element_call_async(element, write_dump, w, free_write);
    }
}
