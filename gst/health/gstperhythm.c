// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperhythm.c - see gstperhythm.h.
//
// Light and sharpness of each cell are taken as logarithms, so that a swing is
// a share whatever the scene. What most cells do together is their median: a
// walker, a lamp or a screen in a part of the picture does not move it. It goes
// up and down in strides, moves of at least the size that is asked for. Many
// strides, all along, are a rhythm; a lamp that is switched on is one stride, a
// flash two, a cloud a slow one. At last most cells must have taken part, each
// by itself: of many people who walk, the median may have strides, too.
//
// A lamp's flicker rolls through the pictures of a sensor that reads row after
// row. So each row of cells has its own median; they need not go together.
//
// An encoder's picture gets sharper from one key frame to the next, or less
// sharp, but at a key frame it jumps, and a lens does not.

#include "gst/health/gstperhythm.h"

#include <glib.h>
#include <math.h>
#include <stdlib.h>

#define SECOND G_GUINT64_CONSTANT(1000000000)
#define FLICKER_SPAN (8 * SECOND)
#define HUNTING_SPAN (12 * SECOND)

enum {
    ACROSS = GST_PE_CELLS_ACROSS,
    DOWN = GST_PE_CELLS_DOWN,
    CELLS = GST_PE_CELLS,
    MOST = 400,           // pictures that are kept
    FLICKER_STRIDES = 2,  // in each third of the span, to begin
    LEAST = 16,           // pictures, to judge them, and at least
    LEAST_A_SECOND = 4,   // of them a second
    SHARPEST = CELLS / 3, // cells by which sharpness is judged
    LEAST_LIT = DOWN / 3, // rows, to judge their light
};

// Added to the light, in levels, and to the sharpness, in their squares: where
// there is little, noise, rounding and an encoder change a large share of it.
#define DARK 16.0f
#define FLAT 8.0f

// Levels between which a cell can flicker: not black, not clipped.
#define LIT_ABOVE 20.0f
#define LIT_BELOW 240.0f

// Mean square differences of a cell that shows something.
#define SHARP_ABOVE 8.0f

// Strides of a rhythm are alike, to this share of the whole swing. What happens
// once, however large, and what goes up and down by less make none together.
#define ALIKE 0.5f

// Share of the cells that take part, share of the rows, and the correlation of
// one that does.
#define MOST_CELLS 0.6
#define MOST_SHARP_CELLS 0.75
#define MOST_ROWS 0.67
#define ALONG 0.7

// Deviation of a cell's light, as a share of that of its sharpness, when a lens
// changes it. Light alone changes sharpness, a square, by twice as much as
// itself.
#define STEADY 0.2

// How far apart, at least and at most, two looks are that see flicker before it
// is told: what falls together by chance is seen once.
#define SURE_AFTER (9 * SECOND / 10)
#define SURE_WITHIN (4 * SECOND)

// Share of a stride that one picture makes, where it jumps.
#define LARGEST_STEP 0.6f

// What is told goes on with this share of what is needed to begin.
#define STAYING 0.7

#define NEVER UINT64_MAX

typedef struct {
    uint64_t time;
    float light[CELLS], sharpness[CELLS]; // logarithms
} Moment;

struct GstPeRhythm {
    Moment moments[MOST];
    int n, next;
    uint64_t last;
    bool flickers, hunts;  // that is told
    uint64_t seen_flicker; // when first; NEVER: it is not seen
    uint64_t since;        // and since when it was there, as that look saw
    // While it is judged: the last n moments, oldest first.
    uint64_t times[MOST];
    float series[CELLS][MOST]; // around their mean
    float mean[CELLS];
};

// Where each begins, which is where the one before ends, and where the last one
// ends.
typedef struct {
    int n;
    int at[MOST];
    int end;
} Strides;

GstPeRhythm *
gst_pe_rhythm_new(void)
{
    GstPeRhythm *rhythm = g_new0(GstPeRhythm, 1);

    gst_pe_rhythm_restart(rhythm);
    return rhythm;
}

void
gst_pe_rhythm_free(GstPeRhythm *rhythm)
{
    g_free(rhythm);
}

void
gst_pe_rhythm_restart(GstPeRhythm *rhythm)
{
    rhythm->n = rhythm->next = 0;
    rhythm->flickers = rhythm->hunts = false;
    rhythm->seen_flicker = NEVER;
}

void
gst_pe_rhythm_add(GstPeRhythm *rhythm, uint64_t time, const GstPeCells *cells)
{
    Moment *moment = &rhythm->moments[rhythm->next];

    if (rhythm->n > 0 && time <= rhythm->last)
        return;
    moment->time = rhythm->last = time;
    for (int i = 0; i < CELLS; i++) {
        moment->light[i] = logf(cells->light[i] + DARK);
        moment->sharpness[i] = logf(cells->sharpness[i] + FLAT);
    }
    rhythm->next = (rhythm->next + 1) % MOST;
    rhythm->n = MIN(rhythm->n + 1, MOST);
}

