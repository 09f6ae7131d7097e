// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_events.c - events begin, go on and end as core/peevents.h says: in
// scripts that are written out, and in thousands of random sequences against
// event_oracle.c.

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/pe.h"
#include "event_oracle.h"

#define S G_GUINT64_CONSTANT(1000000000)

static PeEvents *
make(const PeEventParams *params, int n_labels, int dim)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    g_autoptr(GError) error = NULL;

    PeEvents *events = pe_events_new(params, names, n_labels, dim, &error);
    g_assert_no_error(error);
    return events;
}

// ---- Scripts --------------------------------------------------------------

// Evidence between the thresholds of .5 and .6 is M.
static const PeEventParams plain = {
    .threshold_on = .6, .threshold_off = .5, .step = S};

static void
print_told(GString *out, const PeEvent *told, int n)
{
    static const char *const phases[] = {"start", "update", "end"};

    for (int i = 0; i < n; i++) {
        const PeEvent *e = &told[i];
        g_string_append_printf(out, "%s%s %c%d %d-%d", out->len > 0 ? ", " : "",
                               phases[e->phase], e->name[0], (int)e->id,
                               (int)(e->start / S), (int)(e->end / S));
    }
}

// A character is a second of label a: H, M and L are results, a point is none,
// < is the time 0 again, | ends the stream. Behind / is label b in the same
// seconds. What each tells is told with " @SECOND" behind it.
static char *
play(const PeEventParams *params, const char *script)
{
    const char *b = strchr(script, '/');
    int n = b ? (int)(b - script) : (int)strlen(script);
    PeEvents *events = make(params, 2, 0);
    GString *out = g_string_new(NULL);
    uint64_t now = 0;

    for (int i = 0; i < n; i++) {
        const PeEvent *told;
        int n_told = 0;
        float evidence[2];
        for (int k = 0; k < 2; k++) {
            char c = k == 0 ? script[i] : b ? b[1 + i] : 'L';
            evidence[k] = c == 'H' ? 2 : c == 'M' ? .2f : -2;
        }
        if (script[i] == '<')
            now = 0;
        else if (script[i] == '|')
            n_told = pe_events_end(events, &told);
        else if (script[i] != '.')
            n_told =
                pe_events_push(events, now, now + S, evidence, NULL, &told);
        if (script[i] != '<' && script[i] != '|')
            now += S;
        if (n_told > 0) {
            print_told(out, told, n_told);
            g_string_append_printf(out, " @%d", (int)(now / S));
        }
    }
    pe_events_free(events);
    return g_string_free(out, FALSE);
}

static void
assert_played(const PeEventParams *params, const char *script,
              const char *expected)
{
    g_autofree char *out = play(params, script);

    g_test_message("%s: %s", script, out);
    g_assert_cmpstr(out, ==, expected);
}

static void
has_two_thresholds(void)
{
    assert_played(&plain, "LMHHMMLMMHL",
                  "start a0 2-3 @3, end a0 2-6 @7, start a1 9-10 @10, "
                  "end a1 9-10 @11");
    assert_played(&plain, "MMMMLM", "");
}

static void
begins_after_a_while(void)
{
    PeEventParams params = plain;

    params.min_duration = 3 * S;
    // Between the thresholds a run does not go on, an event does.
    assert_played(&params, "LHHMHHHMMLLHHLH",
                  "start a0 4-7 @7, end a0 4-9 @10");
    // A single result may be long enough.
    params.min_duration = S;
    assert_played(&params, "LHL", "start a0 1-2 @2, end a0 1-2 @3");
}

static void
joins_what_is_near(void)
{
    PeEventParams params = plain;

    params.merge_gap = 3 * S;
    assert_played(&params, "HLLHLLLHLLLL",
                  "start a0 0-1 @1, end a0 0-4 @7, start a1 7-8 @8, "
                  "end a1 7-8 @11");
    // The end waits for a run that may still join, and does not last.
    params.min_duration = 2 * S;
    assert_played(&params, "HHLLHLLL", "start a0 0-2 @2, end a0 0-2 @6");
    params.min_duration = 3 * S;
    assert_played(&params, "HHHLLHHHL|", "start a0 0-3 @3, end a0 0-8 @9");
}

