// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gauge.c - what a frame scores for a text and for a picture, by the
// formula of MODEL.md, in vectors that have as many dimensions as there are
// texts.

#include "pipelines/search/gauge.h"

#include <math.h>

enum { DIM = 64, QUERY = 50, OTHER = 51 }; // dimensions of no everyday text

static const Null null = {0.1, 0.05};
static const double scale = 20;

typedef struct {
    float texts[NULL_N_RIVALS * DIM];
    Query query;
    Gauge gauge;
} Case;

// A query with a part for each of these dimensions, and a gauge of the first.
static void
begin(Case *c, const int *parts, int n)
{
    *c = (Case){.query.parts = g_array_new(FALSE, TRUE, sizeof(QueryPart)),
                .query.vectors = g_new0(float, (size_t)n *DIM)};
    g_array_set_size(c->query.parts, (guint)n);
    for (int i = 0; i < NULL_N_RIVALS; i++)
        c->texts[i * DIM + i] = 1;
    for (int i = 0; i < n; i++)
        c->query.vectors[i * DIM + parts[i]] = 1;
    gauge_init_text(&c->gauge, &null, c->texts, &c->query, DIM, scale);
}

static void
end(Case *c)
{
    gauge_clear(&c->gauge);
    g_array_unref(c->query.parts);
    g_free(c->query.vectors);
}

// A frame with these cosines to the query and to the first everyday text.
static Measure
measure(const Case *c, double query, double rival)
{
    float frame[DIM] = {0};
    frame[QUERY] = (float)query;
    frame[0] = (float)rival;
    frame[DIM - 1] = (float)sqrt(1 - query * query - rival * rival);
    return gauge_measure(&c->gauge, c->query.vectors, frame, DIM);
}

static void
expect(double found, double expected)
{
    g_test_message("%.6f, expected %.6f within 1e-4", found, expected);
    g_assert_cmpfloat_with_epsilon(found, expected, 1e-4);
}

static void
scores_by_the_formula(void)
{
    Case c;
    begin(&c, (int[]){QUERY}, 1);
    g_assert_cmpint(c.gauge.n_rivals, ==, NULL_N_RIVALS);
    for (int i = 0; i < 6; i++) {
        double query = 0.2 + 0.05 * i, rival = 0.5 - 0.1 * i;
        Measure m = measure(&c, query, rival);
        double z = (query - 0.1) / 0.05;
        double l = scale * query - log(exp(scale * rival) + NULL_N_RIVALS - 1);
        expect((double)m.cosine, query);
        expect(m.sigmas, z);
        expect(m.odds, l);
        expect(m.score, z + (MIN(l, 2) + 1) / 2);
    }
    end(&c);
}

static void
scores_less_what_a_rival_describes_better(void)
{
    Case c;
    begin(&c, (int[]){QUERY}, 1);
    Measure alone = measure(&c, 0.25, 0), beaten = measure(&c, 0.25, 0.6);
    g_assert_cmpfloat(alone.sigmas, ==, beaten.sigmas);
    g_assert_cmpfloat(alone.score, >=, GAUGE_LIMIT);
    g_assert_cmpfloat(beaten.score, <, GAUGE_LIMIT);
    end(&c);
}

static void
leaves_out_rivals_that_are_asked_for(void)
{
    Case c;
    begin(&c, (int[]){0, 1, OTHER}, 3);
    g_assert_cmpint(c.gauge.n_rivals, ==, NULL_N_RIVALS - 2);
    end(&c);
    // Meaning nearly the same is enough.
    for (int i = 0; i < 2; i++) {
        float cosine = i ? 0.89f : 0.91f;
        begin(&c, (int[]){QUERY}, 1);
        gauge_clear(&c.gauge);
        c.query.vectors[0] = cosine;
        c.query.vectors[QUERY] = sqrtf(1 - cosine * cosine);
        gauge_init_text(&c.gauge, &null, c.texts, &c.query, DIM, scale);
        g_assert_cmpint(c.gauge.n_rivals, ==, NULL_N_RIVALS - (i ? 0 : 1));
        end(&c);
    }
}

static void
cannot_be_found_by_odds_alone(void)
{
    Case c;
    begin(&c, (int[]){QUERY}, 1);
    c.gauge.scale = 1000; // so that odds are as good as can be
    Measure few = measure(&c, 0.1 + 0.05 * 0.95, 0);
    g_assert_true(isnan(few.odds));
    g_assert_cmpfloat(few.score, ==, few.sigmas);
    Measure enough = measure(&c, 0.1 + 0.05 * 1.05, 0);
    g_assert_cmpfloat(enough.odds, >, 100);
    expect(enough.score, 1.05 + 1.5);
    g_assert_cmpfloat(enough.score, >=, GAUGE_LIMIT);
    end(&c);
}

static void
scores_a_picture_by_its_null(void)
{
    Case c;
    begin(&c, (int[]){QUERY}, 1);
    gauge_clear(&c.gauge);
    gauge_init_picture(&c.gauge, &null);
    Measure m = measure(&c, 0.6, 0.7);
    g_assert_true(isnan(m.odds));
    expect(m.score, 10);
    end(&c);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gauge/formula", scores_by_the_formula);
    g_test_add_func("/gauge/rivals", scores_less_what_a_rival_describes_better);
    g_test_add_func("/gauge/same", leaves_out_rivals_that_are_asked_for);
    g_test_add_func("/gauge/limits", cannot_be_found_by_odds_alone);
    g_test_add_func("/gauge/picture", scores_a_picture_by_its_null);
    return g_test_run();
}
