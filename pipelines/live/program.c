// SPDX-License-Identifier: LGPL-2.1-or-later
//
// program.c - see program.h.

#include "program.h"

#include <stdio.h>

#include "pipelines/live/address.h"

int
program_fail(const char *message)
{
    g_autofree char *text = address_redact(NULL, message);
    fprintf(stderr, "%s: %s\n", g_get_prgname(), text);
    return 1;
}

int
program_fail_usage(const char *command, const char *message)
{
    program_fail(message);
    fprintf(stderr, "Try \"%s %s%s--help\".\n", g_get_prgname(),
            command ? command : "", command ? " " : "");
    return 2;
}
