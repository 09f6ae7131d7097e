// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-tag.c - the program that brings videos into an archive, and keeps it.

#include <glib-unix.h>
#include <gst/gst.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "model.h"
#include "pipelines/postgres/postgres.h"
#include "report.h"
#include "shards/done.h"
#include "shards/merging.h"
#include "shards/plan.h"
#include "tagger.h"
#include "tools/json_line.h"
#include "tools/program.h"
#include "tools/program_output.h"

#define MAX_JOBS 256
#define MAX_SHARDS 100000

static char *opt_out, *opt_labels, *opt_rate, *opt_pattern, *opt_format,
    *opt_to, *opt_list, *opt_shard, *opt_index;
static char **opt_paths;
static int opt_jobs, opt_patience = 30;
static double opt_dedup = 0.98, opt_shot = 0.8;
static gboolean opt_keyframes, opt_decode_all, opt_json, opt_again, opt_vtt,
    opt_no_thumbnails, opt_no_hnsw, opt_prune, opt_verify;

static const GOptionEntry entries[] = {
    {"out", 'o', 0, G_OPTION_ARG_FILENAME, &opt_out,
     "Folder of the archive (made if it is not there)", "DIR"},
    {"labels", 'l', 0, G_OPTION_ARG_FILENAME, &opt_labels,
     "Labels for the segments: a labels file", "FILE"},
    {"frame-rate", 'r', 0, G_OPTION_ARG_FILENAME, &opt_rate,
     "Samples per second (default 2/1)", "N/D"},
    {"keyframes-only", 'k', 0, G_OPTION_ARG_NONE, &opt_keyframes,
     "Decode key frames alone: much faster, less exact", NULL},
    {"decode-all", 0, 0, G_OPTION_ARG_NONE, &opt_decode_all,
     "Decode also what neither samples nor other frames need", NULL},
    {"dedup", 0, 0, G_OPTION_ARG_DOUBLE, &opt_dedup,
     "Samples this like the last stored one are only counted (default 0.98)",
     "COSINE"},
    {"shot", 0, 0, G_OPTION_ARG_DOUBLE, &opt_shot,
     "A segment ends between frames less like each other (default 0.8)",
     "COSINE"},
    {"no-thumbnails", 0, 0, G_OPTION_ARG_NONE, &opt_no_thumbnails,
     "Store no small pictures", NULL},
    {"time-from-name", 0, 0, G_OPTION_ARG_FILENAME, &opt_pattern,
     "When a file was recorded, in its name: such as %Y%m%d-%H%M%S", "PATTERN"},
    {"jobs", 'j', 0, G_OPTION_ARG_INT, &opt_jobs,
     "Files at a time (default: two more than cores, at most 10)", "N"},
    {"timeout", 0, 0, G_OPTION_ARG_INT, &opt_patience,
     "Give up a file of which nothing comes for so long (default 30)", "S"},
    {"list", 0, 0, G_OPTION_ARG_FILENAME, &opt_list,
     "In place of paths: what a file lists that \"plan\" has made", "FILE"},
    {"shard", 0, 0, G_OPTION_ARG_FILENAME, &opt_shard,
     "Of the plan only part I of N, from 0/N to N-1/N, in a folder of its own",
     "I/N"},
    {"again", 0, 0, G_OPTION_ARG_NONE, &opt_again,
     "Also files that have been tagged and have not changed", NULL},
    {"vtt", 0, 0, G_OPTION_ARG_NONE, &opt_vtt,
     "Also write WebVTT chapters into the archive's folder", NULL},
    {"format", 0, 0, G_OPTION_ARG_FILENAME, &opt_format,
     "Of export: jsonl (default), vtt or dump", "F"},
    {"to", 0, 0, G_OPTION_ARG_FILENAME, &opt_to,
     "Of export --format vtt: the folder that it writes into", "DIR"},
    {"index", 0, 0, G_OPTION_ARG_FILENAME, &opt_index,
     "Also load the archive into this database; of load and export: which one",
     "postgresql://..."},
    {"verify", 0, 0, G_OPTION_ARG_NONE, &opt_verify,
     "Of merge: also compare what was copied with its checksums", NULL},
    {"prune", 0, 0, G_OPTION_ARG_NONE, &opt_prune,
     "With --index: forget there what the archive has forgotten", NULL},
    {"no-hnsw", 0, 0, G_OPTION_ARG_NONE, &opt_no_hnsw,
     "Make no index of vectors there, as before the last of several loads",
     NULL},
    {"json", 0, 0, G_OPTION_ARG_NONE, &opt_json,
     "JSON lines on standard output", NULL},
    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_paths, NULL,
     "PATH..."},
    {NULL},
};