static void
rests_after_an_event(void)
{
    PeEventParams params = plain;

    params.cooldown = 4 * S;
    assert_played(&params, "HLHLHHHHL",
                  "start a0 0-1 @1, end a0 0-1 @2, start a1 5-6 @6, "
                  "end a1 5-8 @9");
    // Also across a hole, but not when times begin anew.
    assert_played(&params, "H....HH|H<HL",
                  "start a0 0-1 @1, end a0 0-1, start a1 5-6 @6, "
                  "end a1 5-7 @7, start a2 7-8 @8, end a2 7-8, "
                  "start a3 0-1 @1, end a3 0-1 @2");
    params.cooldown = 6 * S;
    assert_played(&params, "H....HHHL",
                  "start a0 0-1 @1, end a0 0-1 @6, start a1 7-8 @8, "
                  "end a1 7-8 @9");
    // What is near enough is the same event all the same.
    params.merge_gap = 3 * S;
    assert_played(&params, "HLHLLLLL", "start a0 0-1 @1, end a0 0-3 @6");
}

static void
tells_updates_now_and_then(void)
{
    PeEventParams params = plain;

    params.update_interval = 2 * S;
    assert_played(&params, "HHHHHHL",
                  "start a0 0-1 @1, update a0 0-3 @3, update a0 0-5 @5, "
                  "end a0 0-6 @7");
    // Not while the label is away.
    params.merge_gap = 4 * S;
    assert_played(&params, "HLLLHL....L",
                  "start a0 0-1 @1, update a0 0-5 @5, end a0 0-5 @11");
}

static void
begins_anew_after_a_hole(void)
{
    assert_played(&plain, "HH...MHL", "start a0 0-1 @1, end a0 0-7 @8");
    assert_played(&plain, "HH....MHL",
                  "start a0 0-1 @1, end a0 0-2 @7, start a1 7-8 @8, "
                  "end a1 7-8 @9");
}

static void
ends_with_the_stream(void)
{
    PeEventParams params = plain;

    assert_played(&plain, "LHH|", "start a0 1-2 @2, end a0 1-3 @3");
    assert_played(&plain, "LHL|", "start a0 1-2 @2, end a0 1-2 @3");
    assert_played(&plain, "||H||", "start a0 0-1 @1, end a0 0-1 @1");
    // What waits for more ends where it was, and a run was nothing.
    params.merge_gap = 5 * S;
    params.min_duration = 2 * S;
    assert_played(&params, "HHLH|H|", "start a0 0-2 @2, end a0 0-2 @4");
}

static void
begins_anew_when_time_jumps_back(void)
{
    assert_played(&plain, "LLHH<HL",
                  "start a0 2-3 @3, end a0 2-4, start a1 0-1 @1, "
                  "end a1 0-1 @2");
}

static void
keeps_labels_apart(void)
{
    assert_played(&plain, "LHHLL|/HHLHH|",
                  "start b0 0-1 @1, start a1 1-2 @2, end b0 0-2 @3, "
                  "end a1 1-3, start b2 3-4 @4, end b2 3-5 @5");
}

// ---- Values ---------------------------------------------------------------

static void
smooths_in_continuous_time(void)
{
    // With tau = 1 s: L = 2 (1 - e^-t) from 0, which passes log(3 / 2) = .405
    // at .2266 s, whatever the steps.
    for (int steps = 10; steps <= 1000; steps *= 10) {
        PeEventParams params = plain;
        params.smoothing = S;
        PeEvents *events = make(&params, 1, 0);
        const PeEvent *told;
        uint64_t dt = S / (uint64_t)steps, now = dt;
        float low = 0, high = 2;
        g_assert_cmpint(pe_events_push(events, 0, now, &low, NULL, &told), ==,
                        0);
        while (pe_events_push(events, now, now + dt, &high, NULL, &told) == 0)
            now += dt;
        double passed = (double)(told[0].end - dt) / 1e9;
        g_test_message("%d steps a second: on after %.3f s, limit .2266", steps,
                       passed);
        g_assert_cmpfloat(passed, >=, .2265);
        g_assert_cmpfloat(passed, <, .2267 + 1.0 / steps);
        pe_events_free(events);
    }
}

static void
describes_an_event(void)
{
    PeEvents *events = make(&plain, 1, 2);
    static const float levels[] = {1, 3, 2, -2};
    static const float embeddings[][2] = {{1, 0}, {0, 1}, {0, 1}, {1, 0}};
    const PeEvent *told = NULL;

    for (uint64_t i = 0; i < 4; i++)
        pe_events_push(events, i * S, (i + 1) * S, &levels[i], embeddings[i],
                       &told);
    g_assert_cmpint(told->phase, ==, PE_EVENT_END);
    g_assert_cmpstr(told->name, ==, "a");
    g_assert_cmpuint(told->n_clips, ==, 3);
    g_assert_cmpuint(told->peak, ==, S + S / 2);
    g_assert_cmpfloat_with_epsilon(told->peak_score, .95257, 1e-5);
    g_assert_cmpfloat_with_epsilon(told->threshold, .6, 1e-6);
    // (1, 2) / sqrt(5)
    g_assert_cmpfloat_with_epsilon(told->embedding[0], .44721, 1e-5);
    g_assert_cmpfloat_with_epsilon(told->embedding[1], .89443, 1e-5);
    g_assert_true(isnan(told->p_value));
    pe_events_free(events);
}

