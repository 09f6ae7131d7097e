// SPDX-License-Identifier: LGPL-2.1-or-later
//
// backend.c - the list of backends and the choice of one by name. The engine
// and the tools call this.

#include "backend.h"

// "auto" takes the first with a device.
static const PeBackendOps *const backends[] = {
    &pe_backend_cpu,
    NULL,
};

const PeBackendOps *const *
pe_backend_list(void)
{
    return backends;
}

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

// "cpu, cuda:0, cuda:1"
static char *
available_devices(void)
{
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

static PeBackend *
open_auto(PeBackendParams *params, GError **error)
{
    for (int i = 0; backends[i]; i++) {
        if (backends[i]->count() == 0)
            continue;
        PeBackend *be = backends[i]->open(params, error);
        if (be)
            pe_log(PE_LOG_INFO, "device auto: %s (%s)", backends[i]->name,
                   be->ops->describe(be));
        return be;
    }
    set_unavailable(error, "auto", "no backend has a device");
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
    for (int i = 0; backends[i]; i++) {
        if (strcmp(backends[i]->name, name) != 0)
            continue;
        if (params.device < backends[i]->count())
            return backends[i]->open(&params, error);
        set_unavailable(error, device, "there is no such device");
        return NULL;
    }
    set_unavailable(error, device,
                    strcmp(name, "cuda") == 0 ? "this build has no CUDA backend"
                                              : "there is no such backend");
    return NULL;
}
