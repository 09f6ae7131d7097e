// SPDX-License-Identifier: LGPL-2.1-or-later
//
// backend.c - the list of backends and the choice of one by name. The engine
// and the tools call this.
//
// CUDA is a module of its own, so that this library runs where there is no
// driver. It is looked for once, in this order:
//   $GST_PE_CUDA_MODULE, a file
//   gst-perception-encoder/ and ../cuda/ beside this library: installed, and in
//     a build tree
//   the folder that it was configured to be installed in

#include "backend.h"

#include <gmodule.h>

#include "core/base/installed_file.h"

#define CUDA_MODULE "libpe-cuda." G_MODULE_SUFFIX

// ---- The CUDA module --------------------------------------------------------

static const PeBackendOps *cuda;
static char *cuda_missing; // why `cuda` is NULL

static void
forward_log(PeLogLevel level, const char *message, void *user_data)
{
    pe_log(level, "%s", message);
}

// NULL: there is none in any of the places.
static char *
find_cuda_module(void)
{
    const char *file = g_getenv("GST_PE_CUDA_MODULE");
    if (file && *file)
        return g_strdup(file);
    static const char *const beside[] = {"gst-perception-encoder/" CUDA_MODULE,
                                         "../cuda/" CUDA_MODULE, NULL};
    return pe_installed_file_find(beside, PE_CUDA_MODULE_DIR "/" CUDA_MODULE);
}

static void
open_cuda_module(void)
{
    g_autofree char *path = find_cuda_module();
    if (!path) {
        cuda_missing = g_strdup("the module " CUDA_MODULE " was not found "
                                "beside the library nor in " PE_CUDA_MODULE_DIR
                                "; GST_PE_CUDA_MODULE may name it");
        return;
    }
    GModule *module =
        g_module_open(path, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
    void *symbol = NULL;
    if (!module || !g_module_symbol(module, PE_CUDA_GET_BACKEND, &symbol)) {
        cuda_missing =
            g_strdup_printf("%s cannot be loaded: %s", path, g_module_error());
        if (module)
            g_module_close(module);
        return;
    }
    g_module_make_resident(module);
    PeCudaGetBackendFunc get_backend = (PeCudaGetBackendFunc)symbol;
    cuda = get_backend(forward_log, NULL);
    pe_log(PE_LOG_DEBUG, "the CUDA module is %s", path);
}

// Every backend, best first; ends with NULL. "auto" takes the first that opens.
static const PeBackendOps *const *
list_backends(void)
{
    static const PeBackendOps *backends[3];
    static gsize ready;
    if (g_once_init_enter(&ready)) {
        int n = 0;
        open_cuda_module();
        if (cuda)
            backends[n++] = cuda;
        backends[n] = &pe_backend_cpu;
        g_once_init_leave(&ready, 1);
    }
    return backends;
}

// ---- Choosing ---------------------------------------------------------------

// "cuda:1" is device 1 of "cuda"; the number may be left out.
static bool
parse_device(const char *device, char **name, int *number)
{
    const char *colon = strchr(device, ':');
    *number = 0;
    *name =
        colon ? g_strndup(device, (gsize)(colon - device)) : g_strdup(device);
    guint64 n = 0;
    if (colon &&
        !g_ascii_string_to_unsigned(colon + 1, 10, 0, G_MAXINT, &n, NULL))
        return false;
    *number = (int)n;
    return true;
}

// "cuda:0, cuda:1, cpu"
static char *
available_devices(void)
{
    const PeBackendOps *const *backends = list_backends();
    GString *s = g_string_new(NULL);
    for (int i = 0; backends[i]; i++) {
        int count = backends[i]->count();
        for (int j = 0; j < count; j++) {
            g_string_append_printf(s, "%s%s", s->len ? ", " : "",
                                   backends[i]->name);
            if (backends[i] != &pe_backend_cpu)
                g_string_append_printf(s, ":%d", j);
        }
    }
    return g_string_free(s, FALSE);
}

static void
set_unavailable(GError **error, const char *device, const char *why)
{
    g_autofree char *available = available_devices();
    g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                "device \"%s\" is not available: %s (available: %s)", device,
                why, available);
}

