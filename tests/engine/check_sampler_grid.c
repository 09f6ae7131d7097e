// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_sampler_grid.c - the sampler against one that is slow and obvious: it
// has all frames before it, and asks for each point of the grid which of them
// is on screen. Frames, rates and clips are random.

#include "core/pe.h"

#define SECOND G_GUINT64_CONSTANT(1000000000)
#define MS (SECOND / 1000)
#define MAX_FRAMES 200
#define MAX_SAMPLES 20000
#define N_RUNS 3000

typedef struct {
    int n;
    uint64_t times[MAX_FRAMES];
    uint64_t durations[MAX_FRAMES];
    bool first[MAX_FRAMES]; // of a stretch: behind a gap
} Film;

typedef struct {
    int frame;
    bool ends;      // a clip
    uint64_t point; // where known
} Sample;

typedef struct {
    int n;
    Sample samples[MAX_SAMPLES];
    int n_embedded; // frames that were chosen when they came
} Samples;

static void
add(Samples *list, int frame, bool ends, uint64_t point)
{
    g_assert_cmpint(list->n, <, MAX_SAMPLES);
    list->samples[list->n++] = (Sample){frame, ends, point};
}

// ---- The obvious one ------------------------------------------------------

static uint64_t
get_point(const PeSamplerParams *p, uint64_t anchor, uint64_t k)
{
    unsigned __int128 t = (unsigned __int128)k * p->rate_d * p->interval;
    return anchor + (uint64_t)(t * SECOND / p->rate_n);
}

// Frames first .. end-1 follow each other without a gap, and the last one is
// shown as long as it says.
static void
sample_stretch(const Film *film, int first, int end, const PeSamplerParams *p,
               Samples *out)
{
    uint64_t anchor = film->times[first];
    uint64_t over = film->times[end - 1] + film->durations[end - 1];
    uint64_t late = MIN(MS, (get_point(p, 0, 1)) / 4);
    uint64_t stride =
        (uint64_t)(p->clip_stride ? p->clip_stride : p->clip_length);
    uint64_t length = (uint64_t)p->clip_length;

    for (uint64_t k = 0; get_point(p, anchor, k) < over - late; k++) {
        uint64_t t = get_point(p, anchor, k);
        int frame = first;
        while (frame + 1 < end && film->times[frame + 1] <= t + late)
            frame++;
        if (k % stride < length)
            add(out, frame, k + 1 >= length && (k + 1 - length) % stride == 0,
                t);
    }
}

static void
sample_obviously(const Film *film, const PeSamplerParams *p, Samples *out)
{
    int first = 0;

    out->n = 0;
    for (int i = 1; i <= film->n; i++) {
        if (i < film->n && !film->first[i])
            continue;
        sample_stretch(film, first, i, p, out);
        first = i;
    }
}

// ---- The sampler ----------------------------------------------------------

static void
hold(PeSampler *s, const PeMoment *next, int last, Samples *out)
{
    PePoint point;

    while (pe_sampler_hold(s, next, &point)) {
        g_assert_cmpuint(point.start, <=, point.end);
        add(out, last, point.sample == PE_SAMPLE_CLIP, point.start);
    }
}

static void
sample_in_time(const Film *film, const PeSamplerParams *p, Samples *out)
{
    PeSampler *s = pe_sampler_new(p);
    int last = 0;

    out->n = out->n_embedded = 0;
    for (int i = 0; i < film->n; i++) {
        PeMoment m = {film->times[i], film->durations[i], false};
        PeOrder order = pe_sampler_check(s, &m);
        g_assert_cmpint(order != PE_ORDER_NEXT, ==, i > 0 && film->first[i]);
        hold(s, order == PE_ORDER_NEXT ? &m : NULL, last, out);
        if (order != PE_ORDER_NEXT)
            pe_sampler_reset(s);
        PePoint point = pe_sampler_push(s, &m);
        if (point.sample == PE_SAMPLE_SKIP)
            continue;
        add(out, i, point.sample == PE_SAMPLE_CLIP, PE_TIME_NONE);
        out->n_embedded++;
        last = i;
    }
    hold(s, NULL, last, out);
    pe_sampler_free(s);
}

// ---- Films ----------------------------------------------------------------

static PeSamplerParams
random_params(GRand *rand)
{
    static const int rates[][2] = {{2, 1}, {4, 1}, {1, 1}, {30000, 1001},
                                   {1, 3}, {5, 1}, {7, 2}, {60, 1}};
    int r = g_rand_int_range(rand, 0, G_N_ELEMENTS(rates));
    PeSamplerParams p = {
        .rate_n = rates[r][0],
        .rate_d = rates[r][1],
        .interval = g_rand_boolean(rand) ? 1 : g_rand_int_range(rand, 1, 4),
        .clip_length = g_rand_int_range(rand, 1, 9),
    };
    p.clip_stride = g_rand_int_range(rand, 0, 12);
    p.max_gap = g_rand_boolean(rand) ? 0 : 700 * MS;
    return p;
}

static uint64_t
get_max_gap(const PeSamplerParams *p)
{
    return p->max_gap ? p->max_gap : MAX(SECOND, 2 * get_point(p, 0, 1));
}