// ---- Series -----------------------------------------------------------------

// Lays out the moments of the last `span`, of light or of sharpness. Returns
// how many; 0: too few to judge.
static int
lay_out(GstPeRhythm *rhythm, uint64_t span, bool of_light)
{
    int n = 0;

    while (n < rhythm->n) {
        int at = (rhythm->next + MOST - 1 - n) % MOST;
        if (rhythm->last - rhythm->moments[at].time > span)
            break;
        n++;
    }
    int first = (rhythm->next + MOST - n) % MOST;
    if (n < LEAST ||
        (uint64_t)n * SECOND <
            LEAST_A_SECOND * (rhythm->last - rhythm->moments[first].time))
        return 0;
    for (int k = 0; k < n; k++) {
        const Moment *m = &rhythm->moments[(first + k) % MOST];
        const float *values = of_light ? m->light : m->sharpness;

        rhythm->times[k] = m->time;
        for (int i = 0; i < CELLS; i++)
            rhythm->series[i][k] = values[i];
    }
    for (int i = 0; i < CELLS; i++) {
        double sum = 0;

        for (int k = 0; k < n; k++)
            sum += rhythm->series[i][k];
        rhythm->mean[i] = (float)(sum / n);
        for (int k = 0; k < n; k++)
            rhythm->series[i][k] -= rhythm->mean[i];
    }
    return n;
}

static int
compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static float
median(float *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_floats);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// The median of the cells' series, at each of n moments.
static void
find_common(const GstPeRhythm *rhythm, const int *cells, int n_cells, int n,
            float *common)
{
    float values[CELLS];

    for (int k = 0; k < n; k++) {
        for (int i = 0; i < n_cells; i++)
            values[i] = rhythm->series[cells[i]][k];
        common[k] = median(values, n_cells);
    }
}

// Correlation of two series of no mean; 0: one of them is constant.
static double
correlate(const float *a, const float *b, int n)
{
    double product = 0, of_a = 0, of_b = 0, sum_a = 0, sum_b = 0;

    for (int k = 0; k < n; k++) {
        product += (double)a[k] * b[k];
        of_a += (double)a[k] * a[k];
        of_b += (double)b[k] * b[k];
        sum_a += a[k];
        sum_b += b[k];
    }
    product -= sum_a * sum_b / n;
    of_a -= sum_a * sum_a / n;
    of_b -= sum_b * sum_b / n;
    return of_a > 0 && of_b > 0 ? product / sqrt(of_a * of_b) : 0;
}

// The moves of `least` and of `alike` of the whole swing or more, each from one
// turn to the next, the last one up to where it has come.
static Strides
find_strides(const float *series, int n, float least, float alike)
{
    Strides strides = {.n = 0};
    float lowest = series[0], highest = series[0];
    int high = 0, low = 0, way = 0; // turns as far as known; +1: up, -1: down

    for (int k = 1; k < n; k++) {
        lowest = fminf(lowest, series[k]);
        highest = fmaxf(highest, series[k]);
    }
    least = fmaxf(least, alike * (highest - lowest));
    for (int k = 1; k < n; k++) {
        int begin = -1;

        if (series[k] > series[high])
            high = k;
        if (series[k] < series[low])
            low = k;
        if (way >= 0 && series[k] <= series[high] - least) {
            begin = high;
            low = k;
            way = -1;
        } else if (way <= 0 && series[k] >= series[low] + least) {
            begin = low;
            high = k;
            way = 1;
        }
        if (begin >= 0)
            strides.at[strides.n++] = begin;
    }
    strides.end = way < 0 ? low : high;
    return strides;
}

// Where a stride, of which one end is at `turn`, has left it or comes to it: by
// a quarter. The turn itself may be the greatest of much that is calm.
static int
find_edge(const float *series, int turn, int other)
{
    int edge = turn, way = other > turn ? 1 : -1;
    float left = fabsf(series[other] - series[turn]) / 4;

    for (int k = turn; k != other; k += way)
        if (fabsf(series[k] - series[turn]) <= left)
            edge = k;
    return edge;
}

// From the first stride to the last.
static GstPeRhythmSpan
find_span(const GstPeRhythm *rhythm, const float *series,
          const Strides *strides)
{
    int first = strides->at[0], last = strides->at[strides->n - 1];
    int end = strides->n > 1 ? strides->at[1] : strides->end;

    return (GstPeRhythmSpan){
        .since = rhythm->times[find_edge(series, first, end)],
        .until = rhythm->times[find_edge(series, strides->end, last)],
    };
}

