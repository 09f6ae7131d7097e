// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_backend.c - the CUDA backend's own code (memory, streams, recordings,
// slots, measured algorithms) on the emulated device of fake_cuda.cpp, or, as
// far as nothing is faked, on a real one. Its operations are compared by
// check_ops and check_towers with --device cuda.

#include "core/device/preprocess.h"
#include "core/tower/vision.h"
#include "open_cuda.h"
#include "tests/support/tiny_model.h"

#include <gmodule.h>
#include <math.h>

static char *model_path;
static PeModel *model;
static int (*graph_launches)(void); // NULL: a real device
static void *(*new_stream)(void);

static int n_warnings; // that recording failed
static int n_measured; // products that were timed

static void
count_log(PeLogLevel level, const char *message, void *user_data)
{
    g_test_message("%s", message);
    g_atomic_int_add(&n_warnings,
                     strstr(message, "recording them failed") != NULL);
    g_atomic_int_add(&n_measured, strstr(message, "TFLOP/s") != NULL);
}

// ---- Frames -----------------------------------------------------------------

// A frame of noise; `data` has all planes.
static PeFrame
make_frame(PeFormat format, int width, int height, guint32 seed, uint8_t **data)
{
    PeFrame frame = {.format = format,
                     .matrix = PE_MATRIX_BT709,
                     .width = width,
                     .height = height};
    size_t offsets[3], size = 0;
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(&frame, i, &line, &n_lines);
        frame.strides[i] = (line + 7) / 2 * 2;
        offsets[i] = size;
        size += (size_t)frame.strides[i] * (size_t)n_lines;
    }
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    *data = g_malloc(size);
    for (size_t i = 0; i < size; i++)
        (*data)[i] = (uint8_t)g_rand_int(rand);
    for (int i = 0; i < 3; i++)
        frame.planes[i] = *data + offsets[i];
    return frame;
}

// The same planes in the backend's memory; returns what to free.
static void *
move_to_device(PeBackend *be, PeFrame *frame)
{
    size_t size = 0;
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        size += (size_t)frame->strides[i] * (size_t)n_lines;
    }
    const uint8_t *host = frame->planes[0];
    uint8_t *device = be->ops->alloc(be, size);
    be->ops->upload(be, device, host, size);
    g_assert_null(be->ops->sync(be));
    for (int i = 0; i < 3; i++)
        frame->planes[i] = device + (frame->planes[i] - host);
    frame->memory = PE_MEMORY_CUDA;
    return device;
}

// The pixels of slots as patches of one pixel, f32 [n * size * size, k_padded].
static float *
read_slots(PeBackend *be, PeSlot *const *slots, int n, int size)
{
    int k_padded = MAX(3, be->k_align);
    size_t count = (size_t)n * (size_t)(size * size);
    size_t bytes = count * (size_t)k_padded * sizeof(float);
    float *y = be->ops->alloc(be, bytes);
    g_autofree float *host = g_malloc(bytes);
    float *out = g_new(float, 3 * count);
    be->ops->patchify(be, y, slots, n, 1, k_padded);
    be->ops->download(be, host, y, bytes);
    g_assert_null(be->ops->sync(be));
    for (size_t i = 0; i < count; i++)
        memcpy(out + 3 * i, host + i * (size_t)k_padded, 3 * sizeof *out);
    be->ops->free(be, y);
    return out;
}

static void
ingest(PeBackend *be, PeSlot *slot, const PeFrame *frame)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(be->ops->ingest(be, &slot, frame, NULL, 1, &error));
    g_assert_no_error(error);
}

#define SIDE 24 // of a slot

static float *
squash(PeBackend *be, const PeFrame *frame)
{
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    ingest(be, slot, frame);
    float *out = read_slots(be, &slot, 1, SIDE);
    be->ops->slot_free(be, slot);
    return out;
}

static void
frames_become_the_cpus_bytes(void)
{
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeBackend *cpu = pe_backend_open_reference();
    for (int format = PE_FORMAT_RGB; format <= PE_FORMAT_P010; format++) {
        g_autofree uint8_t *data = NULL;
        PeFrame frame = make_frame((PeFormat)format, 51, 37, 7, &data);
        g_autofree float *expected = squash(cpu, &frame);
        g_autofree float *host = squash(be, &frame);
        void *device = move_to_device(be, &frame);
        g_autofree float *zero_copy = squash(be, &frame);
        size_t size = 3 * SIDE * SIDE * sizeof(float);
        g_test_message("format %d", format);
        g_assert_cmpmem(host, size, expected, size);
        g_assert_cmpmem(zero_copy, size, expected, size);
        be->ops->free(be, device);
    }
    cpu->ops->close(cpu);
    be->ops->close(be);
}