static const char description[] =
    "A PATH is a file, a folder, a file: or http: URI, or - for a list of "
    "them\n"
    "on standard input. What has been tagged and has not changed is left out,\n"
    "so a run that was ended goes on where it was.\n"
    "\n"
    "In place of paths, a command:\n"
    "  plan      PATH...: print a list for --list, longest first\n"
    "  merge     DIR...: make the archive --out of several, such as shards\n"
    "  prune     forget files that have been deleted\n"
    "  relabel   new labels (--labels) over the stored vectors\n"
    "  stats     how much is in the archive\n"
    "  verify    whether it is sound\n"
    "  export    all segments (--format)\n"
    "  load      copy the archive into a PostgreSQL database (--index)\n"
    "\n"
    "Examples:\n"
    "  pe-tag /videos --out ~/archive --labels labels.json\n"
    "  pe-tag relabel --out ~/archive --labels other.json\n"
    "\n"
    "Exit status: 0 done (files with problems are in errors.jsonl), 1 try\n"
    "again, 2 do not. SIGTERM, SIGINT, SIGHUP and SIGUSR1 end it when the\n"
    "files in work are done, a second one at once.";

static int is_stopping, is_cancelled, n_decoded_ms;

static gboolean
on_signal(gpointer data)
{
    if (g_atomic_int_add(&is_stopping, 1) > 0)
        g_atomic_int_set(&is_cancelled, 1);
    return G_SOURCE_CONTINUE;
}

static gpointer
run_context(gpointer context)
{
    for (;;)
        g_main_context_iteration(context, TRUE);
    return NULL;
}

// Signals have a thread of their own, since the main one writes. From here on
// none of them ends the program otherwise. Batch systems send SIGUSR1.
static void
watch_signals(void)
{
    GMainContext *context = g_main_context_new();
    const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        GSource *source = g_unix_signal_source_new(numbers[i]);
        g_source_set_callback(source, on_signal, NULL, NULL);
        g_source_attach(source, context);
        g_source_unref(source);
    }
    g_thread_unref(g_thread_new("signals", run_context, context));
}

// ---- What is told ---------------------------------------------------------

typedef struct {
    bool is_terminal;
    gint64 told; // us
} Teller;

static double
get_speed(const TaggerProgress *p)
{
    return p->wall > 0 ? p->media / p->wall : 0;
}

// Seconds, by the bytes; -1: not known yet.
static double
get_eta(const TaggerProgress *p)
{
    return p->bytes_done > 0 ? p->wall * (double)(p->bytes - p->bytes_done) /
                                   (double)p->bytes_done
                             : -1;
}

static void
show(const Teller *teller, const TaggerProgress *p)
{
    double eta = get_eta(p);
    if (!teller->is_terminal)
        return;
    fprintf(stderr, "\r%u of %u files, %.1f x real time, ", p->n_done,
            p->n_sources, get_speed(p));
    if (eta >= 0)
        fprintf(stderr, "%d:%02d left\033[K", (int)eta / 60, (int)eta % 60);
    else
        fprintf(stderr, "starting\033[K");
}

static void
print_progress(const char *type, const TaggerProgress *p)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-archive-1");
    json_line_string(&j, "type", type);
    json_line_int(&j, "files", p->n_sources);
    json_line_int(&j, "done", p->n_done);
    for (int i = 0; i <= PARTIAL; i++)
        json_line_int(&j, tagger_status_nick((TaggerStatus)i), p->n[i]);
    json_line_int(&j, "frames", p->n_frames);
    json_line_number(&j, "seconds", p->wall);
    json_line_number(&j, "video-seconds", p->media);
    json_line_number(&j, "times-real-time", get_speed(p));
    if (get_eta(p) >= 0)
        json_line_number(&j, "eta", get_eta(p));
    json_line_end(&j);
}

