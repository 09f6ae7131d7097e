// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sheet.c - see sheet.h. Of what chafa writes it knows only that a line is a
// row of characters, with SGR escapes between them.

#include "sheet.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"

enum {
    WIDTH = 25, // characters of a picture
    HEIGHT = 9,
    GAP = 2,
    CAPTION = 2,   // lines
    PATIENCE = 10, // s that chafa may take for a picture
};

bool
sheet_check(GError **error)
{
    g_autofree char *path = g_find_program_in_path("chafa");
    if (!path)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "--sheet needs the program chafa, which is not installed "
                    "(Debian: apt install chafa)");
    return path != NULL;
}

// ---- Pictures --------------------------------------------------------------

typedef struct {
    GSubprocess *process;
    GMainLoop *loop;
    GBytes *out;
    GError *error;
} Call;

static void
on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    g_subprocess_communicate_finish(call->process, result, &call->out, NULL,
                                    &call->error);
    g_main_loop_quit(call->loop);
}

static gboolean
on_late(gpointer data)
{
    Call *call = data;
    g_subprocess_force_exit(call->process);
    return G_SOURCE_REMOVE;
}

// A file without a name, from its begin: a pipe would end us by a signal when
// chafa ends early. -1 with the error.
static int
make_file(GBytes *jpeg, GError **error)
{
    gsize size;
    const char *data = g_bytes_get_data(jpeg, &size);
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("pe-search-XXXXXX.jpg", &path, error);
    if (fd < 0)
        return -1;
    g_unlink(path);
    if (write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be written", path);
    close(fd);
    return -1;
}

static GSubprocess *
start(int fd, GError **error)
{
    g_autofree char *size = g_strdup_printf("%dx%d", WIDTH, HEIGHT);
    bool is_terminal = isatty(STDOUT_FILENO);
    const char *argv[] = {"chafa",
                          "--format",
                          "symbols",
                          "--size",
                          size,
                          "--animate",
                          "off",
                          "--polite",
                          "on",
                          "-",
                          is_terminal ? NULL : "--colors=none",
                          NULL};
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
        G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_subprocess_launcher_take_stdin_fd(launcher, fd);
    return g_subprocess_launcher_spawnv(launcher, argv, error);
}

static void
communicate(Call *call, GMainContext *context)
{
    GSource *limit = g_timeout_source_new_seconds(PATIENCE);
    g_source_set_callback(limit, on_late, call, NULL);
    g_source_attach(limit, context);
    g_subprocess_communicate_async(call->process, NULL, NULL, on_done, call);
    g_main_loop_run(call->loop);
    g_source_destroy(limit);
    g_source_unref(limit);
}

// What chafa prints of a JPEG; NULL with the error.
static GBytes *
draw(GBytes *jpeg, GError **error)
{
    int fd = make_file(jpeg, error);
    if (fd < 0)
        return NULL;
    GMainContext *context = g_main_context_new();
    Call call = {.loop = g_main_loop_new(context, FALSE)};
    g_main_context_push_thread_default(context);
    call.process = start(fd, &call.error);
    if (call.process)
        communicate(&call, context);
    g_main_context_pop_thread_default(context);
    bool ok = call.process && !call.error &&
              g_subprocess_get_if_exited(call.process) &&
              g_subprocess_get_exit_status(call.process) == 0;
    if (!ok)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "chafa could not draw a picture%s%s",
                    call.error ? ": " : "",
                    call.error ? call.error->message : "");
    if (!ok)
        g_clear_pointer(&call.out, g_bytes_unref);
    g_clear_object(&call.process);
    g_clear_error(&call.error);
    g_main_loop_unref(call.loop);
    g_main_context_unref(context);
    return call.out;
}

// ---- Lines -----------------------------------------------------------------

// Characters that a line takes in the terminal.
static int
count_columns(const char *line)
{
    int n = 0;
    while (*line) {
        if (*line == '\033') {
            line += strcspn(line, "m");
            line += *line == 'm';
            continue;
        }
        gunichar c = g_utf8_get_char(line);
        n += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
        line = g_utf8_next_char(line);
    }
    return n;
}

// A printable text, cut to the width of a picture.
static char *
cut(const char *text)
{
    int n = 0;
    const char *end = text;
    while (*end) {
        gunichar c = g_utf8_get_char(end);
        n += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
        if (n > WIDTH)
            break;
        end = g_utf8_next_char(end);
    }
    return g_strndup(text, (gsize)(end - text));
}

// The lines of one moment: HEIGHT of its picture, then its caption. NULL with
// the error.
static GPtrArray *
make_cell(const Moment *moment, guint rank, GError **error)
{
    g_autoptr(GBytes) drawn =
        moment->thumbnail ? draw(moment->thumbnail, error) : NULL;
    if (moment->thumbnail && !drawn)
        return NULL;
    gsize size = 0;
    const char *data = drawn ? g_bytes_get_data(drawn, &size) : NULL;
    g_autofree char *text = g_utf8_make_valid(data ? data : "", (gssize)size);
    g_auto(GStrv) rows = g_strsplit(text, "\n", HEIGHT + 1);
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    bool more = true;
    for (int i = 0; i < HEIGHT; i++) {
        more = more && rows[i];
        g_ptr_array_add(lines, g_strdup(more ? rows[i] : ""));
    }
    g_autofree char *start = output_time(moment->start);
    g_autofree char *base = g_path_get_basename(moment->file->name);
    g_autofree char *name = output_printable(base);
    g_ptr_array_add(
        lines, g_strdup_printf("%u  %.1f  %s", rank, moment->score, start));
    g_ptr_array_add(lines, cut(name));
    return lines;
}

static void
print_cells(GPtrArray **cells, int n)
{
    for (guint row = 0; row < HEIGHT + CAPTION; row++) {
        for (int i = 0; i < n; i++) {
            const char *line = cells[i]->pdata[row];
            fputs(line, stdout);
            if (strchr(line, '\033'))
                fputs("\033[0m", stdout);
            if (i + 1 < n)
                printf("%*s", MAX(WIDTH - count_columns(line), 0) + GAP, "");
        }
        putchar('\n');
    }
    putchar('\n');
}

static int
count_per_row(void)
{
    enum { USUAL = 80 };
    struct winsize size = {0};
    int columns =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : USUAL;
    return MAX((columns + GAP) / (WIDTH + GAP), 1);
}

bool
sheet_print(const GPtrArray *moments, GError **error)
{
    int per_row = count_per_row();
    g_autoptr(GPtrArray) cells =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < moments->len; i++) {
        GPtrArray *cell = make_cell(moments->pdata[i], i + 1, error);
        if (!cell)
            return false;
        g_ptr_array_add(cells, cell);
    }
    for (int i = 0; i < (int)cells->len; i += per_row)
        print_cells((GPtrArray **)cells->pdata + i,
                    MIN(per_row, (int)cells->len - i));
    return true;
}
