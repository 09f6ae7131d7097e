// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_tuning.c - what the CUDA backend measures and records while an engine
// is loaded, on the emulated device: that it is all of it, that it is done once
// for all processes, and what the choices are by the device's own clock.

#include "core/engine/engine_private.h"
#include "core/tower/vision.h"
#include "open_cuda.h"
#include "tests/support/tiny_model.h"

static PeModel *model;
static int (*graph_recordings)(void);
static int (*graph_launches)(void);
static int (*launches)(void);
static int (*spinning_waits)(void);
static uint64_t (*bytes_on_device)(void);

static int n_timed;                            // products
static int n_halved;                           // batches
static int n_passes;                           // whose time was logged
static char *last_choice;                      // what was said of it
static int n_residuals, n_residuals_with_bias; // among those products
static int n_rotations;                        // that were chosen
static char rotation[16];                      // the last of them

static void
count_log(PeLogLevel level, const char *message, void *user_data)
{
    g_test_message("%s", message);
    n_timed += strstr(message, "TFLOP/s") != NULL;
    bool bias = strstr(message, "+ bias + residual") != NULL;
    n_residuals_with_bias += bias;
    n_residuals += !bias && strstr(message, "+ residual") != NULL;
    n_passes += g_str_has_prefix(message, "pass: ") &&
                g_str_has_suffix(message, " ms on the device");
    if (g_str_has_prefix(message, "choice GELU [")) {
        g_free(last_choice);
        last_choice = g_strdup(message);
    }
    n_halved += strstr(message, "no memory for a vision batch") != NULL;
    if (g_str_has_prefix(message, "choice rotation and attention [")) {
        n_rotations++;
        g_strlcpy(rotation, strrchr(message, ' ') + 1, sizeof rotation);
    }
}

// ---- Runners ----------------------------------------------------------------

static PeRunner *
runner_new(PePrecision precision, int batch_size)
{
    g_autoptr(GError) error = NULL;
    PeEngineParams params = {.model = model,
                             .device = "cuda",
                             .precision = precision,
                             .batch_size = batch_size};
    PeRunner *r = pe_runner_ops.open(&params, &error);
    g_assert_no_error(error);
    g_assert_true(pe_runner_ops.load(r, &error));
    g_assert_no_error(error);
    return r;
}

// Slots with pictures that differ.
static void
fill_slots(PeRunner *r, PeSlot **slots, int n)
{
    enum { SIZE = TINY_MODEL_SIZE };
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *pixels = g_malloc(3 * SIZE * SIZE);
    PeFrame frame = {.format = PE_FORMAT_RGB,
                     .width = SIZE,
                     .height = SIZE,
                     .planes = {pixels},
                     .strides = {3 * SIZE}};
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 3 * SIZE * SIZE; j++)
            pixels[j] = (uint8_t)(j * (i + 3) % 251);
        slots[i] = pe_runner_ops.slot_new(r);
        g_assert_true(
            pe_runner_ops.ingest(r, &slots[i], &frame, NULL, 1, &error));
        g_assert_no_error(error);
    }
}

static void
embed(PeRunner *r, PeSlot *const *slots, int n, float *out)
{
    static const int abandon;
    g_autoptr(GError) error = NULL;
    g_assert_true(
        pe_runner_ops.embed_images(r, slots, n, &abandon, out, &error));
    g_assert_no_error(error);
}

static void
runner_free(PeRunner *r, PeSlot **slots, int n)
{
    for (int i = 0; i < n; i++)
        pe_runner_ops.slot_free(r, slots[i]);
    pe_runner_ops.close(r);
}

// How many products are timed when a runner is loaded and has embedded one.
static int
count_timed(PePrecision precision)
{
    int before = n_timed;
    PeSlot *slot;
    float out[TINY_MODEL_DIM];
    PeRunner *r = runner_new(precision, 2);
    fill_slots(r, &slot, 1);
    embed(r, &slot, 1, out);
    runner_free(r, &slot, 1);
    g_test_message("%d products were timed", n_timed - before);
    return n_timed - before;
}

// ---- Under live frames ------------------------------------------------------

#define N_SIZES 64

typedef struct {
    int timed, recordings;
    uint64_t copies; // a trial copies its input
} Counts;

