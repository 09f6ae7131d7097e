// SPDX-License-Identifier: LGPL-2.1-or-later
//
// write_tiny_model.c - the tiny model for tests that are not C:
// write_tiny_model FOLDER

#include "tiny_model.h"

int
main(int argc, char **argv)
{
    g_assert_cmpint(argc, ==, 2);
    g_free(tiny_model_write(argv[1], 1));
    return 0;
}