static void
print_known(const ArchiveFile *file)
{
    JsonLine j;
    g_autofree char *name = g_utf8_make_valid(file->name, -1);
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-archive-1");
    json_line_string(&j, "type", "file");
    json_line_string(&j, "name", name);
    json_line_string(&j, "status", tagger_status_nick(KNOWN));
    json_line_end(&j);
}

static void
tell_file(Teller *teller, TaggerStatus status, const ArchiveFile *file,
          const ArchiveContent *content)
{
    if (opt_json && content) {
        g_autofree char *line =
            report_file(file, content, tagger_status_nick(status));
        puts(line);
        program_output_flush();
    } else if (opt_json) {
        print_known(file);
    } else if (status == BROKEN || status == PARTIAL) {
        g_autofree char *name = g_utf8_make_valid(file->name, -1);
        if (teller->is_terminal)
            fprintf(stderr, "\r\033[K");
        fprintf(stderr, "pe-tag: %s: %s\n", name, content->problem);
    }
}

static void
on_progress(const TaggerProgress *progress, TaggerStatus status,
            const ArchiveFile *file, const ArchiveContent *content, void *data)
{
    Teller *teller = data;
    gint64 now = g_get_monotonic_time();
    if (file)
        tell_file(teller, status, file, content);
    show(teller, progress);
    if (opt_json && now - teller->told > G_USEC_PER_SEC) {
        print_progress("progress", progress);
        teller->told = now;
    }
}

// ---- Tag ------------------------------------------------------------------