static void
takes_any_evidence(void)
{
    PeEvents *events = make(&plain, 4, 0);
    float all[] = {INFINITY, -INFINITY, NAN, FLT_MAX};
    float none[] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    const PeEvent *told;

    g_assert_cmpint(pe_events_push(events, 0, S, all, NULL, &told), ==, 2);
    g_assert_cmpint(told[0].label, ==, 0);
    g_assert_cmpint(told[1].label, ==, 3);
    g_assert_cmpfloat(told[0].peak_score, <=, 1);
    g_assert_cmpint(pe_events_push(events, S, 2 * S, none, NULL, &told), ==, 2);
    pe_events_free(events);
}

static void
refuses_what_makes_no_sense(void)
{
    static const struct {
        double on, off, alarms;
        const char *message;
    } faults[] = {
        {0, .5, 0, "a threshold of 0,"},    {1, .5, 0, "a threshold of 1,"},
        {NAN, .5, 0, "a threshold of nan"}, {.5, .6, 0, "a score of 0.6"},
        {.5, 0, 0, "a score of 0,"},        {.5, .5, -1, "-1 alarms"},
        {.5, .5, INFINITY, "inf alarms"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        PeEventParams params = {.threshold_on = faults[i].on,
                                .threshold_off = faults[i].off,
                                .alarms_per_day = faults[i].alarms};
        g_assert_null(pe_events_new(&params, NULL, 0, 0, &error));
        g_assert_nonnull(error);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, faults[i].message));
    }
}

// ---- Random sequences -----------------------------------------------------

enum { N_LABELS = 3, DIM = 2, MAX_STEPS = 60 };

typedef struct {
    OracleStep steps[MAX_STEPS];
    float evidence[MAX_STEPS][N_LABELS];
    float embeddings[MAX_STEPS][DIM];
    int n;
} Sequence;

static uint64_t
random_time(GRand *rand, int most)
{
    // Whole numbers of half steps, so that limits are met exactly.
    return (uint64_t)g_rand_int_range(rand, 0, most + 1) * S / 2 +
           (g_rand_int_range(rand, 0, 8) == 0);
}

static PeEventParams
random_params(GRand *rand)
{
    static const double scores[] = {.2, .4, .5, .5, .6, .8};
    int a = g_rand_int_range(rand, 0, G_N_ELEMENTS(scores));
    int b = g_rand_int_range(rand, 0, a + 1);

    return (PeEventParams){
        .threshold_on = scores[a],
        .threshold_off = scores[b],
        .step = g_rand_boolean(rand) ? S : random_time(rand, 4),
        .smoothing = g_rand_boolean(rand) ? 0 : random_time(rand, 6),
        .min_duration = g_rand_boolean(rand) ? 0 : random_time(rand, 8),
        .merge_gap = g_rand_boolean(rand) ? 0 : random_time(rand, 12),
        .cooldown = g_rand_boolean(rand) ? 0 : random_time(rand, 20),
        .update_interval = g_rand_boolean(rand) ? 0 : random_time(rand, 8),
    };
}

static float
random_evidence(GRand *rand, float old)
{
    static const float values[] = {-3, -1, -.2f, 0, 0, .2f, 1, 3};

    // It stays for a while, as in a video.
    if (g_rand_int_range(rand, 0, 5) > 1)
        return old;
    switch (g_rand_int_range(rand, 0, 60)) {
    case 0:
        return INFINITY;
    case 1:
        return -INFINITY;
    case 2:
        return NAN;
    default:
        return values[g_rand_int_range(rand, 0, G_N_ELEMENTS(values))];
    }
}

static void
make_sequence(GRand *rand, Sequence *s)
{
    uint64_t now = 20 * S;
    bool overlap = g_rand_boolean(rand);

    s->n = g_rand_int_range(rand, 1, MAX_STEPS + 1);
    for (int i = 0; i < s->n; i++) {
        OracleStep *step = &s->steps[i];
        int what = g_rand_int_range(rand, 0, 40);
        if (what == 0)
            now -= MIN(now, random_time(rand, 10));
        if (what >= 1 && what <= 4)
            now += random_time(rand, 10);
        uint64_t end = now + random_time(rand, 3);
        uint64_t back = overlap ? random_time(rand, 4) : 0;
        *step = (OracleStep){
            .is_end = what == 5,
            .start = now - MIN(now, back),
            .end = end,
            .evidence = s->evidence[i],
            .embedding = what == 6 ? NULL : s->embeddings[i],
        };
        now = end;
        for (int k = 0; k < N_LABELS; k++)
            s->evidence[i][k] =
                random_evidence(rand, i > 0 ? s->evidence[i - 1][k] : -1);
        for (int d = 0; d < DIM; d++)
            s->embeddings[i][d] = (float)g_rand_double_range(rand, -1, 1);
        pe_embedding_normalize(s->embeddings[i], DIM);
    }
}

