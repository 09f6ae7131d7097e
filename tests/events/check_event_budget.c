// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_event_budget.c - a camera keeps its budget of alarms, in simulated
// days; and its history survives in a file, whole or not at all.

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/pe.h"

#define S G_GUINT64_CONSTANT(1000000000)
#define STEP (4 * S)
#define PER_DAY (86400 / 4) // results
#define MAX_LABELS 24

// ---- A simulated camera ---------------------------------------------------

// The evidence of each label wanders around a mean (an Ornstein-Uhlenbeck
// process, whose values are normal), with the hours of the day and with the
// weather of each day; now and then something is really there.
typedef struct {
    const char *name;
    int n_labels;
    double budget;
    double mean, spread; // logits, of most labels
    double lasting;      // mean of the first label
    double memory;       // s, of the process
    double daily;        // spread of the mean from day to day
    double hours;        // how much it rises by noon
    double real;         // real events of each label in a day
} Camera;

static const Camera cameras[] = {
    {"quiet", 8, 5, -8, 1.2, -8, 30, .3, .5, .3},
    {"noisy", 8, 5, -3, 1.3, -3, 30, .3, .5, .3},
    {"lasting label", 8, 5, -8, 1.2, 2, 30, .3, .5, .3},
    {"lasting, slow", 8, 5, -8, 1.2, 2, 600, .3, .5, .3},
    {"many labels", 24, 3, -3, 1.3, -3, 30, .3, .5, .1},
    {"one a day", 4, 1, -3, 1.3, -3, 30, .3, .5, .1},
    {"weather", 8, 5, -3, 1.3, -3, 30, .8, 1, .3},
    {"forty a day", 8, 40, -2, 1.5, 1, 60, .3, .5, 2},
};

typedef struct {
    const Camera *camera;
    GRand *rand;
    double x[MAX_LABELS], weather[MAX_LABELS];
    int real[MAX_LABELS]; // results for which something is still there
    int64_t now;          // results so far
} World;

static double
draw_normal(GRand *rand)
{
    double u = g_rand_double_range(rand, 1e-12, 1);

    return sqrt(-2 * log(u)) * cos(2 * G_PI * g_rand_double(rand));
}

static void
step_world(World *w, float *evidence)
{
    const Camera *c = w->camera;
    double keep = exp(-(double)STEP / 1e9 / c->memory);
    double noon = sin(2 * G_PI * (double)(w->now % PER_DAY) / PER_DAY);

    for (int k = 0; k < c->n_labels; k++) {
        if (w->now % PER_DAY == 0)
            w->weather[k] = c->daily * draw_normal(w->rand);
        w->x[k] = keep * w->x[k] +
                  sqrt(1 - keep * keep) * c->spread * draw_normal(w->rand);
        if (w->real[k] > 0)
            w->real[k]--;
        else if (g_rand_double(w->rand) < c->real / PER_DAY)
            w->real[k] = 8;
        evidence[k] =
            (float)((k == 0 ? c->lasting : c->mean) + w->x[k] + w->weather[k] +
                    c->hours * noon + (w->real[k] > 0 ? 8 : 0));
    }
    w->now++;
}

static const PeEventParams usual = {
    .threshold_on = .5,
    .threshold_off = .3,
    .step = STEP,
    .smoothing = 4 * S,
    .min_duration = 8 * S,
    .merge_gap = 12 * S,
    .cooldown = 30 * S,
    .history = true,
};

static PeEvents *
make(const PeEventParams *params, int n_labels)
{
    static const char *const names[MAX_LABELS] = {
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
        "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x"};
    g_autoptr(GError) error = NULL;
    PeEvents *events = pe_events_new(params, names, n_labels, 0, &error);

    g_assert_no_error(error);
    return events;
}

// Returns how many events began.
static int
run_day(World *w, PeEvents *events)
{
    int n = 0;

    for (int i = 0; i < PER_DAY; i++) {
        float evidence[MAX_LABELS];
        uint64_t start = (uint64_t)w->now * STEP;
        const PeEvent *told;
        step_world(w, evidence);
        int n_told =
            pe_events_push(events, start, start + STEP, evidence, NULL, &told);
        for (int t = 0; t < n_told; t++)
            n += told[t].phase == PE_EVENT_START;
    }
    return n;
}

// ---- The budget -----------------------------------------------------------

// Alarms over the budget, on the second day and on those after it.
typedef struct {
    double without; // events a day without a budget
    double second, later;
} Rate;