// What frames there are depends on these, whatever the file.
static char *
describe_settings(const VideoSettings *video)
{
    char dedup[G_ASCII_DTOSTR_BUF_SIZE], shot[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(dedup, sizeof dedup, "%.4g", (double)video->dedup);
    g_ascii_formatd(shot, sizeof shot, "%.4g", (double)video->shot);
    if (video->keyframes_only)
        return g_strdup_printf("key frames, dedup %s, shot %s", dedup, shot);
    return g_strdup_printf("%d/%d frames a second, dedup %s, shot %s",
                           video->rate_n, video->rate_d, dedup, shot);
}

static bool
write_chapters(Archive *archive, GError **error)
{
    g_autofree char *folder = g_build_filename(opt_out, "chapters", NULL);
    CommandOptions options = {.folder = opt_out, .format = "vtt", .to = folder};
    return command_export(archive, &options, error);
}

// After all that was to be done, or what a signal has left of it.
static bool
finish_archive(Archive *archive, const Done *done, bool is_whole,
               GError **error)
{
    return report_write_errors(archive, error) &&
           (!opt_vtt || write_chapters(archive, error)) &&
           (!is_whole || done_write(opt_out, done, error));
}

static int
finish(Archive *archive, const Done *done, const Teller *teller,
       const TaggerProgress *progress, GError *failure)
{
    g_autoptr(GError) error = failure;
    bool is_whole = progress->n_done == progress->n_sources;
    if (teller->is_terminal)
        fprintf(stderr, "\r\033[K");
    if (!error)
        finish_archive(archive, done, is_whole, &error);
    if (opt_json)
        print_progress("summary", progress);
    else
        printf("%u of %u files: %u tagged, %u known, %u linked, %u partial, "
               "%u broken; %" G_GINT64_FORMAT " frames, %.1f x real time\n",
               progress->n_done, progress->n_sources, progress->n[TAGGED],
               progress->n[KNOWN], progress->n[LINKED], progress->n[PARTIAL],
               progress->n[BROKEN], progress->n_frames, get_speed(progress));
    if (error)
        return command_fail(error);
    return is_whole ? 0 : 1;
}

static int
tag(const TaggerSettings *settings, const GPtrArray *sources, const Done *done)
{
    GError *error = NULL;
    TaggerProgress progress;
    Teller teller = {.is_terminal = !opt_json && isatty(STDERR_FILENO)};
    // What an ended run has left is true again before anything else happens.
    if (done_remove(opt_out, &error) &&
        report_write_errors(settings->archive, &error))
        tagger_run(settings, sources, &progress, on_progress, &teller, &error);
    else
        progress = (TaggerProgress){.n_sources = sources->len};
    return finish(settings->archive, done, &teller, &progress, error);
}

static int
open_and_tag(TaggerSettings *settings, const GPtrArray *sources,
             const Done *done)
{
    g_autoptr(GError) error = NULL;
    Model model;
    PeLabels *labels = NULL;
    int status = 1;
    if (model_open(&model, &error) &&
        (!opt_labels ||
         (labels = model_read_labels(&model, opt_labels, &error))) &&
        (settings->archive =
             archive_open_to_write(opt_out, &model.archive, &error))) {
        settings->labels = labels;
        settings->video.dim = model.archive.dim;
        settings->settings = describe_settings(&settings->video);
        status = tag(settings, sources, done);
        g_free(settings->settings);
        archive_close(settings->archive);
    } else {
        status = command_fail(error);
    }
    if (labels)
        pe_labels_unref(labels);
    model_close(&model);
    return status;
}

// What is wrong with the options, or NULL.
static const char *
find_wrong_option(void)
{
    // Written so that "nan" is wrong, too.
    if (!(opt_dedup >= 0 && opt_dedup <= 2))
        return "--dedup must be a number from 0 to 2";
    if (!(opt_shot >= -1 && opt_shot <= 1))
        return "--shot must be a number from -1 to 1";
    if (opt_jobs < 0 || opt_jobs > MAX_JOBS)
        return "--jobs must be from 1 to " G_STRINGIFY(MAX_JOBS);
    if (opt_patience < 1 || program_options.batch < 0 ||
        program_options.threads < 0)
        return "--timeout, --batch and --threads must be positive";
    if (opt_keyframes && opt_rate)
        return "--keyframes-only looks at every key frame, so --frame-rate "
               "says nothing; leave one of them out";
    return NULL;
}

static bool
parse_rate(int *n, int *d)
{
    char end;
    *n = 2;
    *d = 1;
    if (!opt_rate)
        return true;
    int count = sscanf(opt_rate, "%d/%d%c", n, d, &end);
    return (count == 2 || (count == 1 && !strchr(opt_rate, '/'))) && *n > 0 &&
           *d > 0;
}

// "2/16"; false: it is none.
static bool
parse_shard(Done *done)
{
    char end;
    *done = (Done){.n_shards = 1};
    return !opt_shard || (sscanf(opt_shard, "%d/%d%c", &done->shard,
                                 &done->n_shards, &end) == 2 &&
                          done->shard >= 0 && done->shard < done->n_shards &&
                          done->n_shards <= MAX_SHARDS);
}

// Source; NULL with the error.
static GPtrArray *
find_sources(Done *done, GError **error)
{
    if (!opt_list)
        return sources_find(opt_paths, error);
    g_autofree char *checksum = NULL;
    GPtrArray *sources =
        plan_read(opt_list, done->shard, done->n_shards, &checksum, error);
    if (sources)
        g_strlcpy(done->plan, checksum, sizeof done->plan);
    return sources;
}

static int
get_n_jobs(void)
{
    // More than cores: each file begins and ends with what waits.
    return opt_jobs ? opt_jobs : MIN((int)g_get_num_processors() + 2, 10);
}

static int
run_command(const char *name)
{
    CommandOptions options = {.folder = opt_out,
                              .labels = opt_labels,
                              .format = opt_format ? opt_format : "jsonl",
                              .to = opt_to,
                              .index = opt_index,
                              .with_hnsw = !opt_no_hnsw,
                              .prune = opt_prune,
                              .json = opt_json};
    static const char *const formats[] = {"jsonl", "vtt", "dump", NULL};
    if (opt_paths && opt_paths[1] && command_is(opt_paths[0]))
        return program_fail_usage(name, "takes no path");
    if (g_str_equal(name, "load") && !opt_index)
        return program_fail_usage(name,
                                  "needs a database: --index postgresql://...");
    if (opt_index && !command_takes_index(name))
        return program_fail_usage(name, "takes no --index");
    if (g_str_equal(name, "relabel") && !opt_labels)
        return program_fail_usage(name, "needs --labels");
    if (!g_strv_contains(formats, options.format))
        return program_fail_usage(name, "--format must be jsonl, vtt or dump");
    if (g_str_equal(options.format, "vtt") && !opt_to)
        return program_fail_usage(
            name, "--format vtt needs a folder to write into: --to DIR");
    return command_run(name, &options);
}

static int
run(void)
{
    g_autoptr(GError) error = NULL;
    Done done;
    g_autoptr(WallPattern) pattern = NULL;
    TaggerSettings settings = {
        .video = {.keyframes_only = opt_keyframes,
                  .decode_all = opt_decode_all,
                  .dedup = (float)opt_dedup,
                  .shot = (float)opt_shot,
                  .patience = opt_patience,
                  .with_pictures = !opt_no_thumbnails,
                  .is_cancelled = &is_cancelled,
                  .n_decoded_ms = &n_decoded_ms},
        .n_jobs = get_n_jobs(),
        .again = opt_again,
        .is_stopping = &is_stopping,
    };
    if (!parse_rate(&settings.video.rate_n, &settings.video.rate_d))
        return program_fail_usage(
            NULL, "--frame-rate must be positive, such as 2 or 1/2");
    if (opt_pattern && !(pattern = wall_pattern_new(opt_pattern, &error)))
        return program_fail_usage(NULL, error->message);
    settings.pattern = pattern;
    if (!parse_shard(&done))
        return program_fail_usage(
            NULL, "--shard must be I/N, such as 0/4 to 3/4 for four parts");
    g_autoptr(GPtrArray) sources = find_sources(&done, &error);
    if (!sources)
        return command_fail(error);
    int status = open_and_tag(&settings, sources, &done);
    return status == 0 && opt_index ? run_command("load") : status;
}

static int
run_plan(void)
{
    g_autoptr(GError) error = NULL;
    if (!opt_paths[1])
        return program_fail_usage("plan", "give a path");
    g_autoptr(GPtrArray) sources = sources_find(opt_paths + 1, &error);
    if (!sources || !plan_print(sources, get_n_jobs(), &error))
        return command_fail(error);
    return 0;
}

static int
run_merge(void)
{
    g_autoptr(GError) error = NULL;
    if (!opt_paths[1])
        return program_fail_usage("merge", "give the folders of archives");
    return merging_run(opt_paths + 1, opt_out, opt_verify, &error)
               ? 0
               : command_fail(error);
}

// What is wrong with what is to be done, or NULL.
static const char *
find_wrong_task(void)
{
    bool is_plan = opt_paths && g_str_equal(opt_paths[0], "plan");
    bool is_elsewhere =
        opt_paths && opt_index && g_str_equal(opt_paths[0], "export");
    if (!opt_out && !is_plan && !is_elsewhere)
        return "--out DIR is missing";
    if (opt_out && is_elsewhere)
        return "export: give either --out or --index";
    if (opt_verify && (!opt_paths || !g_str_equal(opt_paths[0], "merge")))
        return "--verify is said of merge; \"pe-tag verify\" is a command";
    if (opt_prune && (!opt_index || is_elsewhere))
        return "--prune is said of a load into a database (--index)";
    if (opt_index && !postgres_is_uri(opt_index))
        return "--index must be a URI that begins with postgresql://";
    if (!opt_paths && !opt_list)
        return "nothing to tag: give a path, or a plan with --list";
    if (opt_paths && opt_list)
        return "give either paths and commands, or a plan with --list";
    if (opt_shard && !opt_list)
        return "--shard is a part of a plan: give the plan with --list";
    return find_wrong_option();
}

static int
run_task(void)
{
    const char *name = opt_paths ? opt_paths[0] : "";
    if (g_str_equal(name, "merge"))
        return run_merge(); // needs no GStreamer
    bool is_command = command_is(name), is_plan = g_str_equal(name, "plan");
    // Before GStreamer looks for its plugins, which may take long.
    if (!is_command && !is_plan)
        watch_signals();
    gst_init(NULL, NULL);
    return is_command ? run_command(name) : is_plan ? run_plan() : run();
}

int
main(int argc, char **argv)
{
    if (program_output_begin("pe-tag", argc, argv))
        return 0;
    int status = program_parse(NULL, "- bring videos into an archive", entries,
                               description, &argc, &argv);
    if (status != 0)
        return status;
    const char *wrong = find_wrong_task();
    return wrong ? program_fail_usage(NULL, wrong) : run_task();
}
