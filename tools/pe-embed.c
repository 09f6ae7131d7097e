// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-embed.c - embeddings of texts, pictures and videos, one JSON object a
// line, and on demand all of them in one safetensors file.

#include "core/pe.h"

#include <gst/gst.h>
#include <stdio.h>
#include <string.h>

#include "gst/video/gstpepicture.h"
#include "tools/clip_frames.h"
#include "tools/json_line.h"
#include "tools/program.h"
#include "tools/program_output.h"
#include "tools/progress.h"
#include "tools/safetensors_out.h"

// More frames are more memory, and no better mean.
#define MAX_FRAMES 4096

static char *opt_out;
static char **opt_texts, **opt_images, **opt_videos;
static int opt_frames = 8;
static gboolean opt_json;

static const GOptionEntry entries[] = {
    {"text", 't', 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_texts,
     "Embed a text (may be repeated)", "TEXT"},
    {"image", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_images,
     "Embed a picture (may be repeated)", "FILE"},
    {"video", 'v', 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_videos,
     "Embed a video (may be repeated)", "FILE"},
    {"frames", 'n', 0, G_OPTION_ARG_INT, &opt_frames,
     "Frames of a video, first to last (default 8, at most 4096)", "N"},
    {"out", 'o', 0, G_OPTION_ARG_FILENAME, &opt_out,
     "Also write all vectors to a safetensors file", "FILE"},
    {"json", 0, 0, G_OPTION_ARG_NONE, &opt_json,
     "JSON lines on standard output (this is the default)", NULL},
    {NULL},
};

static const char description[] =
    "Every embedding is a unit vector, so a dot product is a cosine.\n"
    "A video is the mean of the features of N frames, evenly spaced with the\n"
    "first and the last among them, as the reference evaluation does; the file "
    "is\ndecoded twice, to count its frames exactly.\n"
    "\n"
    "Each line is a JSON object in the words of docs/schema/pe-result.json.\n"
    "\n"
    "Examples:\n"
    "  pe-embed -m PE-Core-B16-224.pt -t \"a dog\" -t \"a cat\"\n"
    "  pe-embed -m models/ -i a.jpg -i b.png -v clip.mp4 -o out.safetensors\n"
    "\n"
    "Exit status: 0 all embedded, 1 something failed, 2 wrong usage.";

// What is embedded, and the jobs that are still on their way.
typedef struct {
    const char *type; // "image", "video"
    const char *path;
    GPtrArray *jobs;   // PeJob, in the order of the frames
    GArray *indices;   // gint64, of the frames; video only
    int64_t n_decoded; // video only
} Item;

typedef struct {
    PeEngine *engine;
    PeClient *client;
    GMutex lock;
    GCond done;
    GQueue items; // in flight, oldest first
    SafetensorsOut *out;
    Progress progress;
    int n_done;
    int status; // to exit with
} App;

static void
report(App *app, const GError *error)
{
    progress_end(&app->progress);
    app->status = program_fail(error);
}

// ---- Output ----------------------------------------------------------------

// Add what texts, pictures and videos have in common, and print the line.
static void
print_line(App *app, JsonLine *j, const float *embedding)
{
    PeModel *model = pe_engine_get_model(app->engine);
    int dim = pe_engine_get_dim(app->engine);
    json_line_string(j, "model", pe_model_get_name(model));
    json_line_string(j, "model-fingerprint", pe_model_get_fingerprint(model));
    json_line_string(j, "device", pe_engine_get_device(app->engine));
    json_line_string(j, "precision",
                     pe_precision_nick(pe_engine_get_precision(app->engine)));
    json_line_int(j, "dim", dim);
    json_line_floats(j, "embedding", embedding, dim);
    progress_end(&app->progress);
    json_line_end(j);
}

static void
print_text(App *app, const char *text, const float *embedding)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-1");
    json_line_string(&j, "type", "text");
    json_line_string(&j, "text", text);
    print_line(app, &j, embedding);
    safetensors_out_add(app->out, "text", text, embedding);
}

