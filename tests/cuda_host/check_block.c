// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_block.c - how the CUDA backend runs the blocks of a tower on an
// emulated Hopper card, in how many launches, and which of them begin early.

#include "core/tower/vision.h"
#include "open_cuda.h"
#include "tests/support/tiny_model.h"

#include <math.h>
#include <string.h>

// Launches of a block: of Hopper's own products, and of all else.
enum { MOST_OWN = 6, LEAST_PASSES = 7 };

static PeModel *model;
static int (*launches)(void), (*dependent_launches)(void);
static int (*graph_launches)(void);
static int n_chosen, n_dropped;
static char *last_choice; // what was said of it
static int n_launches_chosen, n_launches_dropped, n_obstacles;
static char *last_launches;

static void
count_log(PeLogLevel level, const char *message, void *user_data)
{
    g_test_message("%s", message);
    if (g_str_has_prefix(message, "choice block ")) {
        n_chosen++;
        g_free(last_choice);
        last_choice = g_strdup(message);
    }
    n_dropped += strstr(message, "own products do not start") != NULL;
    if (g_str_has_prefix(message, "choice launches ")) {
        n_launches_chosen++;
        g_free(last_launches);
        last_launches = g_strdup(message);
    }
    n_launches_dropped += level == PE_LOG_WARNING &&
                          strstr(message, "kernels that begin before") != NULL;
    n_obstacles += strstr(message, "no kernel begins before") != NULL;
}

typedef struct {
    int all, dependent; // the latter may begin before the one before has ended
} Launches;

static Launches
launches_since(Launches before)
{
    return (Launches){launches() - before.all,
                      dependent_launches() - before.dependent};
}

// Kernels and products of one picture in a tower of so many layers, and its
// embedding. `passes` is how often: first things are chosen, then it is
// recorded, and then the recording is started.
static Launches
run_layers(PePrecision precision, int layers, int passes, float *out)
{
    g_autoptr(GError) error = NULL;
    PeTowerParams params = {.max_batch = 1, .max_layers = layers};
    PeBackend *be = open_cuda(precision);
    PeVision *v = pe_vision_new(be, model, &params, &error);
    g_assert_no_error(error);
    PeSlot *slot = be->ops->slot_new(be, TINY_MODEL_SIZE, TINY_MODEL_SIZE);
    g_autofree uint8_t *pixels =
        g_malloc(3 * TINY_MODEL_SIZE * TINY_MODEL_SIZE);
    for (int i = 0; i < 3 * TINY_MODEL_SIZE * TINY_MODEL_SIZE; i++)
        pixels[i] = (uint8_t)(i * 37 % 251);
    PeFrame frame = {.format = PE_FORMAT_RGB,
                     .width = TINY_MODEL_SIZE,
                     .height = TINY_MODEL_SIZE,
                     .planes = {pixels},
                     .strides = {3 * TINY_MODEL_SIZE}};
    g_assert_true(be->ops->ingest(be, &slot, &frame, NULL, 1, &error));
    Launches before = {0};
    for (int i = 0; i < passes; i++) {
        before = launches_since((Launches){0});
        g_assert_true(pe_vision_embed(v, &slot, 1, out, &error));
    }
    Launches n = launches_since(before);
    be->ops->slot_free(be, slot);
    pe_vision_free(v);
    be->ops->close(be);
    return n;
}

static int
count_of_layers(PePrecision precision, int layers, float *out)
{
    return run_layers(precision, layers, 2, out).all;
}

static Launches
launches_of_a_layer(PePrecision precision)
{
    float out[TINY_MODEL_DIM];
    Launches two = run_layers(precision, 2, 2, out);
    Launches one = run_layers(precision, 1, 2, out);
    return (Launches){two.all - one.all, two.dependent - one.dependent};
}

static int
count_of_a_layer(PePrecision precision)
{
    return launches_of_a_layer(precision).all;
}

