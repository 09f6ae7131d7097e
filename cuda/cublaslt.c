// SPDX-License-Identifier: LGPL-2.1-or-later
//
// cublaslt.c - opening cuBLASLt. Called by the backend when a device is opened.

#include "cuda/cublaslt.h"

#include <dlfcn.h>

#include "core/pe.h"

// By the loader's rules, then where the toolkit puts it.
static const char *const names[] = {
    "libcublasLt.so.13",
    "libcublasLt.so.12",
    "/usr/local/cuda/lib64/libcublasLt.so.13",
    "/usr/local/cuda/lib64/libcublasLt.so.12",
};

static void *
open_library(char **failure)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library)
            return library;
        if (!*failure)
            *failure = g_strdup(dlerror());
    }
    return NULL;
}

// Returns the name that the library lacks, or NULL.
static const char *
find_functions(void *library, PeCublasLt *lt)
{
#define FIND(name) \
    *(void **)&lt->name = dlsym(library, "cublasLt" #name); \
    if (!lt->name) \
        return "cublasLt" #name;
    PE_CUBLASLT_FUNCTIONS(FIND)
#undef FIND
    return NULL;
}

const PeCublasLt *
pe_cublaslt_open(GError **error)
{
    static GMutex lock;
    static PeCublasLt lt;
    static bool ready;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    g_autofree char *failure = NULL;
    if (ready)
        return &lt;
    void *library = open_library(&failure);
    if (!library) {
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                    "cuBLASLt was not found (%s); it comes with the CUDA "
                    "toolkit, version 12 or 13, LD_LIBRARY_PATH may name its "
                    "folder",
                    failure);
        return NULL;
    }
    const char *missing = find_functions(library, &lt);
    if (missing) {
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                    "this cuBLASLt has no function %s; versions 12 and 13 are "
                    "known",
                    missing);
        dlclose(library);
        return NULL;
    }
    ready = true;
    return &lt;
}