static Rate
measure(const Camera *c, uint32_t n_seeds, int n_days)
{
    Rate rate = {0};

    for (uint32_t seed = 1; seed <= n_seeds; seed++) {
        PeEventParams params = usual;
        World w = {.camera = c, .rand = g_rand_new_with_seed(seed)};
        World copy = {.camera = c, .rand = g_rand_new_with_seed(seed)};
        PeEvents *without = make(&params, c->n_labels);
        params.alarms_per_day = c->budget;
        PeEvents *events = make(&params, c->n_labels);
        rate.without += run_day(&copy, without);
        run_day(&w, events);
        rate.second += run_day(&w, events) / c->budget;
        for (int day = 2; day < n_days; day++)
            rate.later += run_day(&w, events) / c->budget / (n_days - 2);
        g_rand_free(w.rand);
        g_rand_free(copy.rand);
        pe_events_free(events);
        pe_events_free(without);
    }
    rate.without /= n_seeds;
    rate.second /= n_seeds;
    rate.later /= n_seeds;
    return rate;
}

// PE_BUDGET_SEEDS=3 PE_BUDGET_DAYS=15 makes the numbers in MODEL.md.
static void
keeps_a_budget(void)
{
    const char *seeds = g_getenv("PE_BUDGET_SEEDS");
    const char *days = g_getenv("PE_BUDGET_DAYS");
    double sum = 0;
    int n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(cameras); i++) {
        const Camera *c = &cameras[i];
        Rate rate = measure(c, seeds ? (uint32_t)atoi(seeds) : 1,
                            days ? atoi(days) : 5);
        g_test_message("%-14s %2d labels: %7.1f a day without a budget; "
                       "alarms / budget of %2.0f: %5.2f on day 2, %5.2f after",
                       c->name, c->n_labels, rate.without, c->budget,
                       rate.second, rate.later);
        g_assert_cmpfloat(rate.later, <=, 2.5);
        // Who has few events has them all.
        if (rate.without < c->budget)
            continue;
        g_assert_cmpfloat(rate.later, >=, .2);
        sum += rate.later;
        n++;
    }
    g_test_message("mean %.2f, limits .5 and 1.5", sum / n);
    g_assert_cmpfloat(sum / n, >=, .5);
    g_assert_cmpfloat(sum / n, <=, 1.5);
}

// Thresholds are global for a day, then chosen, never lower, and not changed
// under an event.
static void
leaves_an_event_its_threshold(void)
{
    PeEventParams params = usual;
    World w = {.camera = &cameras[1], .rand = g_rand_new_with_seed(7)};
    int changes = 0;

    params.alarms_per_day = 5;
    PeEvents *events = make(&params, cameras[1].n_labels);
    double old[MAX_LABELS];
    bool on[MAX_LABELS] = {false};
    for (int k = 0; k < cameras[1].n_labels; k++)
        old[k] = .5;
    for (int i = 0; i < 2 * PER_DAY; i++) {
        float evidence[MAX_LABELS];
        uint64_t start = (uint64_t)i * STEP;
        const PeEvent *told;
        step_world(&w, evidence);
        int n =
            pe_events_push(events, start, start + STEP, evidence, NULL, &told);
        for (int k = 0; k < cameras[1].n_labels; k++) {
            double now = pe_events_get_threshold(events, k);
            changes += now != old[k];
            g_assert_cmpfloat(now, >=, .5);
            g_assert_true(i >= PER_DAY - 1 || now == .5);
            g_assert_true(!on[k] || now == old[k] ||
                          (n > 0 && told[0].phase == PE_EVENT_END));
            old[k] = now;
        }
        for (int t = 0; t < n; t++) {
            on[told[t].label] = told[t].phase != PE_EVENT_END;
            if (told[t].phase != PE_EVENT_END)
                g_assert_cmpfloat(fabs(told[t].threshold - old[told[t].label]),
                                  <, 1e-6);
        }
    }
    g_test_message("%d changes of thresholds in a day", changes);
    g_assert_cmpint(changes, >, 0);
    g_rand_free(w.rand);
    pe_events_free(events);
}

// ---- p-values -------------------------------------------------------------

static void
reports_conformal_p_values(void)
{
    enum { N = 2000 };
    PeEventParams params = usual;
    GRand *rand = g_rand_new_with_seed(3);
    double history[N];

    params.smoothing = 0;
    PeEvents *events = make(&params, 1);
    g_assert_true(isnan(pe_events_get_p_value(events, 0)));
    for (int i = 0; i < N; i++) {
        float l = (float)g_rand_double_range(rand, -25, 25);
        const PeEvent *told;
        pe_events_push(events, (uint64_t)i * S, (uint64_t)i * S + S, &l, NULL,
                       &told);
        double p = pe_events_get_p_value(events, 0);
        // Exactly, and with values in the bin below counted as above.
        double exact = 1, most = 1;
        history[i] = CLAMP((double)l, -20, 20);
        for (int j = 0; j < i; j++) {
            exact += history[j] >= history[i];
            most += history[j] >= history[i] - .25;
        }
        g_assert_cmpfloat(p, >=, exact / (i + 1) - 1e-9);
        g_assert_cmpfloat(p, <=, most / (i + 1) + 1e-9);
    }
    g_rand_free(rand);
    pe_events_free(events);
}