// Two norms, four products and attention; a pass for GELU, and one for rotation
// or for that of the keys. Hopper's products do without norms and GELU. All
// that is not the library's begins early if that is wanted.
static void
a_layer_is_five_to_nine_launches(void)
{
    static const struct {
        const char *block, *gelu, *rope, *launches;
        Launches n;
    } rows[] = {{"passes", "erf", "pass", "plain", {9, 0}},
                {"passes", "erf", "pass", "dependent", {9, 5}},
                {"passes", "erf", "attention", "dependent", {8, 4}},
                {"passes", "tanh", "pass", "dependent", {8, 4}},
                {"passes", "tanh", "keys", "dependent", {8, 4}},
                {"passes", "tanh", "attention", "dependent", {7, 3}},
                {"tiles64", "erf", "pass", "dependent", {6, 6}},
                {"tiles64", "tanh", "attention", "plain", {5, 0}},
                {"tiles64", "tanh", "attention", "dependent", {5, 5}},
                {"tiles128", "erf", "keys", "dependent", {6, 6}},
                {"tiles256", "erf", "attention", "dependent", {5, 5}}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_setenv("PE_CUDA_BLOCK", rows[i].block, TRUE);
        g_setenv("PE_CUDA_GELU", rows[i].gelu, TRUE);
        g_setenv("PE_CUDA_ROPE", rows[i].rope, TRUE);
        g_setenv("PE_CUDA_LAUNCHES", rows[i].launches, TRUE);
        Launches n = launches_of_a_layer(PE_PRECISION_BF16);
        g_unsetenv("PE_CUDA_BLOCK");
        g_unsetenv("PE_CUDA_GELU");
        g_unsetenv("PE_CUDA_ROPE");
        g_setenv("PE_CUDA_LAUNCHES", "plain", TRUE);
        g_test_message("%s, %s, %s: %d launches a layer, %d of them dependent",
                       rows[i].block, rows[i].gelu, rows[i].rope, n.all,
                       n.dependent);
        g_assert_cmpint(n.all, ==, rows[i].n.all);
        g_assert_cmpint(n.dependent, ==, rows[i].n.dependent);
    }
}

// With some kernels slow, or broken otherwise.
static bool
takes_own(const char *fault, const char *kernels)
{
    g_setenv(fault, kernels, TRUE);
    int n = count_of_a_layer(PE_PRECISION_BF16);
    g_unsetenv(fault);
    g_assert_true(n <= MOST_OWN || n >= LEAST_PASSES);
    return n <= MOST_OWN;
}

static void
the_faster_way_is_taken_and_kept(void)
{
    int before = n_chosen;
    g_assert_true(takes_own("PE_FAKE_CUDA_SLOW", "layernorm_kernel"));
    g_assert_true(g_str_has_prefix(last_choice, "choice block [1 x 17, 64]: "
                                                "passes "));
    g_assert_nonnull(strstr(last_choice, " us, took tiles"));
    // One choice for both towers: the shape of their blocks is the same.
    g_assert_cmpint(n_chosen - before, ==, 1);
    g_assert_true(takes_own("PE_FAKE_CUDA_SLOW", "layernorm_kernel"));
    g_assert_cmpint(n_chosen - before, ==, 1);
    // Now it takes longer than it did.
    g_assert_false(takes_own("PE_FAKE_CUDA_SLOW", "hopper_residual_kernel"));
    g_assert_cmpint(n_chosen - before, ==, 2);
    g_assert_true(g_str_has_suffix(last_choice, "took passes"));
    g_assert_cmpint(n_dropped, ==, 0);
}

static void
products_that_are_wrong_or_do_not_start_are_dropped(void)
{
    static const char *const faults[] = {"PE_FAKE_CUDA_LAZY",
                                         "PE_FAKE_CUDA_REFUSES"};
    static const char *const kernels[] = {"hopper_linear_kernel",
                                          "hopper_residual_kernel"};
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        for (size_t k = 0; k < G_N_ELEMENTS(kernels); k++) {
            int before = n_dropped;
            g_assert_false(takes_own(faults[i], kernels[k]));
            g_assert_cmpint(n_dropped - before, ==, 2); // towers
        }
    }
}

static void
other_types_and_devices_never_take_them(void)
{
    float out[TINY_MODEL_DIM];
    g_setenv("PE_CUDA_BLOCK", "tiles64", TRUE);
    int fp32 = count_of_layers(PE_PRECISION_FP32, 2, out) -
               count_of_layers(PE_PRECISION_FP32, 1, out);
    g_assert_cmpint(fp32, >=, LEAST_PASSES);
    g_assert_cmpint(count_of_a_layer(PE_PRECISION_FP8), >=, LEAST_PASSES);
    g_setenv("PE_FAKE_CUDA_SM", "100", TRUE);
    g_assert_cmpint(count_of_a_layer(PE_PRECISION_BF16), >=, LEAST_PASSES);
    g_unsetenv("PE_FAKE_CUDA_SM");
    g_unsetenv("PE_CUDA_BLOCK");
}