// A constant rate, or frames that are shown for 10 ms to two seconds, and a gap
// now and then. Durations are right.
static void
make_film(GRand *rand, const PeSamplerParams *p, Film *film)
{
    static const uint64_t rates[] = {25, 30, 24, 10, 60, 1};
    uint64_t t = (uint64_t)g_rand_int_range(rand, 0, 1000) * MS;
    bool constant = g_rand_boolean(rand);
    uint64_t fps = rates[g_rand_int_range(rand, 0, G_N_ELEMENTS(rates))];

    film->n = g_rand_int_range(rand, 1, MAX_FRAMES);
    for (int i = 0; i < film->n; i++) {
        bool gap = i > 0 && g_rand_int_range(rand, 0, 50) == 0;
        bool still = g_rand_int_range(rand, 0, 10) == 0;
        if (gap)
            t += get_max_gap(p) + MS + (uint64_t)g_rand_int(rand);
        film->first[i] = i == 0 || gap;
        film->times[i] = t;
        film->durations[i] =
            constant
                ? SECOND / fps
                : (uint64_t)g_rand_int_range(rand, 10, still ? 2000 : 80) * MS;
        t += film->durations[i];
    }
}

static const Film *
make_random_film(GRand *rand, PeSamplerParams *p)
{
    static Film film;

    *p = random_params(rand);
    make_film(rand, p, &film);
    return &film;
}

static void
tell(int run, const PeSamplerParams *p, const Film *film)
{
    g_test_message("run %d: rate %d/%d, interval %d, clips of %d, stride %d, "
                   "%d frames",
                   run, p->rate_n, p->rate_d, p->interval, p->clip_length,
                   p->clip_stride, film->n);
}

// ---- Tests ----------------------------------------------------------------

static Samples expected, got;

static void
samples_what_is_on_screen(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    int n_held = 0, n_samples = 0;

    for (int run = 0; run < N_RUNS; run++) {
        PeSamplerParams p;
        const Film *film = make_random_film(rand, &p);
        sample_obviously(film, &p, &expected);
        sample_in_time(film, &p, &got);
        bool same = got.n == expected.n;
        for (int i = 0; same && i < got.n; i++)
            same = got.samples[i].frame == expected.samples[i].frame &&
                   got.samples[i].ends == expected.samples[i].ends;
        if (!same)
            tell(run, &p, film);
        g_assert_cmpint(got.n, ==, expected.n);
        for (int i = 0; i < got.n; i++) {
            g_assert_cmpint(got.samples[i].frame, ==,
                            expected.samples[i].frame);
            g_assert_cmpint(got.samples[i].ends, ==, expected.samples[i].ends);
        }
        n_held += got.n - got.n_embedded;
        n_samples += got.n;
    }
    g_test_message("%d samples in %d films, %d of them of a frame once more",
                   n_samples, N_RUNS, n_held);
    g_assert_cmpint(n_held, >, n_samples / 100);
}

// Cameras: timestamps are off by up to 0.4 of a frame and step back, durations
// are all alike, some are not known. Each point still has one sample, of a
// frame that was on screen or near it.
static uint64_t
make_jittery_film(GRand *rand, Film *film)
{
    uint64_t duration = (uint64_t)g_rand_int_range(rand, 16, 120) * MS;

    film->n = g_rand_int_range(rand, 2, MAX_FRAMES);
    for (int i = 0; i < film->n; i++) {
        double jitter = g_rand_double_range(rand, -0.4, 0.4);
        film->first[i] = i == 0;
        film->times[i] =
            SECOND + (uint64_t)(((double)i + jitter) * (double)duration);
        film->durations[i] =
            g_rand_int_range(rand, 0, 8) ? duration : PE_TIME_NONE;
    }
    return duration;
}

static void
gives_each_point_one_sample_despite_jitter(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    static Film film;
    double worst = 0;

    for (int run = 0; run < N_RUNS; run++) {
        PeSamplerParams p = random_params(rand);
        p.clip_stride = p.clip_length;
        uint64_t duration = make_jittery_film(rand, &film);
        sample_in_time(&film, &p, &got);
        for (int k = 0; k < got.n; k++) {
            uint64_t t = get_point(&p, film.times[0], (uint64_t)k);
            uint64_t shown = film.times[got.samples[k].frame];
            double away = ABS((double)t - (double)shown) / (double)duration;
            worst = MAX(worst, away);
            if (away > 2)
                tell(run, &p, &film);
            g_assert_cmpfloat(away, <=, 2);
            g_assert_cmpint(got.samples[k].ends, ==,
                            (k + 1) % p.clip_length == 0);
        }
        // None is missing, and none is too much, to one frame at the end.
        uint64_t last = film.times[film.n - 1];
        uint64_t first_missing = get_point(&p, film.times[0], (uint64_t)got.n);
        uint64_t last_there = get_point(&p, film.times[0], (uint64_t)got.n - 1);
        g_assert_cmpuint(first_missing + 2 * duration, >=, last);
        g_assert_cmpuint(last_there, <=, last + 2 * duration);
    }
    g_test_message("a frame was at most %.2f frames away from its point (bar "
                   "2)",
                   worst);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sampler-grid/screen", samples_what_is_on_screen);
    g_test_add_func("/sampler-grid/jitter",
                    gives_each_point_one_sample_despite_jitter);
    return g_test_run();
}
