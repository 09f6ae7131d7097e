// SPDX-License-Identifier: LGPL-2.1-or-later
//
// program.h - how pe-live says that it cannot go on.

#pragma once

// Print why the program failed, without users and passwords of URIs.
// Returns its exit status, 1.
int program_fail(const char *message);

// Print what is wrong with the command line, and where help is.
//   command  "ctl", or NULL
// Returns the program's exit status, 2.
int program_fail_usage(const char *command, const char *message);
