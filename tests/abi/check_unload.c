// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_unload.c - libpe-core in a program that opens and closes it at run
// time.

#include <dlfcn.h>
#include <glib.h>

static const char *library;

static void
stays_loaded_for_the_threads_that_it_has(void)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    g_assert_nonnull(handle);
    g_assert_nonnull(dlsym(handle, "pe_get_version"));
    g_assert_cmpint(dlclose(handle), ==, 0);
    g_assert_nonnull(dlopen(library, RTLD_NOW | RTLD_NOLOAD));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    library = argv[1];
    g_test_add_func("/unload/stays", stays_loaded_for_the_threads_that_it_has);
    return g_test_run();
}