static Counts
count_now(void)
{
    return (Counts){n_timed, graph_recordings(), bytes_on_device()};
}

// Batches that are filled up have the results of pictures alone.
static void
check_results(PeRunner *r, PeSlot *const *slots)
{
    static const int numbers[] = {3, 9, 21};
    float out[21][TINY_MODEL_DIM], alone[21][TINY_MODEL_DIM];
    for (int i = 0; i < 21; i++)
        embed(r, &slots[i], 1, alone[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        size_t size = (size_t)numbers[i] * sizeof out[0];
        embed(r, slots, numbers[i], out[0]);
        g_assert_cmpmem(out, size, alone, size);
    }
}

// Every number of waiting pictures, for a tower that has room for all of them.
static void
nothing_is_tuned_under_live_frames(void)
{
    static float out[N_SIZES][TINY_MODEL_DIM];
    PeSlot *slots[N_SIZES];
    Counts empty = count_now();
    PeRunner *r = runner_new(PE_PRECISION_AUTO, N_SIZES);
    fill_slots(r, slots, N_SIZES);
    Counts loaded = count_now();
    int launched = graph_launches();
    g_test_message("loading: %d products timed, %d recordings",
                   loaded.timed - empty.timed,
                   loaded.recordings - empty.recordings);
    g_assert_cmpint(loaded.timed - empty.timed, >, 20);
    g_assert_cmpint(loaded.recordings - empty.recordings, >, 3);
    g_assert_cmpuint(loaded.copies, >, empty.copies);
    check_results(r, slots);

    // From here on it does not matter what comes out.
    g_setenv("PE_FAKE_CUDA_IDLE", "1", TRUE);
    for (int n = 1; n <= N_SIZES; n++)
        embed(r, slots, n, out[0]);
    g_unsetenv("PE_FAKE_CUDA_IDLE");
    Counts end = count_now();
    g_test_message("then: %d products timed, %d recordings, %d launches",
                   end.timed - loaded.timed, end.recordings - loaded.recordings,
                   graph_launches() - launched);
    g_assert_cmpint(end.timed, ==, loaded.timed);
    g_assert_cmpint(end.recordings, ==, loaded.recordings);
    g_assert_cmpuint(end.copies, ==, loaded.copies);
    g_assert_cmpint(graph_launches() - launched, >=, N_SIZES + 21 + 3);
    runner_free(r, slots, N_SIZES);
}

// A key of more than one shape would be timed again and again.
static void
nor_when_the_library_refuses_what_is_known(void)
{
    g_setenv("PE_FAKE_CUDA_BAD_GRAPHS", "1", TRUE);
    PeSlot *slot;
    float out[TINY_MODEL_DIM];
    PeRunner *r = runner_new(PE_PRECISION_AUTO, 2);
    int before = n_timed;
    fill_slots(r, &slot, 1);
    g_setenv("PE_FAKE_CUBLASLT_REFUSES", "1", TRUE);
    for (int i = 0; i < 3; i++)
        embed(r, &slot, 1, out);
    g_unsetenv("PE_FAKE_CUBLASLT_REFUSES");
    g_unsetenv("PE_FAKE_CUDA_BAD_GRAPHS");
    g_assert_cmpint(n_timed, ==, before);
    runner_free(r, &slot, 1);
}

static void
streaming_threads_sleep_while_they_wait(void)
{
    PeSlot *slots[40]; // more than there are buffers for uploads
    PeRunner *r = runner_new(PE_PRECISION_AUTO, 1);
    int before = spinning_waits();
    fill_slots(r, slots, G_N_ELEMENTS(slots));
    g_assert_cmpint(spinning_waits(), ==, before);
    runner_free(r, slots, G_N_ELEMENTS(slots));
}

// Those of the blocks, which are alike in all of them. The pool's, which has
// one row a picture, keeps its bias.
static void
sums_of_the_stream_have_no_bias(void)
{
    int plain = n_residuals, biased = n_residuals_with_bias;
    PeSlot *slot;
    PeRunner *r = runner_new(PE_PRECISION_AUTO, 1);
    fill_slots(r, &slot, 1);
    runner_free(r, &slot, 1);
    g_assert_cmpint(n_residuals - plain, ==, 2);
    g_assert_cmpint(n_residuals_with_bias - biased, ==, 1);
}

// ---- Two batches at once ----------------------------------------------------

static void
the_next_batch_begins_before_the_last_has_ended(void)
{
    g_autoptr(GError) error = NULL;
    PeSlot *slots[6];
    float alone[6][TINY_MODEL_DIM], out[6][TINY_MODEL_DIM];
    PeRunner *r = runner_new(PE_PRECISION_AUTO, 4);
    fill_slots(r, slots, 6);
    for (int i = 0; i < 6; i++)
        embed(r, &slots[i], 1, alone[i]);
    for (int i = 0; i < 3; i++) { // each is filled up to 4
        int a = i % 2, b = 1 - i % 2;
        memset(out, 0xff, sizeof out);
        g_assert_true(pe_runner_ops.begin_images(r, &slots[0], 3, a, &error));
        g_assert_true(pe_runner_ops.begin_images(r, &slots[3], 3, b, &error));
        g_assert_true(pe_runner_ops.end_images(r, 3, a, out[0], &error));
        g_assert_true(pe_runner_ops.end_images(r, 3, b, out[3], &error));
        g_assert_no_error(error);
        g_assert_cmpmem(out, sizeof out, alone, sizeof alone);
    }
    runner_free(r, slots, 6);
}

static PeEngine *engine;
static int n_begun, n_ended, most_at_once; // on the worker's thread

// The first batch waits until there is another whole one.
static bool
begin_counted(PeRunner *r, PeSlot *const *slots, int n, int turn,
              GError **error)
{
    int64_t end = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
    while (n_begun == 0 && !pe_queue_is_full(engine->queue)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
    n_begun++;
    most_at_once = MAX(most_at_once, n_begun - n_ended);
    return pe_runner_ops.begin_images(r, slots, n, turn, error);
}

static bool
end_counted(PeRunner *r, int n, int turn, float *out, GError **error)
{
    n_ended++;
    return pe_runner_ops.end_images(r, n, turn, out, error);
}

static void
so_it_is_in_the_engine(void)
{
    enum { N = 30, SIZE = TINY_MODEL_SIZE };
    static uint8_t pixels[N][3 * SIZE * SIZE];
    g_autoptr(GError) error = NULL;
    float out[N][TINY_MODEL_DIM], alone[TINY_MODEL_DIM];
    PeFrame frames[N];
    static PeRunnerOps ops; // an engine may outlive its last user
    ops = pe_runner_ops;
    ops.begin_images = begin_counted;
    ops.end_images = end_counted;
    PeEngineParams params = {.model = model, .device = "cuda", .batch_size = 4};
    engine = pe_engine_get_with(&params, &ops, &error);
    g_assert_no_error(error);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < 3 * SIZE * SIZE; j++)
            pixels[i][j] = (uint8_t)(j * (i + 3) % 251);
        frames[i] = (PeFrame){.format = PE_FORMAT_RGB,
                              .width = SIZE,
                              .height = SIZE,
                              .planes = {pixels[i]},
                              .strides = {3 * SIZE}};
    }
    g_assert_true(pe_engine_embed_frames(engine, frames, N, out[0], &error));
    g_test_message("%d batches, at most %d at once", n_begun, most_at_once);
    g_assert_cmpint(most_at_once, ==, 2);
    g_assert_cmpint(n_ended, ==, n_begun);
    for (int i = 0; i < N; i += 7) {
        g_assert_true(
            pe_engine_embed_frames(engine, &frames[i], 1, alone, &error));
        g_assert_cmpmem(alone, sizeof alone, out[i], sizeof alone);
    }
    g_assert_no_error(error);
    pe_engine_unref(engine);
}