// The producer writes its next frame as soon as ingest() is back.
static void
device_frames_are_given_back(void)
{
    enum { SIZE = 40 * 40 * 3 };
    g_autofree uint8_t *data = NULL;
    g_autofree uint8_t *next = g_malloc0(SIZE);
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeBackend *cpu = pe_backend_open_reference();
    PeFrame frame = make_frame(PE_FORMAT_RGB, 40, 36, 5, &data);
    g_autofree float *expected = squash(cpu, &frame);
    void *device = move_to_device(be, &frame);
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    ingest(be, slot, &frame);
    be->ops->upload(be, device, next, (size_t)(frame.strides[0] * 36));
    g_autofree float *got = read_slots(be, &slot, 1, SIDE);
    size_t size = 3 * SIDE * SIDE * sizeof(float);
    g_assert_cmpmem(got, size, expected, size);
    be->ops->slot_free(be, slot);
    be->ops->free(be, device);
    cpu->ops->close(cpu);
    be->ops->close(be);
}

// A frame of another producer's stream goes into a slot whose last frame has
// not been preprocessed yet.
static void
slots_keep_the_last_frame(void)
{
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeBackend *cpu = pe_backend_open_reference();
    PeSlot *slots[2];
    uint8_t *data[3];
    PeFrame frames[3];
    for (int i = 0; i < 3; i++)
        frames[i] = make_frame(PE_FORMAT_RGB, 40, 36, (guint32)i, &data[i]);
    PeFrame on_device = frames[1];
    void *device = move_to_device(be, &on_device);
    on_device.stream = new_stream();
    for (int i = 0; i < 2; i++)
        slots[i] = be->ops->slot_new(be, SIDE, SIDE);
    ingest(be, slots[0], &frames[0]);
    ingest(be, slots[0], &on_device);
    ingest(be, slots[1], &frames[2]);
    g_autofree float *got = read_slots(be, slots, 2, SIDE);
    size_t n = 3 * SIDE * SIDE;
    for (int i = 0; i < 2; i++) {
        g_autofree float *want = squash(cpu, &frames[1 + i]);
        g_assert_cmpmem(got + (size_t)i * n, n * sizeof *got, want,
                        n * sizeof *want);
        be->ops->slot_free(be, slots[i]);
    }
    be->ops->free(be, device);
    for (int i = 0; i < 3; i++)
        g_free(data[i]);
    cpu->ops->close(cpu);
    be->ops->close(be);
}

// More frames than there are pinned buffers and tables, into slots that are
// used again before anybody has waited for them.
static void
frames_keep_their_order(void)
{
    enum { N = 80, SLOTS = 3 };
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeBackend *cpu = pe_backend_open_reference();
    PeSlot *slots[SLOTS], *expected[SLOTS];
    for (int i = 0; i < SLOTS; i++) {
        slots[i] = be->ops->slot_new(be, SIDE, SIDE);
        expected[i] = cpu->ops->slot_new(cpu, SIDE, SIDE);
    }
    for (int i = 0; i < N; i++) {
        g_autofree uint8_t *data = NULL;
        PeFrame frame =
            make_frame(PE_FORMAT_NV12, 30 + i, 40 + i % 7, (guint32)i, &data);
        ingest(be, slots[i % SLOTS], &frame);
        ingest(cpu, expected[i % SLOTS], &frame);
        memset(data, 0, 16); // the frame was not needed any more
    }
    g_autofree float *a = read_slots(be, slots, SLOTS, SIDE);
    g_autofree float *b = read_slots(cpu, expected, SLOTS, SIDE);
    size_t size = SLOTS * 3 * SIDE * SIDE * sizeof(float);
    g_assert_cmpmem(a, size, b, size);
    for (int i = 0; i < SLOTS; i++) {
        be->ops->slot_free(be, slots[i]);
        cpu->ops->slot_free(cpu, expected[i]);
    }
    cpu->ops->close(cpu);
    be->ops->close(be);
}