static void
print_item(App *app, const Item *item, const float *embedding)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-1");
    json_line_string(&j, "type", item->type);
    json_line_string(&j, "path", item->path);
    if (item->indices) {
        json_line_int(&j, "frames-decoded", item->n_decoded);
        json_line_ints(&j, "frame-indices", (const gint64 *)item->indices->data,
                       (int)item->indices->len);
    }
    print_line(app, &j, embedding);
    safetensors_out_add(app->out, item->type, item->path, embedding);
}

// ---- Frames ----------------------------------------------------------------

static void
on_done(PeJob *job, void *data)
{
    App *app = data;
    g_mutex_lock(&app->lock);
    g_cond_signal(&app->done);
    g_mutex_unlock(&app->lock);
}

static void
wait_for(App *app, const PeJob *job)
{
    g_mutex_lock(&app->lock);
    while (!pe_job_is_done(job))
        g_cond_wait(&app->done, &app->lock);
    g_mutex_unlock(&app->lock);
}

static Item *
item_new(const char *type, const char *path)
{
    Item *item = g_new0(Item, 1);
    item->type = type;
    item->path = path;
    item->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)pe_job_unref);
    return item;
}

static void
item_free(Item *item)
{
    g_ptr_array_unref(item->jobs);
    if (item->indices)
        g_array_unref(item->indices);
    g_free(item);
}

// Wait for the oldest item and print it; takes it off the queue.
static void
finish_oldest(App *app)
{
    Item *item = g_queue_pop_head(&app->items);
    int n = (int)item->jobs->len;
    g_autofree const float **embeddings = g_new(const float *, (size_t)n);
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < n && !error; i++) {
        wait_for(app, item->jobs->pdata[i]);
        embeddings[i] = pe_job_get_embedding(item->jobs->pdata[i], &error);
    }
    if (error) {
        g_prefix_error(&error, "%s: ", item->path);
        report(app, error);
    } else {
        int dim = pe_engine_get_dim(app->engine);
        g_autofree float *mean = g_new(float, (size_t)dim);
        pe_embedding_mean(embeddings, n, dim, mean);
        print_item(app, item, mean);
    }
    item_free(item);
    progress_show(&app->progress, ++app->n_done);
}

// Pictures in flight share batches; more of them would only cost memory.
static void
start_item(App *app, Item *item)
{
    enum { MAX_IN_FLIGHT = 64 };
    g_queue_push_tail(&app->items, item);
    if (g_queue_get_length(&app->items) > MAX_IN_FLIGHT)
        finish_oldest(app);
}

static bool
submit_frame(App *app, Item *item, const PeFrame *frame, GError **error)
{
    PeJob *job;
    if (!pe_client_submit(app->client, &(PeSubmit){.frame = frame}, &job,
                          error))
        return false;
    g_ptr_array_add(item->jobs, job);
    return true;
}

typedef struct {
    App *app;
    Item *item;
} Pass;

static bool
take_picture(const PeFrame *frame, void *data, GError **error)
{
    Pass *pass = data;
    return submit_frame(pass->app, pass->item, frame, error);
}

static bool
read_video(Item *item, Pass *pass, GError **error)
{
    item->indices = clip_frames_read(item->path, opt_frames, take_picture, pass,
                                     &item->n_decoded, error);
    return item->indices != NULL;
}

static void
embed_file(App *app, const char *type, const char *path)
{
    GError *error = NULL;
    Item *item = item_new(type, path);
    Pass pass = {app, item};
    bool ok = g_str_equal(type, "video")
                  ? read_video(item, &pass, &error)
                  : gst_pe_picture_read(path, take_picture, &pass, &error);
    if (ok) {
        start_item(app, item);
        return;
    }
    report(app, error);
    g_error_free(error);
    item_free(item);
    app->n_done++;
}

// ---- Texts -----------------------------------------------------------------

