// SPDX-License-Identifier: LGPL-2.1-or-later
//
// search.c - see search.h.

#include "search.h"

#include "pipelines/live/jpeg.h"
#include "pipelines/live/stream.h"

#define PICTURE_WIDTH 160
#define MAX_WAITING 16

struct Search {
    PeEngine *engine;
    char *vocab;
    Moments *moments;
    PeTokenizer *tokenizer; // of the thread of `texts`; NULL: not opened
    GThreadPool *texts;     // Question
    GThreadPool *pictures;  // Picture
    gint closing;           // atomic
    gint n_waiting;         // questions
};

typedef struct {
    char *text, *stream;
    int top;
    SearchDone done;
    void *user_data;
    Search *search;
    GArray *found;
    GError *error;
} Question;

typedef struct {
    guint64 number;
    GstSample *sample;
} Picture;

// ---- Moments ---------------------------------------------------------------

static void
make_picture(gpointer data, gpointer user_data)
{
    Picture *picture = data;
    Search *search = user_data;
    GBytes *jpeg = g_atomic_int_get(&search->closing)
                       ? NULL
                       : jpeg_from_sample(picture->sample, PICTURE_WIDTH);
    if (jpeg)
        moments_set_picture(search->moments, picture->number, jpeg);
    gst_sample_unref(picture->sample);
    g_free(picture);
}

// The frame that was wanted at the last clip is of this one. An encoder that
// cannot follow leaves moments without a picture.
static void
take_picture(Search *search, Stream *stream, guint64 number)
{
    if (!stream->attempt)
        return;
    GstSample *sample = attempt_take_picture(stream->attempt, PICTURE_MOMENT);
    attempt_want_picture(stream->attempt, PICTURE_MOMENT);
    if (!sample)
        return;
    if (g_thread_pool_unprocessed(search->pictures) >= MAX_WAITING) {
        gst_sample_unref(sample);
        return;
    }
    Picture *picture = g_new(Picture, 1);
    *picture = (Picture){number, sample};
    g_thread_pool_push(search->pictures, picture, NULL);
}

static void
on_result(Stream *stream, GstPeResult *result, void *data)
{
    Search *search = data;
    const GstPeVectors *embedding = gst_pe_result_get_embedding(result);
    GstClockTime start = gst_pe_result_get_clip_wall_start(result);
    GstClockTime end = gst_pe_result_get_clip_wall_end(result);
    if (!embedding || gst_pe_result_get_n_frames(result) == 0)
        return;
    gint64 now = g_get_real_time();
    gsize n;
    g_autofree float *vector = gst_pe_vectors_to_floats(embedding, &n);
    pe_embedding_normalize(vector, (int)n);
    guint64 number = moments_add(
        search->moments, stream->name,
        GST_CLOCK_TIME_IS_VALID(start) ? (gint64)(start / GST_USECOND) : now,
        GST_CLOCK_TIME_IS_VALID(end) ? (gint64)(end / GST_USECOND) : now,
        vector, (int)n);
    take_picture(search, stream, number);
}

StreamListener
search_get_listener(Search *search)
{
    return (StreamListener){.result = on_result, .user_data = search};
}

Moments *
search_get_moments(Search *search)
{
    return search->moments;
}

// ---- Questions -------------------------------------------------------------

static gboolean
tell(gpointer data)
{
    Question *question = data;
    question->done(question->found, question->error, question->user_data);
    question->search->n_waiting--;
    return G_SOURCE_REMOVE;
}

static void
free_question(gpointer data)
{
    Question *question = data;
    if (question->found)
        g_array_unref(question->found);
    g_clear_error(&question->error);
    g_free(question->text);
    g_free(question->stream);
    g_free(question);
}

static bool
look(Search *search, Question *question)
{
    int dim = pe_engine_get_dim(search->engine);
    g_autofree float *query = g_new(float, (size_t)dim);
    const char *const texts[] = {question->text};
    if (!search->tokenizer)
        search->tokenizer = pe_tokenizer_open_for_model(
            search->vocab, pe_engine_get_model(search->engine),
            &question->error);
    if (!search->tokenizer ||
        !pe_engine_embed_texts(search->engine, search->tokenizer, texts, 1,
                               query, &question->error))
        return false;
    pe_embedding_normalize(query, dim);
    question->found = moments_search(search->moments, query, dim,
                                     question->stream, question->top);
    return true;
}

static void
answer(gpointer data, gpointer user_data)
{
    Question *question = data;
    Search *search = user_data;
    if (g_atomic_int_get(&search->closing))
        g_set_error(&question->error, PE_ERROR, PE_ERROR_CANCELLED,
                    "the program is ending");
    else
        look(search, question);
    g_main_context_invoke_full(NULL, G_PRIORITY_DEFAULT, tell, question,
                               free_question);
}

void
search_start(Search *search, const char *text, const char *stream, int top,
             SearchDone done, void *user_data)
{
    Question *question = g_new0(Question, 1);
    *question = (Question){
        .text = g_strdup(text),
        .stream = g_strdup(stream),
        .top = top,
        .done = done,
        .user_data = user_data,
        .search = search,
    };
    if (search->n_waiting++ < MAX_WAITING) {
        g_thread_pool_push(search->texts, question, NULL);
        return;
    }
    g_set_error(&question->error, PE_ERROR, PE_ERROR_CANCELLED,
                "too many searches are waiting; ask again later");
    g_idle_add_full(G_PRIORITY_DEFAULT, tell, question, free_question);
}

Search *
search_new(PeEngine *engine, const char *vocab, guint64 limit)
{
    Search *search = g_new0(Search, 1);
    search->engine = engine;
    search->vocab = g_strdup(vocab);
    search->moments = moments_new(limit);
    search->texts = g_thread_pool_new(answer, search, 1, FALSE, NULL);
    search->pictures = g_thread_pool_new(make_picture, search, 1, FALSE, NULL);
    return search;
}

void
search_free(Search *search)
{
    g_atomic_int_set(&search->closing, TRUE);
    g_thread_pool_free(search->texts, FALSE, TRUE);
    g_thread_pool_free(search->pictures, FALSE, TRUE);
    while (search->n_waiting > 0) // each is told that it ends
        g_main_context_iteration(NULL, TRUE);
    if (search->tokenizer)
        pe_tokenizer_unref(search->tokenizer);
    moments_free(search->moments);
    g_free(search->vocab);
    g_free(search);
}
