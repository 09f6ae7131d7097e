// SPDX-License-Identifier: LGPL-2.1-or-later
//
// program_output.h - what the programs write, where it can go wrong: standard
// output that takes no more, and files that are replaced. Knows nothing of what
// is written. Every program's main() and all that write a file call it.

#pragma once

#include <glib.h>
#include <stdbool.h>

// Call first in main(): the program has that name, and prints its version when
// it was asked for. True: that was all. When the program ends, by exit() or a
// return, with something in standard output that could not be written, it says
// so and its exit status is 1. Where a standard stream is closed, nothing else
// that the program opens takes its place.
bool program_output_begin(const char *name, int argc, char **argv);

// One more option, --version, which prints it and ends the program with 0
// wherever it stands.
void program_output_add_version(GOptionContext *context);

// g_option_context_parse(), with --version.
//   command  of a program with several, which --help then tells too; NULL: none
bool program_output_parse(GOptionContext *context, const char *command,
                          int *argc, char ***argv, GError **error);

// fflush(stdout), right after something was printed. What failed is remembered
// for the end of the program.
void program_output_flush(void);

// Returns the path of the file to replace by renaming, g_free(): `path`, or
// where its symbolic link leads. NULL, PE_ERROR_FILE: there is something
// that is no regular file, such as a device, or the link leads nowhere.
char *program_output_resolve(const char *path, GError **error);

// Whether program_output_resolve() finds a file, to say so before long work.
bool program_output_check(const char *path, GError **error);

// Replace the file, whole or not at all. length: of data, -1: up to its NUL
bool program_output_write(const char *path, const char *data, gssize length,
                          GError **error);