static bool
is_close(double a, double b)
{
    return fabs(a - b) < 1e-4;
}

static bool
is_equal(const PeEvent *a, const PeEvent *b)
{
    if (a->phase != b->phase || a->id != b->id || a->label != b->label ||
        a->start != b->start || a->end != b->end || a->peak != b->peak ||
        a->n_clips != b->n_clips || !is_close(a->peak_score, b->peak_score) ||
        !is_close(a->threshold, b->threshold) || !a->embedding != !b->embedding)
        return false;
    for (int d = 0; a->embedding && d < DIM; d++) {
        if (!is_close(a->embedding[d], b->embedding[d]))
            return false;
    }
    return true;
}

static void
print_event(const char *who, const PeEvent *e)
{
    g_test_message("%s: phase %d label %d id %d, %.9f to %.9f, peak %.9f %.4f, "
                   "%u clips",
                   who, e->phase, e->label, (int)e->id, (double)e->start / 1e9,
                   (double)e->end / 1e9, (double)e->peak / 1e9,
                   (double)e->peak_score, e->n_clips);
}

// Returns how many events were told.
static guint
compare(uint32_t seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    PeEventParams params = random_params(rand);
    Sequence s;

    make_sequence(rand, &s);
    GArray *expected = oracle_tell(&params, N_LABELS, DIM, s.steps, s.n);
    PeEvents *events = make(&params, N_LABELS, DIM);
    guint n = 0;
    for (int i = 0; i < s.n; i++) {
        const OracleStep *step = &s.steps[i];
        const PeEvent *told;
        int n_told = step->is_end ? pe_events_end(events, &told)
                                  : pe_events_push(events, step->start,
                                                   step->end, step->evidence,
                                                   step->embedding, &told);
        for (int t = 0; t < n_told; t++, n++) {
            const OracleTold *want =
                n < expected->len ? &g_array_index(expected, OracleTold, n)
                                  : NULL;
            if (want && want->step == i && is_equal(&told[t], &want->event))
                continue;
            print_event("told", &told[t]);
            if (want)
                print_event("expected", &want->event);
            g_error("seed %u, step %d (expected at %d)", seed, i,
                    want ? want->step : -1);
        }
    }
    if (n != expected->len)
        g_error("seed %u: %u told, %u expected", seed, n, expected->len);
    pe_events_free(events);
    g_array_unref(expected);
    g_rand_free(rand);
    return n;
}

static void
agrees_with_a_slow_implementation(void)
{
    const char *seed = g_getenv("PE_EVENTS_SEED");
    uint32_t first = seed ? (uint32_t)atoi(seed) : 1;
    uint32_t n = seed ? 1 : 20000;
    guint told = 0;

    for (uint32_t i = 0; i < n; i++)
        told += compare(first + i);
    g_test_message("%u sequences, %u told", n, told);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/events/has_two_thresholds", has_two_thresholds);
    g_test_add_func("/events/begins_after_a_while", begins_after_a_while);
    g_test_add_func("/events/joins_what_is_near", joins_what_is_near);
    g_test_add_func("/events/rests_after_an_event", rests_after_an_event);
    g_test_add_func("/events/tells_updates_now_and_then",
                    tells_updates_now_and_then);
    g_test_add_func("/events/begins_anew_after_a_hole",
                    begins_anew_after_a_hole);
    g_test_add_func("/events/ends_with_the_stream", ends_with_the_stream);
    g_test_add_func("/events/begins_anew_when_time_jumps_back",
                    begins_anew_when_time_jumps_back);
    g_test_add_func("/events/keeps_labels_apart", keeps_labels_apart);
    g_test_add_func("/events/smooths_in_continuous_time",
                    smooths_in_continuous_time);
    g_test_add_func("/events/describes_an_event", describes_an_event);
    g_test_add_func("/events/takes_any_evidence", takes_any_evidence);
    g_test_add_func("/events/refuses_what_makes_no_sense",
                    refuses_what_makes_no_sense);
    g_test_add_func("/events/agrees_with_a_slow_implementation",
                    agrees_with_a_slow_implementation);
    return g_test_run();
}