// A share that is lost, as a difference of logarithms.
static float
least_stride(double share, bool stays)
{
    return (float)(-log1p(-share) * (stays ? STAYING : 1));
}

// ---- Flicker ----------------------------------------------------------------

static bool
is_lit(const GstPeRhythm *rhythm, int cell)
{
    float light = expf(rhythm->mean[cell]) - DARK;

    return light > LIT_ABOVE && light < LIT_BELOW;
}

// Not all at once: strides begin in each third of the span. Of what is told,
// one is enough: what is about as slow as a third would end again and again.
static bool
goes_on(const GstPeRhythm *rhythm, const Strides *strides)
{
    int thirds[3] = {0}, needed = rhythm->flickers ? 1 : FLICKER_STRIDES;

    for (int i = 0; i < strides->n; i++) {
        uint64_t ago = rhythm->last - rhythm->times[strides->at[i]];
        thirds[MIN(3 * ago / FLICKER_SPAN, 2)]++;
    }
    return MIN(MIN(thirds[0], thirds[1]), thirds[2]) >= needed;
}

typedef struct {
    int lit, swinging;        // rows
    int lit_cells, following; // cells of the lit rows
    GstPeRhythmSpan span;
} Rows;

static void
look_at_row(const GstPeRhythm *rhythm, int row, int n, float least, Rows *rows)
{
    int cells[ACROSS], n_cells = 0;
    float common[MOST];

    for (int i = row * ACROSS; i < (row + 1) * ACROSS; i++)
        if (is_lit(rhythm, i))
            cells[n_cells++] = i;
    if (n_cells < ACROSS / 2)
        return;
    find_common(rhythm, cells, n_cells, n, common);
    const Strides strides = find_strides(common, n, least, ALIKE);
    rows->lit++;
    rows->lit_cells += n_cells;
    if (!goes_on(rhythm, &strides))
        return;
    rows->swinging++;
    const GstPeRhythmSpan span = find_span(rhythm, common, &strides);
    rows->span.since = MIN(rows->span.since, span.since);
    rows->span.until = MAX(rows->span.until, span.until);
    for (int i = 0; i < n_cells; i++)
        rows->following +=
            correlate(rhythm->series[cells[i]], common, n) >= ALONG;
}

// Is it told, after a look that has seen it or not?
//   since  as it has seen
static bool
is_told(GstPeRhythm *rhythm, bool seen, uint64_t since)
{
    uint64_t *first = &rhythm->seen_flicker;

    if (!seen && (rhythm->flickers || rhythm->last - *first > SURE_WITHIN))
        *first = NEVER;
    else if (seen && *first == NEVER) {
        *first = rhythm->last;
        rhythm->since = since;
    }
    return seen && (rhythm->flickers || rhythm->last - *first >= SURE_AFTER);
}

bool
gst_pe_rhythm_flickers(GstPeRhythm *rhythm, const GstPeRhythmParams *params,
                       GstPeRhythmSpan *span)
{
    double needed = rhythm->flickers ? STAYING : 1;
    Rows rows = {.span.since = NEVER};
    int n = params->flicker_above > 0 ? lay_out(rhythm, FLICKER_SPAN, true) : 0;

    for (int row = 0; row < DOWN && n > 0; row++)
        look_at_row(rhythm, row, n,
                    least_stride(params->flicker_above, rhythm->flickers),
                    &rows);
    // A lens that blurs what is bright changes the light a little.
    bool seen = !rhythm->hunts && rows.lit >= LEAST_LIT &&
                rows.swinging >= needed * MOST_ROWS * rows.lit &&
                rows.following >= needed * MOST_CELLS * rows.lit_cells;
    bool flickers = is_told(rhythm, seen, rows.span.since);
    if (flickers) {
        *span = rows.span;
        span->since = MIN(span->since, rhythm->since);
    }
    rhythm->flickers = flickers;
    return flickers;
}

// ---- Focus ------------------------------------------------------------------

typedef struct {
    float sharpness;
    int cell;
} Ranked;

static int
compare_sharpness(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;

    return (x->sharpness < y->sharpness) - (x->sharpness > y->sharpness);
}

