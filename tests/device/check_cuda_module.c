// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_cuda_module.c - the CUDA module where there is no device: what it
// exports, that it loads, and that the errors say what is missing. Each message
// is asked for in a process of its own, since the module is looked for once.

#include "core/device/backend.h"

#include <gmodule.h>

static const char *module_path; // NULL: this build has none

// ---- In the children --------------------------------------------------------

static void
print_log(PeLogLevel level, const char *message, void *user_data)
{
    g_print("log: %s\n", message);
}

// Opens the device and prints what came of it.
static int
try_device(const char *device)
{
    g_autoptr(GError) error = NULL;
    pe_log_set(print_log, NULL);
    PeBackend *be = pe_backend_open(device, PE_PRECISION_AUTO, 0, &error);
    if (be) {
        g_print("opened: %s\n", be->ops->name);
        be->ops->close(be);
    } else {
        g_print("error %d: %s\n", error->code, error->message);
    }
    return 0;
}

// ---- Messages ---------------------------------------------------------------

static const char *program; // this one; /proc is not everywhere

// What `device` gives with the named module; g_free().
static char *
ask(const char *device, const char *module)
{
    g_autoptr(GError) error = NULL;
    const char *argv[] = {program, "--try", device, NULL};
    g_auto(GStrv) env = g_get_environ();
    env = g_environ_setenv(env, "GST_PE_CUDA_MODULE", module, TRUE);
    char *out = NULL;
    int status;
    g_assert_true(g_spawn_sync(NULL, (char **)argv, env, G_SPAWN_DEFAULT, NULL,
                               NULL, &out, NULL, &status, &error));
    g_assert_no_error(error);
    g_test_message("%s: %s", device, out);
    g_assert_true(g_spawn_check_wait_status(status, NULL));
    return out;
}

static bool
has_device(void)
{
    g_autofree char *out = ask("cuda", module_path);
    return g_str_has_prefix(out, "opened: cuda") || strstr(out, "sm_") ||
           strstr(out, "cuBLASLt");
}

static void
assert_says(const char *out, const char *what)
{
    g_assert_nonnull(strstr(out, what));
}

static void
says_that_the_module_is_missing(void)
{
    g_autofree char *out = ask("cuda", "/nonexistent/libpe-cuda.so");
    assert_says(out, "error 4: device \"cuda\" is not available: "
                     "/nonexistent/libpe-cuda.so cannot be loaded");
    assert_says(out, "(available: cpu)");
}

// Any other library.
static void
says_that_the_module_is_none(void)
{
    g_autofree char *out = ask("cuda:1", "libglib-2.0.so.0");
    assert_says(out, "libglib-2.0.so.0 cannot be loaded");
    assert_says(out, PE_CUDA_GET_BACKEND);
}

static void
auto_falls_back_without_the_module(void)
{
    g_autofree char *out = ask("auto", "/nonexistent/libpe-cuda.so");
    assert_says(out, "log: device auto: cpu (");
    assert_says(out, "opened: cpu");
}

static void
says_that_the_driver_is_missing(void)
{
    if (!module_path || has_device()) {
        g_test_skip(module_path ? "there is a device" : "there is no module");
        return;
    }
    g_autofree char *out = ask("cuda", module_path);
    assert_says(out, "error 4: device \"cuda\" is not available: ");
    if (!g_file_test("/proc/driver/nvidia", G_FILE_TEST_EXISTS))
        assert_says(out, "the driver library libcuda.so.1 was not found");
    g_autofree char *second = ask("cuda:1", module_path);
    assert_says(second, "error 4: device \"cuda:1\" is not available: ");
    assert_says(second, "(available: cpu)");
}

static void
auto_falls_back_without_a_driver(void)
{
    if (!module_path || has_device()) {
        g_test_skip(module_path ? "there is a device" : "there is no module");
        return;
    }
    g_autofree char *out = ask("auto", module_path);
    assert_says(out, "log: device auto: cpu (");
    assert_says(out, "; not cuda: ");
    assert_says(out, "opened: cpu");
    char *last = g_strrstr(out, "log: device auto");
    g_assert_true(last == strstr(out, "log: device auto")); // one line
}

// ---- The module -------------------------------------------------------------

// The CUDA runtime in it keeps memory, so it is not closed, as in core.
static GModule *
open_module(void)
{
    GModule *module = g_module_open(module_path, G_MODULE_BIND_LOCAL);
    if (!module)
        g_error("%s", g_module_error());
    g_module_make_resident(module);
    return module;
}

static void
exports_one_name(void)
{
    static const char *const hidden[] = {"pe_log", "pe_tensor_new",
                                         "pe_cuda_fail", "pe_cuda_layernorm",
                                         "cudaMalloc"};
    if (!module_path) {
        g_test_skip("there is no module");
        return;
    }
    void *symbol;
    GModule *module = open_module();
    g_assert_true(g_module_symbol(module, PE_CUDA_GET_BACKEND, &symbol));
    for (size_t i = 0; i < G_N_ELEMENTS(hidden); i++)
        g_assert_false(g_module_symbol(module, hidden[i], &symbol));
}

static void
needs_no_driver_and_no_cublas_to_load(void)
{
    if (!module_path) {
        g_test_skip("there is no module");
        return;
    }
    g_autoptr(GString) bad = g_string_new(NULL);
    const char *const names[] = {"libcuda.so.1", "libcublasLt.so",
                                 "libcudart.so"};
    open_module();
    // What this process has mapped by now.
    g_autofree char *maps = NULL;
    g_assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strstr(maps, names[i]))
            g_string_append_printf(bad, " %s", names[i]);
    }
    g_assert_cmpstr(bad->str, ==, "");
}

int
main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 3 && strcmp(argv[1], "--try") == 0)
        return try_device(argv[2]);
    g_test_init(&argc, &argv, NULL);
    module_path = g_getenv("PE_TEST_CUDA_MODULE");
    g_test_add_func("/cuda/module/missing", says_that_the_module_is_missing);
    g_test_add_func("/cuda/module/none", says_that_the_module_is_none);
    g_test_add_func("/cuda/module/auto", auto_falls_back_without_the_module);
    g_test_add_func("/cuda/driver/missing", says_that_the_driver_is_missing);
    g_test_add_func("/cuda/driver/auto", auto_falls_back_without_a_driver);
    g_test_add_func("/cuda/module/exports", exports_one_name);
    g_test_add_func("/cuda/module/needs",
                    needs_no_driver_and_no_cublas_to_load);
    return g_test_run();
}