// 1 - the cosine of two embeddings.
static double
distance(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < TINY_MODEL_DIM; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return 1 - ab / sqrt(aa * bb);
}

// Both ways are as far from f32 as 16 bits are.
static void
embeddings_are_near_to_f32(void)
{
    static const char *const names[] = {"passes", "tiles64", "tiles128",
                                        "tiles256"};
    static const struct {
        PePrecision precision;
        double limit;
    } rows[] = {{PE_PRECISION_BF16, 1e-4}, {PE_PRECISION_FP16, 1.5e-6}};
    float exact[TINY_MODEL_DIM], out[TINY_MODEL_DIM];
    count_of_layers(PE_PRECISION_FP32, 2, exact);
    for (size_t p = 0; p < G_N_ELEMENTS(rows); p++) {
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
            g_setenv("PE_CUDA_BLOCK", names[i], TRUE);
            count_of_layers(rows[p].precision, 2, out);
            double d = distance(out, exact);
            g_test_message("%s: 1 - cosine %.2e, limit %g", names[i], d,
                           rows[p].limit);
            g_assert_cmpfloat(d, <=, rows[p].limit);
        }
    }
    g_unsetenv("PE_CUDA_BLOCK");
}

// ---- How they are started ---------------------------------------------------

// Whether blocks of passes take dependent launches, with some fault. Where
// nothing is computed, it is as with everything right.
static bool
takes_dependents(const char *fault, const char *value, bool computes)
{
    float out[TINY_MODEL_DIM];
    g_unsetenv("PE_CUDA_LAUNCHES");
    g_setenv("PE_CUDA_BLOCK", "passes", TRUE);
    g_setenv(fault, value, TRUE);
    if (!computes)
        g_setenv("PE_FAKE_CUDA_IDLE", "1", TRUE);
    bool takes = run_layers(PE_PRECISION_BF16, 2, 2, out).dependent > 0;
    g_unsetenv("PE_FAKE_CUDA_IDLE");
    g_unsetenv(fault);
    g_unsetenv("PE_CUDA_BLOCK");
    g_setenv("PE_CUDA_LAUNCHES", "plain", TRUE);
    return takes;
}

// On the emulated device a dependent kernel takes a tenth less.
static void
the_faster_launches_are_taken_and_kept(void)
{
    int before = n_launches_chosen;
    g_assert_true(takes_dependents("PE_NO_FAULT", "", false));
    g_assert_true(g_str_has_prefix(last_launches,
                                   "choice launches [1 x 17, 64]: plain "));
    g_assert_true(g_str_has_suffix(last_launches, " us, took dependent"));
    g_assert_cmpint(n_launches_chosen - before, ==, 1);
    g_assert_true(takes_dependents("PE_NO_FAULT", "", false));
    g_assert_cmpint(n_launches_chosen - before, ==, 1);
    // Now they take longer than they did.
    g_assert_false(
        takes_dependents("PE_FAKE_CUDA_SLOW_DEPENDENT", "kernel", false));
    g_assert_cmpint(n_launches_chosen - before, ==, 2);
    g_assert_true(g_str_has_suffix(last_launches, " us, took plain"));
    g_assert_cmpint(n_launches_dropped, ==, 0);
}

// A kernel that does not wait changes the results, its own or those of who
// relies on it behind.
static void
launches_that_do_not_wait_are_dropped(void)
{
    static const char *const kernels[] = {"layernorm_kernel", "turning_kernel",
                                          "gelu_kernel"};
    g_setenv("PE_CUDA_GELU", "erf", TRUE);
    g_setenv("PE_CUDA_ROPE", "attention", TRUE);
    for (size_t i = 0; i < G_N_ELEMENTS(kernels); i++) {
        int before = n_launches_dropped;
        g_assert_false(
            takes_dependents("PE_FAKE_CUDA_HASTY", kernels[i], true));
        g_assert_cmpint(n_launches_dropped - before, ==, 1);
    }
    g_unsetenv("PE_CUDA_GELU");
    g_unsetenv("PE_CUDA_ROPE");
}

// Where the device, the driver or the code cannot do it, it is not even tried;
// only who asked for it is warned.
static void
what_cannot_begin_early_does_not(void)
{
    static const struct {
        const char *fault, *value;
    } rows[] = {{"PE_FAKE_CUDA_SM", "89"},
                {"PE_FAKE_CUDA_OLD_PTX", "1"},
                {"PE_FAKE_CUDA_DRIVER", "12020"}};
    int chosen = n_launches_chosen;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int before = n_obstacles;
        g_assert_false(takes_dependents(rows[i].fault, rows[i].value, false));
        g_assert_cmpint(n_obstacles - before, ==, 1);
    }
    g_assert_cmpint(n_launches_chosen, ==, chosen);
}