// ---- The file -------------------------------------------------------------

static char *folder, *path;

static PeEvents *
make_with_history(double days)
{
    World w = {.camera = &cameras[1], .rand = g_rand_new_with_seed(5)};
    PeEvents *events = make(&usual, cameras[1].n_labels);

    for (int i = 0; i < (int)(days * PER_DAY); i++) {
        float evidence[MAX_LABELS];
        const PeEvent *told;
        step_world(&w, evidence);
        pe_events_push(events, (uint64_t)i * STEP, (uint64_t)(i + 1) * STEP,
                       evidence, NULL, &told);
    }
    g_rand_free(w.rand);
    return events;
}

// A new one, which nobody waits for to be on the disk: there are thousands.
static void
write_file(const char *text, size_t size)
{
    g_remove(path);
    FILE *file = fopen(path, "wb");

    g_assert_nonnull(file);
    g_assert_cmpuint(fwrite(text, 1, size, file), ==, size);
    g_assert_cmpint(fclose(file), ==, 0);
}

static void
assert_refused(PeEvents *events, const char *identity, const char *message)
{
    g_autoptr(GError) error = NULL;
    double hours = pe_events_get_history_hours(events);

    g_assert_false(pe_events_load_history(events, path, identity, &error));
    g_assert_nonnull(error);
    if (message) {
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, message));
        g_assert_nonnull(strstr(error->message, "delete this one"));
    }
    g_assert_cmpfloat(pe_events_get_history_hours(events), ==, hours);
}

// Nobody ever writes into this one.
static void
waits_for_no_pipe(void)
{
    PeEvents *events = make(&usual, cameras[1].n_labels);
    g_autofree char *pipe = g_strconcat(path, ".pipe", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    g_assert_false(pe_events_load_history(events, pipe, "id", &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, "is a device or pipe, not a file"));
    g_unlink(pipe);
    pe_events_free(events);
}

static void
is_the_same_from_a_file(void)
{
    g_autoptr(GError) error = NULL;
    PeEvents *events = make_with_history(1.2);
    PeEvents *other = make(&usual, cameras[1].n_labels);
    g_autofree char *dump = pe_events_dump_history(events, "id");

    g_test_message("%zu bytes for %d labels", strlen(dump),
                   cameras[1].n_labels);
    g_assert_cmpuint(strlen(dump), <, 20000);
    // No file is an empty history.
    g_assert_true(pe_events_load_history(other, path, "id", &error));
    g_assert_cmpfloat(pe_events_get_history_hours(other), ==, 0);
    g_assert_true(pe_events_save_history(path, dump, &error));
    g_assert_true(pe_events_load_history(other, path, "id", &error));
    g_assert_no_error(error);
    g_assert_cmpfloat_with_epsilon(pe_events_get_history_hours(other), 28.8,
                                   .01);
    g_autofree char *again = pe_events_dump_history(other, "id");
    g_assert_cmpstr(again, ==, dump);
    pe_events_free(events);
    pe_events_free(other);
}

// Budget is kept from the first result on.
static void
begins_with_what_the_file_knows(void)
{
    g_autoptr(GError) error = NULL;
    PeEvents *events = make_with_history(1.2);
    g_autofree char *dump = pe_events_dump_history(events, "id");
    PeEventParams params = usual;
    float evidence[MAX_LABELS] = {0};
    const PeEvent *told;

    g_assert_true(pe_events_save_history(path, dump, &error));
    params.alarms_per_day = 5;
    PeEvents *other = make(&params, cameras[1].n_labels);
    g_assert_true(pe_events_load_history(other, path, "id", &error));
    pe_events_push(other, 0, STEP, evidence, NULL, &told);
    g_test_message("threshold %g", pe_events_get_threshold(other, 0));
    g_assert_cmpfloat(pe_events_get_threshold(other, 0), >, .5);
    pe_events_free(events);
    pe_events_free(other);
}

static void
refuses_what_is_not_its_own(void)
{
    g_autoptr(GError) error = NULL;
    PeEvents *events = make_with_history(.1);
    g_autofree char *dump = pe_events_dump_history(events, "0123");
    PeEventParams params = usual;

    g_assert_true(pe_events_save_history(path, dump, &error));
    assert_refused(events, "4567", "another model or label set");
    params.cooldown++;
    PeEvents *other = make(&params, cameras[1].n_labels);
    assert_refused(other, "0123", "other rules");
    pe_events_free(other);
    other = make(&usual, cameras[1].n_labels - 1);
    assert_refused(other, "0123", "cannot read");
    pe_events_free(other);
    pe_events_free(events);
}

static void
refuses_what_is_damaged(void)
{
    PeEvents *events = make_with_history(.02);
    g_autofree char *dump = pe_events_dump_history(events, "id");
    size_t size = strlen(dump);
    PeEvents *other = make(&usual, cameras[1].n_labels);

    for (size_t cut = 0; cut < size; cut++) {
        write_file(dump, cut);
        assert_refused(other, "id",
                       cut % 500 == 0 ? "not a whole history" : NULL);
    }
    for (size_t i = 0; i < size; i++) {
        dump[i] ^= 4;
        write_file(dump, size);
        assert_refused(other, "id", NULL);
        dump[i] ^= 4;
    }
    g_test_message("%zu lengths and %zu bytes", size, size);
    pe_events_free(other);
    pe_events_free(events);
}

// With a right checksum, too.
static void
refuses_what_makes_no_sense(void)
{
    static const struct {
        const char *old, *new;
    } faults[] = {
        {"\"seconds\":", "\"seconds\":-"},
        {"\"seconds\":", "\"second\":"},
        {"\"name\":\"a\"", "\"name\":\"z\""},
        {"\"name\":\"a\"", "\"name\":\"b\""},
        {"\"name\":\"a\"", "\"name\":[]"},
        {"\"frames\":[", "\"frames\":[-"},
        {"\"frames\":[", "\"frames\":[1"},
        {"\"frames\":[", "\"frames\":[[],"},
        {"\"frames\":[", "\"frames\":[0.5,\"x\",null,-3,"},
        {"\"events\":[", "\"events\":[90,1,1,1,1,1,1,1,1,1,1,1,"},
        {"\"labels\":[", "\"labels\":[7,"},
        {"\"labels\":[", "\"labels\":{\"x\":["},
        {"\"rules\":{", "\"rules\":7,\"r\":{"},
    };
    PeEvents *events = make_with_history(.02);
    g_autofree char *dump = pe_events_dump_history(events, "id");
    const char *json = strchr(dump, '\n') + 1;

    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        const char *place = strstr(json, faults[i].old);
        g_assert_nonnull(place);
        g_autofree char *bad =
            g_strdup_printf("%.*s%s%s", (int)(place - json), json,
                            faults[i].new, place + strlen(faults[i].old));
        g_autofree char *sum =
            g_compute_checksum_for_string(G_CHECKSUM_SHA256, bad, -1);
        g_autofree char *file =
            g_strdup_printf("pe-event-history 1 %s\n%s", sum, bad);
        g_assert_true(g_file_set_contents(path, file, -1, NULL));
        assert_refused(events, "id", NULL);
    }
    pe_events_free(events);
}

