// SPDX-License-Identifier: LGPL-2.1-or-later
//
// handle.c - see handle.h. Each thread of the server has one.

#include "handle.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "pipelines/postgres/postgres.h"

struct ArchiveHandle {
    char *uri; // of a database; NULL: it is in a folder
    bool exact;
    char *folder, *index;
    Archive *archive; // NULL: not opened
    GStatBuf opened;  // which file it is
};

ArchiveHandle *
archive_handle_new(const char *place, bool exact)
{
    ArchiveHandle *handle = g_new0(ArchiveHandle, 1);
    if (postgres_is_uri(place)) {
        handle->uri = g_strdup(place);
        handle->exact = exact;
        return handle;
    }
    handle->folder = g_canonicalize_filename(place, NULL);
    handle->index = g_build_filename(handle->folder, "index.sqlite", NULL);
    return handle;
}

void
archive_handle_free(ArchiveHandle *handle)
{
    g_clear_pointer(&handle->archive, archive_close);
    g_free(handle->uri);
    g_free(handle->folder);
    g_free(handle->index);
    g_free(handle);
}

// Also when the connection was lost, there is another one.
static Archive *
get_from_database(ArchiveHandle *handle, GError **error)
{
    if (handle->archive && archive_is_current(handle->archive, NULL))
        return handle->archive;
    g_clear_pointer(&handle->archive, archive_close);
    handle->archive = postgres_open(handle->uri, handle->exact, error);
    return handle->archive;
}

Archive *
archive_handle_get(ArchiveHandle *handle, GError **error)
{
    if (handle->uri)
        return get_from_database(handle, error);
    GStatBuf now = {0};
    if (g_stat(handle->index, &now) != 0 && handle->archive) {
        int code = errno;
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", handle->index,
                    g_strerror(code));
        return NULL;
    }
    if (handle->archive && (now.st_dev != handle->opened.st_dev ||
                            now.st_ino != handle->opened.st_ino))
        g_clear_pointer(&handle->archive, archive_close);
    if (!handle->archive) {
        handle->opened = now;
        handle->archive = archive_open(handle->folder, error);
    }
    return handle->archive;
}