// ---- Choices ----------------------------------------------------------------

// Kernels and products of one picture.
static int
count_launches(PePrecision precision)
{
    PeSlot *slot;
    float out[TINY_MODEL_DIM];
    PeRunner *r = runner_new(precision, 1);
    fill_slots(r, &slot, 1);
    embed(r, &slot, 1, out);
    int before = launches();
    embed(r, &slot, 1, out);
    int n = launches() - before;
    runner_free(r, &slot, 1);
    return n;
}

// How many rotations are chosen when an engine is loaded.
static int
count_rotations(PePrecision precision)
{
    int before = n_rotations;
    PeSlot *slot;
    PeRunner *r = runner_new(precision, 1);
    fill_slots(r, &slot, 1);
    runner_free(r, &slot, 1);
    return n_rotations - before;
}

// Results are the same bits in all three ways.
static void
the_fastest_rotation_is_taken(void)
{
    static const struct {
        const char *slow, *way;
        bool news;
    } rows[] = {
        {NULL, "attention", true}, // one operation instead of two
        {"turning_kernel", "keys", true},
        {"flash_kernel", "attention", true}, // after a pass
        {"rope_kernel", "attention", false},
    };
    float first[TINY_MODEL_DIM], out[TINY_MODEL_DIM];
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].slow)
            g_setenv("PE_FAKE_CUDA_SLOW", rows[i].slow, TRUE);
        g_assert_cmpint(count_rotations(PE_PRECISION_BF16) > 0, ==,
                        rows[i].news);
        // That is still true of what the first has left in the cache.
        g_assert_cmpint(count_rotations(PE_PRECISION_BF16), ==, 0);
        PeSlot *slot;
        PeRunner *r = runner_new(PE_PRECISION_BF16, 1);
        fill_slots(r, &slot, 1);
        embed(r, &slot, 1, i == 0 ? first : out);
        runner_free(r, &slot, 1);
        g_unsetenv("PE_FAKE_CUDA_SLOW");
        g_test_message("%s is slow: %s", rows[i].slow, rotation);
        g_assert_cmpstr(rotation, ==, rows[i].way);
        if (i > 0)
            g_assert_cmpmem(out, sizeof out, first, sizeof first);
    }
}