typedef struct {
    PeBackend *be;
    PeFrame frame;
    PeSlot *slot;
} Feeder;

static void *
feed(void *data)
{
    Feeder *f = data;
    for (int i = 0; i < 50; i++)
        ingest(f->be, f->slot, &f->frame);
    return NULL;
}

static void
threads_may_ingest_at_once(void)
{
    enum { N = 12 };
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeBackend *cpu = pe_backend_open_reference();
    Feeder feeders[N];
    GThread *threads[N];
    uint8_t *data[N];
    for (int i = 0; i < N; i++) {
        feeders[i] = (Feeder){
            be, make_frame(PE_FORMAT_I420, 20 + i, 30, (guint32)i, &data[i]),
            be->ops->slot_new(be, SIDE, SIDE)};
        threads[i] = g_thread_new("feeder", feed, &feeders[i]);
    }
    for (int i = 0; i < N; i++) {
        g_thread_join(threads[i]);
        g_autofree float *got = read_slots(be, &feeders[i].slot, 1, SIDE);
        g_autofree float *expected = squash(cpu, &feeders[i].frame);
        size_t size = 3 * SIDE * SIDE * sizeof(float);
        g_assert_cmpmem(got, size, expected, size);
        be->ops->slot_free(be, feeders[i].slot);
        g_free(data[i]);
    }
    cpu->ops->close(cpu);
    be->ops->close(be);
}

static void
refuses_planes_of_other_memory(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *data = NULL;
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeFrame frame = make_frame(PE_FORMAT_RGB, 30, 30, 1, &data);
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    frame.memory = PE_MEMORY_CUDA;
    g_assert_false(be->ops->ingest(be, &slot, &frame, NULL, 1, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_test_message("%s", error->message);
    g_assert_null(be->ops->sync(be));
    be->ops->slot_free(be, slot);
    be->ops->close(be);
}

// ---- Recordings -------------------------------------------------------------

static PeVision *
new_vision(PeBackend *be, int max_batch)
{
    g_autoptr(GError) error = NULL;
    PeTowerParams params = {.max_batch = max_batch};
    PeVision *v = pe_vision_new(be, model, &params, &error);
    g_assert_no_error(error);
    return v;
}

// Rows of a product may be summed in another order at another place.
static void
assert_same(const float *a, const float *b, size_t n)
{
    double power = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        power += (double)b[i] * b[i];
        most = MAX(most, fabs((double)a[i] - b[i]));
    }
    if (graph_launches)
        g_assert_cmpmem(a, n * sizeof *a, b, n * sizeof *b);
    g_assert_cmpfloat(most, <=, 1e-3 * sqrt(power));
}

// Three pictures, in a different order on each pass.
static void
embed_in_turns(PeBackend *be, int passes)
{
    enum { N = 3 };
    g_autoptr(GError) error = NULL;
    PeVision *v = new_vision(be, N);
    PeSlot *slots[N];
    float first[N][TINY_MODEL_DIM], out[N][TINY_MODEL_DIM];
    for (int i = 0; i < N; i++) {
        g_autofree uint8_t *data = NULL;
        PeFrame frame = make_frame(PE_FORMAT_RGB, 80, 60, (guint32)i, &data);
        slots[i] = be->ops->slot_new(be, TINY_MODEL_SIZE, TINY_MODEL_SIZE);
        ingest(be, slots[i], &frame);
    }
    g_assert_true(pe_vision_embed(v, slots, N, first[0], &error));
    for (int pass = 1; pass < passes; pass++) {
        PeSlot *turned[N];
        int n = pass % 4 == 3 ? 2 : N; // another batch size in between
        for (int i = 0; i < N; i++)
            turned[i] = slots[(i + pass) % N];
        memset(out, 0xff, sizeof out);
        g_assert_true(pe_vision_embed(v, turned, n, out[0], &error));
        g_assert_no_error(error);
        for (int i = 0; i < n; i++)
            assert_same(out[i], first[(i + pass) % N], TINY_MODEL_DIM);
    }
    for (int i = 0; i < N; i++)
        be->ops->slot_free(be, slots[i]);
    pe_vision_free(v);
}

static void
recordings_give_the_same_results(void)
{
    int before = graph_launches ? graph_launches() : 0;
    PeBackend *be = open_cuda(PE_PRECISION_AUTO);
    embed_in_turns(be, 9);
    if (graph_launches) {
        int launched = graph_launches() - before;
        g_test_message("%d of 9 passes were launched as graphs", launched);
        // The first of each of the two batch sizes runs as it is.
        g_assert_cmpint(launched, ==, 7);
    }
    g_assert_cmpint(n_warnings, ==, 0);
    // Another tower on the same backend has other addresses.
    embed_in_turns(be, 5);
    be->ops->close(be);
}

static void
runs_without_recordings(void)
{
    static const char *const failures[] = {"PE_FAKE_CUDA_NO_GRAPHS",
                                           "PE_FAKE_CUDA_BAD_GRAPHS"};
    for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
        int before = graph_launches(), warned = n_warnings;
        g_setenv(failures[i], "1", TRUE);
        PeBackend *be = open_cuda(PE_PRECISION_AUTO);
        embed_in_turns(be, 6);
        be->ops->close(be);
        g_unsetenv(failures[i]);
        g_assert_cmpint(graph_launches(), ==, before);
        g_assert_cmpint(n_warnings - warned, <=, 1);
    }
    g_assert_cmpint(n_warnings, ==, 2);
}