// A program is killed while it writes one of two histories again and again.
static void
survives_a_kill(void)
{
    PeEvents *small = make_with_history(.02), *large = make_with_history(.3);
    g_autofree char *a = pe_events_dump_history(small, "id");
    g_autofree char *b = pe_events_dump_history(large, "id");
    g_autoptr(GError) error = NULL;

    g_assert_true(pe_events_save_history(path, a, &error));
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (;;) {
                if (!pe_events_save_history(path, b, NULL) ||
                    !pe_events_save_history(path, a, NULL))
                    _exit(1);
            }
        }
        g_usleep((gulong)(1000 + 700 * i));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        PeEvents *other = make(&usual, cameras[1].n_labels);
        g_assert_true(pe_events_load_history(other, path, "id", &error));
        g_assert_no_error(error);
        g_autofree char *now = pe_events_dump_history(other, "id");
        g_assert_true(strcmp(now, a) == 0 || strcmp(now, b) == 0);
        pe_events_free(other);
    }
    pe_events_free(small);
    pe_events_free(large);
}

static void
says_what_cannot_be_written(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *nowhere = g_build_filename(folder, "no", "such", NULL);

    g_assert_false(pe_events_save_history(nowhere, "", &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_test_message("%s", error->message);
}

static void
clean_up(void)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(folder, name, NULL);
        g_remove(file);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_rmdir(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("pe-events-XXXXXX", NULL);
    path = g_build_filename(folder, "history", NULL);
#define ADD(test) g_test_add_func("/event_budget/" #test, test)
    ADD(keeps_a_budget);
    ADD(leaves_an_event_its_threshold);
    ADD(reports_conformal_p_values);
    ADD(waits_for_no_pipe);
    ADD(is_the_same_from_a_file);
    ADD(begins_with_what_the_file_knows);
    ADD(refuses_what_is_not_its_own);
    ADD(refuses_what_is_damaged);
    ADD(refuses_what_makes_no_sense);
    ADD(survives_a_kill);
    ADD(says_what_cannot_be_written);
    int failed = g_test_run();
    clean_up();
    g_free(folder);
    g_free(path);
    return failed;
}
