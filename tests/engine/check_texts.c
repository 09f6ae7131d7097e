// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_texts.c - texts between image batches: what a live stream has to wait
// while labels are computed. All of it over the fake device, by its clock.

#include "core/engine/engine_private.h"
#include "core/pe.h"
#include "tests/support/fake_engine.h"

enum { N_TEXTS = 163, IMAGE_US = 1000 };

static void *
embed_many_texts(void *engine)
{
    g_autofree const char **texts = g_new(const char *, N_TEXTS);
    g_autofree float *out = g_new0(float, (size_t)N_TEXTS *TINY_MODEL_DIM);
    int ids[32], other[32];
    for (int i = 0; i < N_TEXTS; i++)
        texts[i] = i % 2 ? "b" : "a";
    GError *error = NULL;
    g_assert_true(pe_engine_embed_texts(engine, fake_tiny.tokenizer, texts,
                                        N_TEXTS, out, &error));
    pe_tokenizer_encode(fake_tiny.tokenizer, "a", 32, ids, NULL);
    pe_tokenizer_encode(fake_tiny.tokenizer, "b", 32, other, NULL);
    for (int i = 0; i < N_TEXTS; i++)
        g_assert_cmpfloat(out[i * TINY_MODEL_DIM], ==,
                          (float)(i % 2 ? other[1] : ids[1]));
    return NULL;
}

// As the regions of one frame, so that the worker finds all or none of them.
static void
submit_batch(PeClient *client, PeJob **jobs)
{
    static const PeRect regions[4];
    PeFrame frame = {.width = 1};
    PeSubmit submit = {.frame = &frame, .regions = regions, .n_regions = 4};
    g_assert_true(pe_client_submit(client, &submit, jobs, NULL));
}

static void
finish_batch(PeJob **jobs)
{
    for (int i = 0; i < 4; i++) {
        pe_queue_wait_job(jobs[i]);
        pe_job_unref(jobs[i]);
    }
}

// Embeds texts, the first of the engine, while one image batch after the other
// is due.
static void
embed_texts_beside_images(int piece_us, int text_us)
{
    enum { N_BATCHES = 400 };
    PeEngine *e = fake_engine_get_default();
    PeClient *client = pe_client_new(e, NULL, NULL);
    static PeJob *jobs[N_BATCHES][4];
    fake.scripted = true;
    fake.n_pieces = 50;
    fake.image_us = IMAGE_US;
    fake.piece_us = piece_us;
    fake.text_us = text_us;
    submit_batch(client, jobs[0]);
    finish_batch(jobs[0]);
    fake_hold(true);
    GThread *thread = g_thread_new("texts", embed_many_texts, e);
    fake_wait_for_work(2);
    for (int i = 0; i < N_BATCHES; i++)
        submit_batch(client, jobs[i]);
    fake_hold(false);
    for (int i = 0; i < N_BATCHES; i++)
        finish_batch(jobs[i]);
    g_thread_join(thread);
    PeEngineStats stats;
    pe_engine_get_stats(e, &stats);
    g_assert_cmpuint(stats.texts, ==, N_TEXTS);
    pe_client_free(client);
    pe_engine_unref(e);
}

static int
count(char letter)
{
    int n = 0;
    for (const char *p = fake.log->str; *p; p++)
        n += *p == letter;
    return n;
}

// The wait of an image batch grows by no more than the time of one.
static void
goes_on_with_images_while_the_text_tower_loads(void)
{
    embed_texts_beside_images(300, 130);
    g_assert_cmpint(fake.longest_gap, <=, IMAGE_US);
    g_assert_cmpint(fake.longest_gap, >=, IMAGE_US / 2);
    g_assert_cmpint(count('l'), ==, 50);
    // All of it beside images, and in about as much time.
    g_assert_cmpint(fake.log->str[fake.log->len - 1], ==, 'i');
    const char *last_text = strrchr(fake.log->str, 't');
    int n_images = 0;
    for (const char *p = fake.log->str; p < last_text; p++)
        n_images += *p == 'i';
    g_assert_cmpint(n_images, <, 70);
}

static void
loads_one_piece_when_that_takes_long(void)
{
    embed_texts_beside_images(3 * IMAGE_US, 5 * IMAGE_US);
    g_assert_cmpint(fake.longest_gap, ==, 5 * IMAGE_US);
    g_assert_null(strstr(fake.log->str, "ll"));
    g_assert_null(strstr(fake.log->str, "lt"));
    g_assert_null(strstr(fake.log->str, "tt"));
}

static void
takes_whole_chunks_without_images(void)
{
    PeEngine *e = fake_engine_get_default();
    fake.n_pieces = 3;
    embed_many_texts(e);
    g_assert_cmpstr(fake.log->str, ==, "llltttttt");
    pe_engine_unref(e);
}

static void
drops_the_text_tower_when_idle(void)
{
    fake.text_idle_ms = 20;
    fake.n_pieces = 2;
    PeEngine *e = fake_engine_get_default();
    embed_many_texts(e);
    fake_wait_for_work(9);
    g_assert_cmpstr(fake.log->str, ==, "llttttttd");
    embed_many_texts(e);
    fake_wait_for_work(18);
    g_assert_cmpstr(fake.log->str + 9, ==, "llttttttd");
    pe_engine_unref(e);
}

int
main(int argc, char **argv)
{
    static const EngineTest tests[] = {
        {"/texts/beside-images",
         goes_on_with_images_while_the_text_tower_loads},
        {"/texts/long-pieces", loads_one_piece_when_that_takes_long},
        {"/texts/alone", takes_whole_chunks_without_images},
        {"/texts/idle", drops_the_text_tower_when_idle},
    };
    return fake_engine_run(argc, argv, tests, G_N_ELEMENTS(tests));
}