static bool
embed_texts(App *app, GError **error)
{
    PeTokenizer *tokenizer = pe_tokenizer_open_for_model(
        program_options.vocab, pe_engine_get_model(app->engine), error);
    if (!tokenizer)
        return false;
    int n = (int)g_strv_length(opt_texts);
    int dim = pe_engine_get_dim(app->engine);
    g_autofree float *out = g_new(float, (size_t)n *(size_t)dim);
    bool ok = pe_engine_embed_texts(
        app->engine, tokenizer, (const char *const *)opt_texts, n, out, error);
    for (int i = 0; ok && i < n; i++) {
        pe_embedding_normalize(out + i * dim, dim);
        print_text(app, opt_texts[i], out + i * dim);
    }
    app->n_done += n;
    pe_tokenizer_unref(tokenizer);
    return ok;
}

// ---- Main ------------------------------------------------------------------

static PeEngine *
open_engine(GError **error)
{
    PeModel *model = program_open_model(error);
    if (!model)
        return NULL;
    PeEngine *engine = program_open_engine(model, error);
    pe_model_unref(model);
    return engine;
}

static void
embed_everything(App *app)
{
    g_autoptr(GError) error = NULL;
    if (opt_texts && !embed_texts(app, &error))
        report(app, error);
    for (char **p = opt_images; p && *p; p++)
        embed_file(app, "image", *p);
    for (char **p = opt_videos; p && *p; p++)
        embed_file(app, "video", *p);
    pe_client_run_now(app->client);
    while (!g_queue_is_empty(&app->items))
        finish_oldest(app);
}

static int
run(void)
{
    g_autoptr(GError) error = NULL;
    App app = {0};
    if (opt_out && !program_output_check(opt_out, &error))
        return program_fail(error);
    app.engine = open_engine(&error);
    if (!app.engine)
        return program_fail(error);
    app.client = pe_client_new(app.engine, on_done, &app);
    app.out = safetensors_out_new(pe_engine_get_model(app.engine),
                                  pe_engine_get_dim(app.engine));
    guint n = (opt_texts ? g_strv_length(opt_texts) : 0) +
              (opt_images ? g_strv_length(opt_images) : 0) +
              (opt_videos ? g_strv_length(opt_videos) : 0);
    progress_start(&app.progress, "items", n);
    embed_everything(&app);
    progress_end(&app.progress);
    if (opt_out && !safetensors_out_write(app.out, opt_out, &error))
        report(&app, error);
    safetensors_out_free(app.out);
    pe_client_free(app.client);
    pe_engine_unref(app.engine);
    return app.status;
}

// A text is UTF-8 whatever the locale is.
static bool
check_texts(void)
{
    for (char **text = opt_texts; text && *text; text++) {
        if (!g_utf8_validate(*text, -1, NULL)) {
            g_autofree char *shown = g_utf8_make_valid(*text, -1);
            g_autofree char *message =
                g_strdup_printf("--text \"%s\" is not UTF-8", shown);
            program_fail_usage(NULL, message);
            return false;
        }
    }
    return true;
}

int
main(int argc, char **argv)
{
    if (program_output_begin("pe-embed", argc, argv))
        return 0;
    int status = program_parse(NULL, "- embed texts, pictures and videos",
                               entries, description, &argc, &argv);
    if (status != 0)
        return status;

    if (argc > 1)
        return program_fail_usage(NULL, "files go behind --image or --video");
    if (!opt_texts && !opt_images && !opt_videos)
        return program_fail_usage(
            NULL, "nothing to embed: give --text, --image or --video");
    if (opt_frames < 1 || opt_frames > MAX_FRAMES) {
        g_autofree char *message = g_strdup_printf(
            "--frames %d: must be from 1 to %d", opt_frames, MAX_FRAMES);
        return program_fail_usage(NULL, message);
    }
    if (program_options.batch < 0 || program_options.threads < 0)
        return program_fail_usage(NULL,
                                  "--batch and --threads must be positive");
    if (!check_texts())
        return 2;
    gst_init(NULL, NULL);
    return run();
}
