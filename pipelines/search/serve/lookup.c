// SPDX-License-Identifier: LGPL-2.1-or-later
//
// lookup.c - see lookup.h.

#include "lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipelines/search/clips.h"
#include "pipelines/tag/sources.h"
#include "tools/json_line.h"

#define MAX_FOLDERS 2000
#define MAX_CLIP (3600 * G_GINT64_CONSTANT(1000000000)) // ns

static Answer *
tell_nothing(void)
{
    return answer_new_text(SOUP_STATUS_NOT_FOUND, "there is nothing here");
}

static bool
read_row(const char *text, gint64 *row)
{
    guint64 number;
    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &number, NULL))
        return false;
    *row = (gint64)number;
    return true;
}

// ---- The archive -----------------------------------------------------------

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Folders that have files, with how many.
static char *
list_folders(GPtrArray *files)
{
    g_autoptr(GHashTable) counts =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < files->len; i++) {
        char *folder =
            g_path_get_dirname(((ArchiveFile *)files->pdata[i])->name);
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, folder));
        g_hash_table_insert(counts, folder, GUINT_TO_POINTER(n + 1));
    }
    guint n_folders;
    g_autofree char **names =
        (char **)g_hash_table_get_keys_as_array(counts, &n_folders);
    qsort(names, n_folders, sizeof *names, compare_names);
    GString *text = g_string_new("[");
    for (guint i = 0; i < MIN(n_folders, MAX_FOLDERS); i++) {
        JsonLine j;
        json_line_begin(&j);
        json_line_string(&j, "folder", names[i]);
        json_line_int(&j, "files",
                      GPOINTER_TO_UINT(g_hash_table_lookup(counts, names[i])));
        g_autofree char *object = json_line_steal(&j);
        g_string_append_printf(text, "%s%s", i ? "," : "", object);
    }
    return g_string_free(g_string_append_c(text, ']'), FALSE);
}

Answer *
lookup_archive(void *data, void *asked)
{
    LookupState *state = data;
    g_autoptr(GError) error = NULL;
    Archive *archive = archive_handle_get(state->handle, &error);
    g_autoptr(GPtrArray) files = NULL;
    if (archive && archive_hold(archive, &error)) {
        files = archive_list_files(archive, &error);
        archive_release(archive);
    }
    if (!files)
        return answer_new_error(error);
    JsonLine j;
    g_autofree char *folders = list_folders(files);
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-archive-1");
    json_line_string(&j, "type", "archive");
    json_line_bool(&j, "ok", TRUE);
    json_line_string(&j, "model", archive_get_model(archive));
    json_line_int(&j, "files", files->len);
    json_line_json(&j, "folders", folders);
    return answer_new_json(SOUP_STATUS_OK, json_line_steal(&j));
}

// ---- Pictures --------------------------------------------------------------

Answer *
lookup_thumbnail(void *data, void *asked)
{
    LookupState *state = data;
    g_autoptr(GError) error = NULL;
    gint64 row;
    if (!read_row(asked, &row))
        return tell_nothing();
    Archive *archive = archive_handle_get(state->handle, &error);
    GBytes *jpeg = NULL;
    if (archive && archive_hold(archive, &error)) {
        jpeg = archive_read_thumbnail(archive, row, &error);
        archive_release(archive);
    }
    if (error)
        return answer_new_error(error);
    if (!jpeg)
        return answer_new_text(SOUP_STATUS_NOT_FOUND,
                               "the archive has no picture of this");
    Answer *answer = g_new0(Answer, 1);
    *answer = (Answer){SOUP_STATUS_OK, "image/jpeg", jpeg, -1, 0, NULL};
    return answer;
}

// ---- Files -----------------------------------------------------------------

// A row's content, and the files that have it; NULL with the error. The archive
// is held.
static GPtrArray *
find_copies(Archive *archive, gint64 row, ArchiveRows *content, GError **error)
{
    return archive_find_row(archive, row, content, error)
               ? archive_list_copies(archive, content->content, error)
               : NULL;
}

// Nothing but a regular file: neither a pipe, which would be waited for, nor a
// device. -1 with the error.
static int
open_regular(const char *path, goffset *size, GError **error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *reason = NULL;
    if (fd < 0 || fstat(fd, &status) != 0)
        reason = g_strerror(errno);
    else if (!S_ISREG(status.st_mode))
        reason = "is no file, although it was one";
    if (!reason) {
        *size = status.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: %s", path, reason);
    return -1;
}

// The first copy that is there; -1 with the error of the last one.
static int
open_copy(GPtrArray *copies, const char **name, goffset *size, GError **error)
{
    GError *e = NULL;
    int fd = -1;
    for (guint i = 0; i < copies->len && fd < 0; i++) {
        g_clear_error(&e);
        *name = ((ArchiveFile *)copies->pdata[i])->name;
        Source *source = source_new(*name);
        if (source->is_local)
            fd = open_regular(*name, size, &e);
        else
            g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT,
                        "%s: is not on this machine; open it by its address",
                        *name);
        source_free(source);
    }
    if (fd < 0 && !e)
        g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT,
                    "no file has this content any more");
    if (fd < 0)
        g_propagate_error(error, e);
    else
        g_clear_error(&e);
    return fd;
}

