// SPDX-License-Identifier: LGPL-2.1-or-later
//
// installed_file.c - see installed_file.h.

#include "installed_file.h"

#include <dlfcn.h>
#include <glib.h>

static char *
take_if_file(char *path)
{
    if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return path;
    g_free(path);
    return NULL;
}

char *
pe_installed_file_find(const char *const *beside, const char *installed)
{
    Dl_info self;
    char *path = NULL;
    if (dladdr((void *)pe_installed_file_find, &self) && self.dli_fname) {
        g_autofree char *dir = g_path_get_dirname(self.dli_fname);
        for (int i = 0; beside[i] && !path; i++)
            path = take_if_file(g_build_filename(dir, beside[i], NULL));
    }
    return path ? path : take_if_file(g_strdup(installed));
}