// ---- Failures and limits ----------------------------------------------------

static void
survives_having_no_memory(void)
{
    g_autoptr(GError) error = NULL;
    PeTowerParams params = {.max_batch = 4096};
    g_setenv("PE_FAKE_CUDA_MEMORY", "100000000", TRUE);
    PeBackend *be = open_cuda(PE_PRECISION_AUTO);
    g_assert_null(pe_vision_new(be, model, &params, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_NOMEM);
    g_test_message("%s", error->message);
    g_assert_null(be->ops->sync(be));
    embed_in_turns(be, 3);
    be->ops->close(be);
    g_unsetenv("PE_FAKE_CUDA_MEMORY");
}

static void
old_devices_are_named(void)
{
    g_autoptr(GError) error = NULL;
    g_setenv("PE_FAKE_CUDA_SM", "75", TRUE);
    PeBackend *be = open_cuda(PE_PRECISION_AUTO);
    g_assert_cmpint(be->precision, ==, PE_PRECISION_FP16);
    be->ops->close(be);
    g_assert_null(pe_backend_open("cuda", PE_PRECISION_BF16, 0, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_DEVICE);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "(available: fp32, fp16, int8)"));
    g_clear_error(&error);

    g_setenv("PE_FAKE_CUDA_SM", "80", TRUE);
    g_assert_null(pe_backend_open("cuda", PE_PRECISION_FP8, 0, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_DEVICE);
    g_test_message("%s", error->message);
    g_assert_nonnull(
        strstr(error->message, "(available: fp32, fp16, int8, bf16)"));
    g_assert_nonnull(strstr(error->message, "8.9 (Ada)"));
    g_clear_error(&error);
    g_setenv("PE_FAKE_CUDA_SM", "89", TRUE);
    be = open_cuda(PE_PRECISION_FP8);
    g_assert_cmpint(be->narrow, ==, PE_DTYPE_E4M3);
    be->ops->close(be);
    be = open_cuda(PE_PRECISION_AUTO);
    g_assert_cmpint(be->precision, ==, PE_PRECISION_BF16);
    be->ops->close(be);

    g_setenv("PE_FAKE_CUDA_SM", "61", TRUE);
    g_assert_null(pe_backend_open("cuda", PE_PRECISION_AUTO, 0, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_DEVICE);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "6.1, 7.5 (Turing)"));
    PeBackend *cpu = pe_backend_open("auto", PE_PRECISION_AUTO, 0, NULL);
    g_assert_cmpstr(cpu->ops->name, ==, "cpu");
    cpu->ops->close(cpu);
    g_unsetenv("PE_FAKE_CUDA_SM");
}

static void
auto_prefers_the_device(void)
{
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open("auto", PE_PRECISION_AUTO, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(be->ops->name, ==, "cuda");
    be->ops->close(be);
    g_assert_null(pe_backend_open("cuda:99", PE_PRECISION_AUTO, 0, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_DEVICE);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "(available: cuda:0, "));
}