// The first pass runs as it is, and so do two more, which cannot be recorded;
// then there is a plain recording.
static void
what_cannot_be_recorded_is_launched_plainly(void)
{
    float out[TINY_MODEL_DIM], same[TINY_MODEL_DIM];
    int dropped = n_launches_dropped;
    g_setenv("PE_CUDA_BLOCK", "tiles64", TRUE);
    run_layers(PE_PRECISION_BF16, 2, 1, same);
    g_setenv("PE_CUDA_LAUNCHES", "dependent", TRUE);
    g_setenv("PE_FAKE_CUDA_NO_DEPENDENT_GRAPHS", "1", TRUE);
    int before = graph_launches();
    Launches n = run_layers(PE_PRECISION_BF16, 2, 5, out);
    g_unsetenv("PE_FAKE_CUDA_NO_DEPENDENT_GRAPHS");
    g_unsetenv("PE_CUDA_BLOCK");
    g_setenv("PE_CUDA_LAUNCHES", "plain", TRUE);
    g_assert_cmpint(n.dependent, ==, 0);
    g_assert_cmpint(graph_launches() - before, ==, 2);
    g_assert_cmpint(n_launches_dropped - dropped, ==, 1);
    g_assert_cmpmem(out, sizeof out, same, sizeof same);
}

// Recorded or not, early or not, the bits are the same.
static void
early_kernels_compute_the_same(void)
{
    static const char *const blocks[] = {"passes", "tiles64", "tiles256"};
    float plain[TINY_MODEL_DIM], out[TINY_MODEL_DIM];
    for (size_t i = 0; i < G_N_ELEMENTS(blocks); i++) {
        g_setenv("PE_CUDA_BLOCK", blocks[i], TRUE);
        run_layers(PE_PRECISION_BF16, 2, 1, plain);
        g_setenv("PE_CUDA_LAUNCHES", "dependent", TRUE);
        for (int passes = 1; passes <= 3; passes++) {
            Launches n = run_layers(PE_PRECISION_BF16, 2, passes, out);
            g_assert_cmpint(n.dependent, >, 0);
            g_assert_cmpmem(out, sizeof out, plain, sizeof plain);
        }
        g_setenv("PE_CUDA_LAUNCHES", "plain", TRUE);
    }
    g_unsetenv("PE_CUDA_BLOCK");
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    // A cache for each test.
    g_test_init(&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
    pe_log_set(count_log, NULL);
    g_unsetenv("PE_CUDA_AUTOTUNE");
    g_setenv("PE_CUDA_LAUNCHES", "plain", TRUE); // where nothing else is said
    char *path = tiny_model_new(1);
    model = pe_model_open(path, &error);
    g_assert_no_error(error);
    launches = (int (*)(void))find_in_cuda("fake_cuda_launches");
    dependent_launches =
        (int (*)(void))find_in_cuda("fake_cuda_dependent_launches");
    graph_launches = (int (*)(void))find_in_cuda("fake_cuda_graph_launches");
    g_test_add_func("/cuda/block/launches", a_layer_is_five_to_nine_launches);
    g_test_add_func("/cuda/block/faster", the_faster_way_is_taken_and_kept);
    g_test_add_func("/cuda/block/faults",
                    products_that_are_wrong_or_do_not_start_are_dropped);
    g_test_add_func("/cuda/block/others",
                    other_types_and_devices_never_take_them);
    g_test_add_func("/cuda/block/embeddings", embeddings_are_near_to_f32);
    g_test_add_func("/cuda/block/launches/faster",
                    the_faster_launches_are_taken_and_kept);
    g_test_add_func("/cuda/block/launches/hasty",
                    launches_that_do_not_wait_are_dropped);
    g_test_add_func("/cuda/block/launches/obstacles",
                    what_cannot_begin_early_does_not);
    g_test_add_func("/cuda/block/launches/recordings",
                    what_cannot_be_recorded_is_launched_plainly);
    g_test_add_func("/cuda/block/launches/same",
                    early_kernels_compute_the_same);
    int failed = g_test_run();
    pe_model_unref(model);
    tiny_model_remove(path);
    return failed;
}