// Returns how many of the cells that were the sharpest, at their best, show
// something.
static int
find_sharpest(const GstPeRhythm *rhythm, int n, int *cells)
{
    Ranked ranked[CELLS];
    int n_cells = 0;

    for (int i = 0; i < CELLS; i++) {
        float best = rhythm->series[i][0];

        for (int k = 1; k < n; k++)
            best = fmaxf(best, rhythm->series[i][k]);
        ranked[i] = (Ranked){rhythm->mean[i] + best, i};
    }
    qsort(ranked, CELLS, sizeof *ranked, compare_sharpness);
    while (n_cells < SHARPEST &&
           ranked[n_cells].sharpness > logf(SHARP_ABOVE + FLAT)) {
        cells[n_cells] = ranked[n_cells].cell;
        n_cells++;
    }
    return n_cells;
}

// Are most strides the one way made by one picture, and most the other way not?
static bool
jumps(const float *common, const Strides *strides)
{
    int n[2] = {0}, n_jumps[2] = {0}; // of every other stride

    for (int i = 0; i < strides->n; i++) {
        int begin = strides->at[i];
        int end = i + 1 < strides->n ? strides->at[i + 1] : strides->end;
        float size = common[end] - common[begin], step = 0;

        // As a share of the stride: a step the other way is below 0.
        for (int k = begin; k < end; k++)
            step = fmaxf(step, (common[k + 1] - common[k]) / size);
        n[i % 2]++;
        n_jumps[i % 2] += step > LARGEST_STEP;
    }
    return fabs((double)n_jumps[0] / n[0] - (double)n_jumps[1] / n[1]) >= 0.5;
}

// Of each picture and its neighbours, the one in the middle: what is in one
// picture alone is no lens.
static void
smooth(float *series, int n)
{
    float last = series[0];

    for (int k = 1; k + 1 < n; k++) {
        float values[3] = {last, series[k], series[k + 1]};

        last = series[k];
        series[k] = median(values, 3);
    }
}

static double
sum_squares(const float *series, int n)
{
    double sum = 0;

    for (int k = 0; k < n; k++)
        sum += (double)series[k] * series[k];
    return sum;
}

// How many of the cells have kept their light, by the squares of their
// sharpness. Lays out the light.
static int
count_steady(GstPeRhythm *rhythm, const int *cells, const double *squares,
             int n_cells)
{
    int n = lay_out(rhythm, HUNTING_SPAN, true), n_steady = 0;

    for (int i = 0; i < n_cells; i++)
        n_steady += sum_squares(rhythm->series[cells[i]], n) <=
                    STEADY * STEADY * squares[i];
    return n_steady;
}

// The strides of a focus that hunts; .n is 0: it does not.
static Strides
find_hunt(const float *common, int n, float least, bool hunts)
{
    // The fewer there are, the more alike they have to be: a search for focus
    // and a lorry that passes have four, too, and an encoder may not keep up
    // with many.
    static const struct {
        int strides;
        float alike;
    } rules[] = {{3, 0.85f}, {4, 0.7f}, {6, ALIKE}};

    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        const Strides strides = find_strides(common, n, least, rules[i].alike);

        if (strides.n >= rules[i].strides && !jumps(common, &strides))
            return strides;
    }
    if (hunts) {
        const Strides strides = find_strides(common, n, least, ALIKE);

        if (strides.n >= 2)
            return strides;
    }
    return (Strides){.n = 0};
}

// Do the sharpest cells get blurred and sharp again together, and keep their
// light?
static bool
is_hunting(GstPeRhythm *rhythm, double share, GstPeRhythmSpan *span)
{
    double needed = MOST_SHARP_CELLS * (rhythm->hunts ? STAYING : 1);
    int cells[CELLS], n = lay_out(rhythm, HUNTING_SPAN, false);
    int n_cells = n > 0 ? find_sharpest(rhythm, n, cells) : 0, n_following = 0;
    double squares[CELLS];
    float common[MOST];

    if (n_cells < SHARPEST / 2)
        return false;
    find_common(rhythm, cells, n_cells, n, common);
    smooth(common, n);
    const Strides strides =
        find_hunt(common, n, least_stride(share, rhythm->hunts), rhythm->hunts);
    if (strides.n == 0)
        return false;
    for (int i = 0; i < n_cells; i++) {
        const float *series = rhythm->series[cells[i]];
        bool follows = correlate(series, common, n) >= ALONG;

        // One that does not is not steady, either.
        squares[i] = follows ? sum_squares(series, n) : -1;
        n_following += follows;
    }
    *span = find_span(rhythm, common, &strides);
    return n_following >= needed * n_cells &&
           count_steady(rhythm, cells, squares, n_cells) >= needed * n_cells;
}

bool
gst_pe_rhythm_hunts(GstPeRhythm *rhythm, const GstPeRhythmParams *params,
                    GstPeRhythmSpan *span)
{
    rhythm->hunts = params->hunting_above > 0 && rhythm->n > 0 &&
                    is_hunting(rhythm, params->hunting_above, span);
    return rhythm->hunts;
}