// What one backend has timed, the next finds on disk.
static void
measures_every_product_once(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir =
        g_build_filename(g_get_user_cache_dir(), "gst-pe", NULL);
    g_autofree char *forced = g_strdup(g_getenv("PE_CUDA_AUTOTUNE"));
    g_unsetenv("PE_CUDA_AUTOTUNE");
    for (int i = 0; i < 2; i++) {
        int before = n_measured;
        PeBackend *be = open_cuda(PE_PRECISION_AUTO);
        embed_in_turns(be, 3);
        be->ops->close(be);
        int measured = n_measured - before;
        g_test_message("run %d timed %d products", i, measured);
        g_assert_true(i == 0 ? measured > 5 : measured == 0);
    }
    // cublaslt-DEVICE-VERSION.txt, and its lock
    GDir *files = g_dir_open(dir, 0, &error);
    g_assert_no_error(error);
    const char *name;
    int n_files = 0;
    while ((name = g_dir_read_name(files)))
        n_files += g_pattern_match_simple("cublaslt-*-*.txt", name);
    g_assert_cmpint(n_files, ==, 1);
    g_dir_close(files);
    if (forced)
        g_setenv("PE_CUDA_AUTOTUNE", forced, TRUE);
}

static void
the_engine_runs_on_it(void)
{
    enum { N = 5 };
    g_autoptr(GError) error = NULL;
    PeEngineParams params = {.model = model, .device = "cuda", .batch_size = 4};
    PeEngine *engine = pe_engine_get(&params, &error);
    g_assert_no_error(error);
    PeFrame frames[N];
    uint8_t *data[N];
    float out[N][TINY_MODEL_DIM], alone[TINY_MODEL_DIM];
    for (int i = 0; i < N; i++)
        frames[i] = make_frame(PE_FORMAT_NV12, 99, 70, (guint32)i, &data[i]);
    g_assert_true(pe_engine_embed_frames(engine, frames, N, out[0], &error));
    g_assert_true(pe_engine_embed_frames(engine, &frames[2], 1, alone, &error));
    g_assert_no_error(error);
    assert_same(alone, out[2], TINY_MODEL_DIM);
    g_assert_cmpfloat(pe_engine_measure_gemm(engine, 2), >, 0);
    g_assert_cmpstr(pe_engine_get_device(engine), ==, "cuda:0");
    g_assert_true(pe_engine_get_device_context(engine) ==
                  pe_device_get_context("cuda:0", NULL));
    g_assert_nonnull(pe_engine_get_device_context(engine));
    for (int i = 0; i < N; i++)
        g_free(data[i]);
    pe_engine_unref(engine);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    // Not the user's cache: a real device fills it, too.
    g_test_init(&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
    pe_log_set(count_log, NULL);
    model_path = tiny_model_new(1);
    model = pe_model_open(model_path, &error);
    g_assert_no_error(error);
    GModule *module =
        g_module_open(g_getenv("GST_PE_CUDA_MODULE"), G_MODULE_BIND_LAZY);
    g_assert_nonnull(module);
    void *symbol = NULL;
    bool emulated =
        g_module_symbol(module, "fake_cuda_graph_launches", &symbol);
    graph_launches = (int (*)(void))symbol;

    g_test_add_func("/cuda/frames/bytes", frames_become_the_cpus_bytes);
    g_test_add_func("/cuda/frames/given_back", device_frames_are_given_back);
    g_test_add_func("/cuda/frames/order", frames_keep_their_order);
    g_test_add_func("/cuda/frames/threads", threads_may_ingest_at_once);
    g_test_add_func("/cuda/frames/memory", refuses_planes_of_other_memory);
    g_test_add_func("/cuda/recordings/same", recordings_give_the_same_results);
    if (emulated) {
        g_assert_true(g_module_symbol(module, "fake_cuda_new_stream", &symbol));
        new_stream = (void *(*)(void))symbol;
        g_test_add_func("/cuda/frames/last", slots_keep_the_last_frame);
        g_test_add_func("/cuda/recordings/none", runs_without_recordings);
        g_test_add_func("/cuda/limits/memory", survives_having_no_memory);
        g_test_add_func("/cuda/limits/old", old_devices_are_named);
    }
    g_test_add_func("/cuda/limits/auto", auto_prefers_the_device);
    g_test_add_func("/cuda/algos/once", measures_every_product_once);
    g_test_add_func("/cuda/engine", the_engine_runs_on_it);
    int failed = g_test_run();
    pe_model_unref(model);
    tiny_model_remove(model_path);
    return failed;
}
