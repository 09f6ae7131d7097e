// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_runner.c - see fake_runner.h.

#include "fake_runner.h"

#include "tests/support/tiny_model.h"

FakeState fake;

static GMutex lock; // of `fake`
static GCond changed;
static int n_inside; // calls that run; under the lock

typedef struct {
    PeRunner base;
    int n_loaded_pieces; // of the text tower
    bool has_texts;      // all of them
} FakeRunner;

// While a function has one, fake_reset() waits.
typedef bool Visit;

static Visit
enter(void)
{
    g_mutex_lock(&lock);
    n_inside++;
    g_mutex_unlock(&lock);
    return true;
}

static void
leave(Visit visit)
{
    g_mutex_lock(&lock);
    n_inside--;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(Visit, leave, false)

static PeRunner *
fake_open(const PeEngineParams *params, GError **error)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    FakeRunner *r = g_new0(FakeRunner, 1);
    PeRunner *d = &r->base;
    d->name = g_strdup("cpu");
    d->description = g_strdup("imagined");
    d->precision = params->precision == PE_PRECISION_AUTO ? PE_PRECISION_BF16
                                                          : params->precision;
    d->batch_size = params->batch_size ? params->batch_size : 4;
    d->text_idle_us = (fake.text_idle_ms ? fake.text_idle_ms : 60000) * 1000;
    fake.n_threads = params->n_threads;
    g_atomic_int_inc(&fake.n_opened);
    return d;
}

static bool
fake_load(PeRunner *runner, GError **error)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    g_usleep((gulong)fake.load_ms * 1000);
    g_atomic_int_inc(&fake.n_loaded);
    g_mutex_lock(&lock);
    fake.n_closed_at_load = g_atomic_int_get(&fake.n_closed);
    g_mutex_unlock(&lock);
    if (fake.fail_load)
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM, "too little of it");
    return !fake.fail_load;
}

static void
fake_close(PeRunner *runner)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    g_free(runner->name);
    g_free(runner->description);
    g_strfreev(runner->notes);
    g_free(runner);
    if (fake.tell_close)
        g_printerr("closed\n");
    g_atomic_int_inc(&fake.n_closed);
}

// What every piece of work does first; it takes `us` by the device's clock.
static void
begin(char letter, int us)
{
    g_usleep((gulong)fake.batch_ms * 1000);
    g_mutex_lock(&lock);
    g_string_append_c(fake.log, letter);
    g_cond_broadcast(&changed);
    while (fake.held)
        g_cond_wait(&changed, &lock);
    if (letter == 'i' && fake.last_image > 0)
        fake.longest_gap = MAX(fake.longest_gap, fake.clock - fake.last_image);
    fake.clock += us;
    if (letter == 'i')
        fake.last_image = fake.clock;
    g_mutex_unlock(&lock);
}

static int64_t
fake_now(PeRunner *runner)
{
    g_mutex_lock(&lock);
    int64_t now = fake.scripted ? fake.clock : g_get_monotonic_time();
    g_mutex_unlock(&lock);
    return now;
}

static bool
run_layers(const int *abandon, GError **error)
{
    fake.layers_run = 0;
    while (fake.layers_run < fake.n_layers) {
        if (g_atomic_int_get(abandon)) {
            g_set_error(error, PE_ERROR, PE_ERROR_CANCELLED, "not wanted");
            return false;
        }
        fake.layers_run++;
    }
    return true;
}

static bool
fake_embed_images(PeRunner *runner, PeSlot *const *slots, int n,
                  const int *abandon, float *out, GError **error)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    if (g_atomic_int_get(abandon)) {
        g_set_error(error, PE_ERROR, PE_ERROR_CANCELLED, "never wanted");
        return false;
    }
    begin('i', fake.image_us);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    if (!run_layers(abandon, error))
        return false;
    bool fails = fake.fail_batches > 0;
    fake.fail_batches -= fails;
    for (int i = 0; i < n; i++)
        out[i * TINY_MODEL_DIM] = *(float *)slots[i];
    if (fails)
        g_set_error(error, PE_ERROR, (int)fake.batch_error, "it broke");
    return !fails;
}

static bool
fake_load_texts(PeRunner *runner, bool *ready, GError **error)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    FakeRunner *r = (FakeRunner *)runner;
    if (!r->has_texts && fake.n_pieces > 0) {
        begin('l', fake.piece_us);
        r->has_texts = ++r->n_loaded_pieces % fake.n_pieces == 0;
    }
    r->has_texts |= fake.n_pieces == 0;
    *ready = r->has_texts;
    return true;
}

static void
fake_drop_texts(PeRunner *runner)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    begin('d', 0);
    ((FakeRunner *)runner)->has_texts = false;
}

static bool
fake_embed_texts(PeRunner *runner, const int *ids, int n, int context,
                 float *out, GError **error)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    g_assert_cmpint(n, <=, PE_TEXT_CHUNK);
    g_assert_true(((FakeRunner *)runner)->has_texts);
    begin('t', n * fake.text_us);
    for (int i = 0; i < n; i++)
        out[i * TINY_MODEL_DIM] = (float)ids[i * context + 1];
    return true;
}

static double
fake_measure_gemm(PeRunner *runner, int batch)
{
    return batch;
}

static double
fake_measure_peak(PeRunner *runner, int n_threads)
{
    return 10 * n_threads;
}

static int
fake_profile(PeRunner *runner, PeOperation *operations, int n)
{
    return n + 1;
}

static PeSlot *
fake_slot_new(PeRunner *runner)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    g_atomic_int_inc(&fake.n_slots);
    return (PeSlot *)g_new0(float, 1);
}

static void
fake_slot_free(PeRunner *runner, PeSlot *slot)
{
    g_auto(Visit) visit G_GNUC_UNUSED = enter();
    g_free(slot);
    g_atomic_int_add(&fake.n_slots, -1);
}

static bool
fake_ingest(PeRunner *runner, PeSlot *const *slots, const PeFrame *frame,
            const PeRect *regions, int n, GError **error)
{
    int width = frame->crop.width > 0 ? frame->crop.width : frame->width;
    if (frame->width == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "an empty frame");
        return false;
    }
    for (int i = 0; i < n; i++)
        *(float *)slots[i] = (float)(regions ? regions[i].width : width);
    return true;
}

const PeRunnerOps fake_runner_ops = {
    .open = fake_open,
    .load = fake_load,
    .close = fake_close,
    .embed_images = fake_embed_images,
    .load_texts = fake_load_texts,
    .embed_texts = fake_embed_texts,
    .drop_texts = fake_drop_texts,
    .now = fake_now,
    .measure_gemm = fake_measure_gemm,
    .measure_peak = fake_measure_peak,
    .profile = fake_profile,
    .slot_new = fake_slot_new,
    .slot_free = fake_slot_free,
    .ingest = fake_ingest,
};

void
fake_reset(void)
{
    g_mutex_lock(&lock);
    fake.held = false;
    g_cond_broadcast(&changed);
    while (n_inside > 0)
        g_cond_wait(&changed, &lock);
    if (fake.log)
        g_string_free(fake.log, TRUE);
    fake = (FakeState){
        .n_opened = fake.n_opened - fake.n_closed,
        .n_slots = fake.n_slots,
        .log = g_string_new(NULL),
    };
    g_mutex_unlock(&lock);
}

void
fake_hold(bool held)
{
    g_mutex_lock(&lock);
    fake.held = held;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

void
fake_wait_for_work(gsize n)
{
    g_mutex_lock(&lock);
    while (fake.log->len < n)
        g_cond_wait(&changed, &lock);
    g_mutex_unlock(&lock);
}