// The CPU has no number.
static PeBackend *
open_named(const PeBackendOps *ops, const PeBackendParams *params,
           GError **error)
{
    PeBackend *be = ops->open(params, error);
    if (be && ops == &pe_backend_cpu)
        g_strlcpy(be->name, ops->name, sizeof be->name);
    else if (be)
        g_snprintf(be->name, sizeof be->name, "%s:%d", ops->name,
                   params->device);
    return be;
}

// Open the first backend that has both a device and the precision.
static PeBackend *
open_auto(PeBackendParams *params, GError **error)
{
    const PeBackendOps *const *backends = list_backends();
    g_autoptr(GString) skipped = g_string_new(NULL);
    if (cuda_missing)
        g_string_append_printf(skipped, "; not cuda: %s", cuda_missing);
    for (int i = 0; backends[i]; i++) {
        GError *e = NULL;
        PeBackend *be = open_named(backends[i], params, &e);
        if (be) {
            pe_log(PE_LOG_INFO, "device auto: %s (%s)%s", backends[i]->name,
                   be->ops->describe(be), skipped->str);
            if (skipped->len > 0)
                g_snprintf(be->note, sizeof be->note, "auto: %s",
                           skipped->str + strlen("; "));
            return be;
        }
        if (!g_error_matches(e, PE_ERROR, PE_ERROR_DEVICE)) {
            g_propagate_error(error, e);
            return NULL;
        }
        g_string_append_printf(skipped, "; not %s: %s", backends[i]->name,
                               e->message);
        g_error_free(e);
    }
    set_unavailable(error, "auto", skipped->str + strlen("; "));
    return NULL;
}

// Open a device of a backend that exists; the error names `device`.
static PeBackend *
open_device(const PeBackendOps *ops, const char *device,
            const PeBackendParams *params, GError **error)
{
    int count = ops->count();
    if (count > 0 && params->device >= count) {
        set_unavailable(error, device, "there is no such device");
        return NULL;
    }
    g_autoptr(GError) e = NULL;
    PeBackend *be = open_named(ops, params, &e);
    if (!be && count == 0)
        set_unavailable(error, device, e->message);
    else if (!be)
        g_propagate_error(error, g_steal_pointer(&e));
    return be;
}

// What "auto" would take first, if that has a device.
void *
pe_device_get_context(const char *device, int *number)
{
    g_autofree char *name = NULL;
    int n = 0;
    bool any = !device || !*device || strcmp(device, "auto") == 0;
    if (!any && !parse_device(device, &name, &n))
        return NULL;
    const PeBackendOps *const *backends = list_backends();
    for (int i = 0; backends[i]; i++) {
        const PeBackendOps *ops = backends[i];
        if (!(any || strcmp(ops->name, name) == 0) || n >= ops->count())
            continue;
        if (number)
            *number = n;
        return ops->get_context ? ops->get_context(n) : NULL;
    }
    return NULL;
}

PeBackend *
pe_backend_open(const char *device, PePrecision precision, int n_threads,
                GError **error)
{
    PeBackendParams params = {.precision = precision, .n_threads = n_threads};
    if (!device || strcmp(device, "auto") == 0)
        return open_auto(&params, error);

    g_autofree char *name = NULL;
    if (!parse_device(device, &name, &params.device)) {
        set_unavailable(error, device,
                        "expected a backend's name, or name:number");
        return NULL;
    }
    const PeBackendOps *const *backends = list_backends();
    for (int i = 0; backends[i]; i++) {
        if (strcmp(backends[i]->name, name) == 0)
            return open_device(backends[i], device, &params, error);
    }
    set_unavailable(error, device,
                    strcmp(name, "cuda") == 0 ? cuda_missing
                                              : "there is no such backend");
    return NULL;
}