static const char *
find_type(const char *name)
{
    static const char *const types[][2] = {
        {".mp4", "video/mp4"},        {".m4v", "video/mp4"},
        {".mov", "video/quicktime"},  {".3gp", "video/3gpp"},
        {".mkv", "video/x-matroska"}, {".webm", "video/webm"},
        {".avi", "video/x-msvideo"},  {".ts", "video/mp2t"},
        {".mts", "video/mp2t"},       {".m2ts", "video/mp2t"},
        {".ogv", "video/ogg"},        {".mpg", "video/mpeg"},
        {".mpeg", "video/mpeg"},      {".flv", "video/x-flv"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < G_N_ELEMENTS(types); i++) {
        if (g_ascii_strcasecmp(dot, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

Answer *
lookup_video(void *data, void *asked)
{
    LookupState *state = data;
    g_autoptr(GError) error = NULL;
    gint64 row;
    ArchiveRows content;
    if (!read_row(asked, &row))
        return tell_nothing();
    Archive *archive = archive_handle_get(state->handle, &error);
    g_autoptr(GPtrArray) copies = NULL;
    if (archive && archive_hold(archive, &error)) {
        copies = find_copies(archive, row, &content, &error);
        archive_release(archive);
    }
    const char *name;
    goffset size;
    int fd = copies ? open_copy(copies, &name, &size, &error) : -1;
    if (fd < 0)
        return answer_new_error(error);
    Answer *answer = g_new0(Answer, 1);
    *answer = (Answer){SOUP_STATUS_OK, find_type(name), NULL, fd, size, NULL};
    return answer;
}

// ---- Clips -----------------------------------------------------------------

static bool
read_rows(const char *text, gint64 *first, gint64 *last)
{
    g_auto(GStrv) parts = g_strsplit(text, "-", 2);
    return parts[0] && parts[1] && read_row(parts[0], first) &&
           read_row(parts[1], last) && *first <= *last;
}

// From the first to the last row, of one content; the archive is held. false
// with the error.
static bool
find_stretch(Archive *archive, gint64 first, gint64 last, Clip *clip,
             GPtrArray **copies, GError **error)
{
    ArchiveRows rows;
    *copies = find_copies(archive, first, &rows, error);
    g_autoptr(ArchiveContent) content =
        *copies ? archive_read_content(archive, rows.content, error) : NULL;
    if (!content)
        return false;
    gint64 n = content->frames->len;
    if (last - rows.first_row >= n) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "these frames are not of one video");
        return false;
    }
    clip->start =
        g_array_index(content->frames, ArchiveFrame, first - rows.first_row)
            .start;
    clip->end =
        g_array_index(content->frames, ArchiveFrame, last - rows.first_row).end;
    if (clip->end - clip->start <= MAX_CLIP)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "this is longer than an hour; pe-search --save-clips writes "
                "it");
    return false;
}

// Into a file that has no name any more. -1 with the error.
static int
cut(const Clip *clip, goffset *size, GError **error)
{
    struct stat status;
    g_autofree char *path = NULL;
    GError *cause = NULL;
    int fd = g_file_open_tmp("pe-search-XXXXXX.mkv", &path, &cause);
    if (fd < 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s", cause->message);
        g_error_free(cause);
        return -1;
    }
    bool ok = clips_save_one(path, clip, error);
    g_unlink(path);
    if (ok && fstat(fd, &status) == 0) {
        *size = status.st_size;
        return fd;
    }
    if (ok)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", path,
                    g_strerror(errno));
    close(fd);
    return -1;
}

// A copy that is there, as far as that can be told.
static bool
choose_copy(GPtrArray *copies, Clip *clip, GError **error)
{
    goffset size;
    int fd = open_copy(copies, &clip->name, &size, error);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

Answer *
lookup_clip(void *data, void *asked)
{
    LookupState *state = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) copies = NULL;
    Clip clip = {.is_cancelled = &state->is_cancelled};
    gint64 first, last;
    goffset size;
    if (!read_rows(asked, &first, &last))
        return tell_nothing();
    Archive *archive = archive_handle_get(state->handle, &error);
    bool is_there = false;
    if (archive && archive_hold(archive, &error)) {
        is_there = find_stretch(archive, first, last, &clip, &copies, &error);
        archive_release(archive);
    }
    int fd = is_there && choose_copy(copies, &clip, &error)
                 ? cut(&clip, &size, &error)
                 : -1;
    if (fd < 0)
        return answer_new_error(error);
    Answer *answer = g_new0(Answer, 1);
    *answer = (Answer){SOUP_STATUS_OK, "video/x-matroska",       NULL, fd,
                       size,           clips_make_name(&clip, 0)};
    return answer;
}
