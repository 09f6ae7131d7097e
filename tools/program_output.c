// SPDX-License-Identifier: LGPL-2.1-or-later
//
// program_output.c - see program_output.h.

#include "program_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/pe.h"

static const char *program_name;

// ---- Standard output ------------------------------------------------------

static int flush_error; // errno of the first that failed, or 0

void
program_output_flush(void)
{
    // errno is of fflush() or of what was printed just before.
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (failed && !flush_error)
        flush_error = errno;
}

// As g_print() does, which would forget why it failed.
static void
print(const char *text)
{
    fputs(text, stdout);
    program_output_flush();
}

static void
check_stdout(void)
{
    if (fflush(stdout) != 0 && !flush_error)
        flush_error = errno;
    if (!flush_error && !ferror(stdout))
        return;
    // Why one printf() of many failed is no longer known.
    fprintf(stderr, "%s: standard output: %s\n", program_name,
            flush_error ? g_strerror(flush_error)
                        : "something could not be written");
    _exit(1); // exit() must not be called while it runs
}

static void
print_version(void)
{
    printf("%s (gst-perception-encoder) " PE_VERSION "\n", program_name);
    if (strcmp(pe_get_version(), PE_VERSION) != 0)
        printf("libpe-core %s\n", pe_get_version());
}

bool
program_output_begin(const char *name, int argc, char **argv)
{
    program_name = name;
    g_set_prgname(name);
    // Of what is opened for reading, a write fails as of a closed stream.
    int fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDONLY);
    if (fd >= 0)
        close(fd);
    g_set_print_handler(print); // of GOption's --help
    if (atexit(check_stdout) != 0)
        g_error("no memory for what ends the program");
    if (argc < 2 || strcmp(argv[1], "--version") != 0)
        return false;
    print_version();
    return true;
}

// ---- Options --------------------------------------------------------------

static gboolean
on_version(const char *option, const char *value, void *data, GError **error)
{
    print_version();
    exit(0); // as GOption does after --help
}

void
program_output_add_version(GOptionContext *context)
{
    static const GOptionEntry entries[] = {
        {"version", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK,
         (void *)on_version, "Show the version", NULL},
        {NULL},
    };
    g_option_context_add_main_entries(context, entries, NULL);
}

bool
program_output_parse(GOptionContext *context, const char *command, int *argc,
                     char ***argv, GError **error)
{
    program_output_add_version(context);
    if (command) {
        // The first word of "Usage:" is this name.
        g_autofree char *usage =
            g_strdup_printf("%s %s", program_name, command);
        g_set_prgname(usage);
    }
    bool ok = g_option_context_parse(context, argc, argv, error);
    g_set_prgname(program_name);
    return ok;
}

// ---- Files ----------------------------------------------------------------

static const char *
describe_kind(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a named pipe";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

char *
program_output_resolve(const char *path, GError **error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        if (lstat(path, &status) != 0 || !S_ISLNK(status.st_mode))
            return g_strdup(path); // what creates it tells why it cannot
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: is a symbolic link that leads to no file; remove it "
                    "or name another file",
                    path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: is %s, but only a regular file can be replaced; name "
                    "another file",
                    path, describe_kind(status.st_mode));
        return NULL;
    }
    char *real = realpath(path, NULL);
    char *resolved = g_strdup(real ? real : path);
    free(real);
    return resolved;
}

bool
program_output_check(const char *path, GError **error)
{
    g_autofree char *resolved = program_output_resolve(path, error);
    return resolved != NULL;
}

bool
program_output_write(const char *path, const char *data, gssize length,
                     GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *resolved = program_output_resolve(path, error);
    if (!resolved)
        return false;
    if (g_file_set_contents(resolved, data, length, &cause))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s", cause->message);
    return false;
}