// In f32 there is but the pass, and nothing to time.
static void
only_16_bits_rotate_in_attention(void)
{
    g_assert_cmpint(count_rotations(PE_PRECISION_FP32), ==, 0);
    int n = count_launches(PE_PRECISION_FP32);
    g_setenv("PE_CUDA_ROPE", "attention", TRUE);
    g_assert_cmpint(count_launches(PE_PRECISION_FP32), ==, n);
    g_unsetenv("PE_CUDA_ROPE");
}

// Three linears have a GELU: two of the blocks, and the pool's. A pass of ours
// is one launch more, of 0.01 ms.
static void
the_faster_gelu_is_taken(void)
{
    int library = count_launches(PE_PRECISION_BF16);
    g_assert_true(g_str_has_suffix(last_choice, ", took library"));
    // From what the first has left in the cache.
    g_assert_cmpint(count_launches(PE_PRECISION_BF16), ==, library);
    g_setenv("PE_CUDA_GELU", "erf", TRUE);
    int exact = count_launches(PE_PRECISION_BF16);
    g_unsetenv("PE_CUDA_GELU");
    g_test_message("%d launches with the library's GELU, %d with ours", library,
                   exact);
    g_assert_cmpint(exact, ==, library + 3);
}

static void
the_librarys_gelu_may_be_slower(void)
{
    g_setenv("PE_CUDA_GELU", "erf", TRUE);
    int exact = count_launches(PE_PRECISION_BF16);
    g_unsetenv("PE_CUDA_GELU");
    g_setenv("PE_FAKE_CUBLASLT_GELU_MS", "0.02", TRUE);
    g_assert_cmpint(count_launches(PE_PRECISION_BF16), ==, exact);
    g_assert_true(g_str_has_suffix(last_choice, ", took pass"));
    g_unsetenv("PE_FAKE_CUBLASLT_GELU_MS");
}

// With the 11 bits of f16 it would cost accuracy.
static void
only_bf16_takes_the_librarys_gelu(void)
{
    int chosen = count_launches(PE_PRECISION_FP16);
    g_setenv("PE_CUDA_GELU", "erf", TRUE);
    g_assert_cmpint(count_launches(PE_PRECISION_FP16), ==, chosen);
    g_unsetenv("PE_CUDA_GELU");
}

// Of recorded passes, where it is asked for; the first pass of a size is not
// recorded.
static void
the_devices_time_is_logged(void)
{
    PeSlot *slot;
    float out[TINY_MODEL_DIM];
    g_setenv("PE_CUDA_TIMES", "1", TRUE);
    PeRunner *r = runner_new(PE_PRECISION_BF16, 1);
    g_unsetenv("PE_CUDA_TIMES");
    fill_slots(r, &slot, 1);
    embed(r, &slot, 1, out); // recorded at the latest
    int loaded = n_passes;
    embed(r, &slot, 1, out);
    embed(r, &slot, 1, out);
    g_assert_cmpint(n_passes - loaded, ==, 2);
    runner_free(r, &slot, 1);
    int before = n_passes;
    count_timed(PE_PRECISION_BF16);
    g_assert_cmpint(n_passes, ==, before);
}

