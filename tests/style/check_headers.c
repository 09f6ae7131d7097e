// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_headers.c - the public headers compile alone, in C11 and in C++17: the
// build puts each into a file of its own, made from check_headers.in. Linking
// them with this program is the test; that they have the project's version is
// another.

#include <stdio.h>
#include <string.h>

#include "core/pe.h"

int
main(void)
{
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", PE_VERSION_MAJOR,
             PE_VERSION_MINOR, PE_VERSION_MICRO);
    return strcmp(PE_VERSION, PROJECT_VERSION) || strcmp(PE_VERSION, numbers) ||
           strcmp(PE_VERSION, pe_get_version()) || !PE_CHECK_VERSION(0, 1, 0) ||
           PE_CHECK_VERSION(PE_VERSION_MAJOR, PE_VERSION_MINOR + 1, 0);
}