static void
what_takes_longer_than_it_did_is_timed_again(void)
{
    g_assert_cmpint(count_timed(PE_PRECISION_AUTO), >, 5);
    g_assert_cmpint(count_timed(PE_PRECISION_AUTO), ==, 0);
    g_setenv("PE_FAKE_CUBLASLT_MS", "1", TRUE);
    g_assert_cmpint(count_timed(PE_PRECISION_AUTO), >, 5);
    g_assert_cmpint(count_timed(PE_PRECISION_AUTO), ==, 0);
    g_unsetenv("PE_FAKE_CUBLASLT_MS"); // the card was busy
    g_assert_cmpint(count_timed(PE_PRECISION_AUTO), >, 5);
}

// ---- Memory -----------------------------------------------------------------

static void
batches_are_halved_until_they_fit(void)
{
    g_setenv("PE_FAKE_CUDA_MEMORY", "36000000", TRUE);
    PeRunner *r = runner_new(PE_PRECISION_AUTO, 1024);
    g_unsetenv("PE_FAKE_CUDA_MEMORY");
    g_test_message("%d pictures fit, after %d halves", r->batch_size, n_halved);
    g_assert_cmpint(n_halved, >=, 4);
    g_assert_cmpint(r->batch_size, ==, 1024 >> n_halved);
    pe_runner_ops.close(r);
}

// ---- Main -------------------------------------------------------------------

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    // A cache for each test.
    g_test_init(&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
    pe_log_set(count_log, NULL);
    g_unsetenv("PE_CUDA_AUTOTUNE");
    g_setenv("PE_CUDA_BLOCK", "passes", TRUE); // others: check_block.c
    char *path = tiny_model_new(1);
    model = pe_model_open(path, &error);
    g_assert_no_error(error);
    graph_recordings =
        (int (*)(void))find_in_cuda("fake_cuda_graph_recordings");
    graph_launches = (int (*)(void))find_in_cuda("fake_cuda_graph_launches");
    launches = (int (*)(void))find_in_cuda("fake_cuda_launches");
    spinning_waits = (int (*)(void))find_in_cuda("fake_cuda_spinning_waits");
    bytes_on_device =
        (uint64_t(*)(void))find_in_cuda("fake_cuda_bytes_on_device");
    g_test_add_func("/cuda/tuning/live", nothing_is_tuned_under_live_frames);
    g_test_add_func("/cuda/tuning/refused",
                    nor_when_the_library_refuses_what_is_known);
    g_test_add_func("/cuda/tuning/waits",
                    streaming_threads_sleep_while_they_wait);
    g_test_add_func("/cuda/tuning/residuals", sums_of_the_stream_have_no_bias);
    g_test_add_func("/cuda/tuning/turns",
                    the_next_batch_begins_before_the_last_has_ended);
    g_test_add_func("/cuda/tuning/engine", so_it_is_in_the_engine);
    g_test_add_func("/cuda/tuning/rotation/fastest",
                    the_fastest_rotation_is_taken);
    g_test_add_func("/cuda/tuning/rotation/precision",
                    only_16_bits_rotate_in_attention);
    g_test_add_func("/cuda/tuning/times", the_devices_time_is_logged);
    g_test_add_func("/cuda/tuning/gelu/faster", the_faster_gelu_is_taken);
    g_test_add_func("/cuda/tuning/gelu/slower",
                    the_librarys_gelu_may_be_slower);
    g_test_add_func("/cuda/tuning/gelu/precision",
                    only_bf16_takes_the_librarys_gelu);
    g_test_add_func("/cuda/tuning/again",
                    what_takes_longer_than_it_did_is_timed_again);
    g_test_add_func("/cuda/tuning/memory", batches_are_halved_until_they_fit);
    int failed = g_test_run();
    pe_model_unref(model);
    tiny_model_remove(path);
    return failed;
}
