// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-search.c - the program that finds moments in an archive.

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clips.h"
#include "export.h"
#include "find.h"
#include "hits.h"
#include "output.h"
#include "page.h"
#include "pipelines/postgres/postgres.h"
#ifdef HAVE_HTTP
#include "serve/serve.h"
#endif
#include "sheet.h"
#include "tools/program.h"
#include "tools/program_output.h"

static char *opt_archive, *opt_index, *opt_camera, *opt_words, *opt_since,
    *opt_until, *opt_day;
static char *opt_export, *opt_html, *opt_clips;
static char **opt_texts, **opt_ands, **opt_nots, **opt_images, **opt_likes;
static char **opt_folders;
static int opt_top = 10, opt_per_file;
static char **opt_hits;
static gboolean opt_json, opt_explain, opt_play, opt_sheet, opt_exact;

static const GOptionEntry entries[] = {
    {"archive", 'a', 0, G_OPTION_ARG_FILENAME, &opt_archive,
     "Folder of the archive", "DIR"},
    {"index", 0, 0, G_OPTION_ARG_FILENAME, &opt_index,
     "In its place: a database that \"pe-tag load\" has filled",
     "postgresql://..."},
    {"exact", 0, 0, G_OPTION_ARG_NONE, &opt_exact,
     "Of a database: compare all vectors, without its index", NULL},
    {"image", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_images,
     "What looks like a picture", "FILE"},
    {"like", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_likes,
     "What looks like a file of the archive at a time", "FILE@SECONDS"},
    {"like-hit", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_hits,
     "What looks like a hit of your last search of this archive", "N"},
    {"and", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_ands,
     "What must be there, too", "TEXT"},
    {"not", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_nots,
     "What must not be there", "TEXT"},
    {"in", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_folders,
     "Only in this folder or file", "PATH"},
    {"camera", 0, 0, G_OPTION_ARG_FILENAME, &opt_camera,
     "Only in folders of this name", "NAME"},
    {"words", 0, 0, G_OPTION_ARG_FILENAME, &opt_words,
     "Only in files with these words in their path or labels", "WORDS"},
    {"since", 0, 0, G_OPTION_ARG_FILENAME, &opt_since, "Not recorded before",
     "TIME"},
    {"until", 0, 0, G_OPTION_ARG_FILENAME, &opt_until, "Recorded before",
     "TIME"},
    {"time-of-day", 0, 0, G_OPTION_ARG_FILENAME, &opt_day,
     "Recorded between two times of a day", "22:00-06:00"},
    {"top", 'n', 0, G_OPTION_ARG_INT, &opt_top, "Moments at most (default 10)",
     "N"},
    {"per-file", 0, 0, G_OPTION_ARG_INT, &opt_per_file,
     "Moments of a file at most (default: any number)", "N"},
    {"explain", 0, 0, G_OPTION_ARG_NONE, &opt_explain,
     "Say what each part of the query contributes", NULL},
    {"json", 0, 0, G_OPTION_ARG_NONE, &opt_json,
     "JSON lines on standard output", NULL},
    {"export", 0, 0, G_OPTION_ARG_FILENAME, &opt_export,
     "The moments as " EXPORT_FORMATS " on standard output", "FORMAT"},
    {"sheet", 0, 0, G_OPTION_ARG_NONE, &opt_sheet,
     "Also show pictures in the terminal, by chafa", NULL},
    {"html", 0, 0, G_OPTION_ARG_FILENAME, &opt_html,
     "Also write a page with pictures and a player", "FILE"},
    {"save-clips", 0, 0, G_OPTION_ARG_FILENAME, &opt_clips,
     "Also cut the moments out, each into a file in this folder", "DIR"},
    {"play", 0, 0, G_OPTION_ARG_NONE, &opt_play,
     "Print the command that plays each moment", NULL},
    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_texts, NULL,
     "TEXT..."},
    {NULL},
};

static const char description[] =
    "A TEXT says what is seen, as \"a red truck at night\". Several parts "
    "must\n"
    "all be there. A number in front, as in \"2:a truck\", is a weight.\n"
    "\"pe-search serve --help\" tells how to show the archive as a page.\n"
    "\n"
    "Examples:\n"
    "  pe-search -a ~/archive \"a boat at sea\"\n"
    "  pe-search -a ~/archive \"a truck\" --not \"a view at night\" --top 5\n"
    "  pe-search -a ~/archive --like /videos/a.mp4@12.5 --html found.html\n"
    "  pe-search serve --http 127.0.0.1:8081 ~/archive\n"
    "\n"
    "Exit status: 0 done (also without a match), 1 try again, 2 do not.";

static int
fail(const GError *error)
{
    program_fail(error);
    return archive_may_pass(error) ? 1 : 2;
}

// By which the hits of the last search are remembered.
static const char *
get_place(void)
{
    return opt_index ? opt_index : opt_archive;
}

// ---- What is asked --------------------------------------------------------

static bool
add_parts(Query *query, char **texts, PartKind kind, bool is_unwanted,
          GError **error)
{
    for (char **text = texts; text && *text; text++) {
        if (!query_add(query, kind, is_unwanted, *text, error))
            return false;
    }
    return true;
}

static bool
add_hits(Query *query, GError **error)
{
    for (char **text = opt_hits; text && *text; text++) {
        guint64 number = 0;
        if (!g_ascii_string_to_unsigned(*text, 10, 1, G_MAXINT, &number,
                                        NULL)) {
            g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                        "--like-hit %s: must be the number of a hit", *text);
            return false;
        }
        g_autofree char *hit = hits_load(get_place(), (int)number, error);
        // The name may begin as a weight does.
        g_autofree char *weighted = hit ? g_strconcat("1:", hit, NULL) : NULL;
        if (!hit || !query_add(query, PART_LIKE, false, weighted, error))
            return false;
    }
    return true;
}

static bool
read_query(Query *query, GError **error)
{
    if (!add_parts(query, opt_texts, PART_TEXT, false, error) ||
        !add_parts(query, opt_ands, PART_TEXT, false, error) ||
        !add_parts(query, opt_images, PART_PICTURE, false, error) ||
        !add_parts(query, opt_likes, PART_LIKE, false, error) ||
        !add_hits(query, error))
        return false;
    if (query->parts->len == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "nothing to look for: give a text, --image, --like or "
                    "--like-hit");
        return false;
    }
    return add_parts(query, opt_nots, PART_TEXT, true, error);
}

static bool
read_selection(SelectionParams *params, GError **error)
{
    *params = (SelectionParams){.folders = opt_folders,
                                .camera = opt_camera,
                                .words = opt_words,
                                .since = -1,
                                .until = -1,
                                .day_from = -1,
                                .day_to = -1};
    return (!opt_since ||
            selection_parse_time(opt_since, &params->since, error)) &&
           (!opt_until ||
            selection_parse_time(opt_until, &params->until, error)) &&
           (!opt_day || selection_parse_day(opt_day, &params->day_from,
                                            &params->day_to, error));
}

// ---- What is told ---------------------------------------------------------

static void
print_play(const GPtrArray *moments)
{
    for (guint i = 0; i < moments->len; i++) {
        const Moment *moment = moments->pdata[i];
        g_autofree char *name = g_shell_quote(moment->file->name);
        char start[G_ASCII_DTOSTR_BUF_SIZE];
        g_ascii_formatd(start, sizeof start, "%.1f",
                        (double)moment->start / 1e9);
        printf("gst-play-1.0 --start-position=%s %s\n", start, name);
    }
}

static bool
tell(const Found *found, const Archive *archive, const Query *query,
     GError **error)
{
    const GPtrArray *moments = found->moments;
    if (found->n_timeless)
        fprintf(stderr,
                "pe-search: %u file(s) are left out, because it is not known "
                "when they were recorded\n",
                found->n_timeless);
    if (opt_export) {
        g_autoptr(GBytes) file =
            export_make(moments, query, archive_get_dim(archive), opt_export);
        gsize size;
        const void *data = g_bytes_get_data(file, &size);
        fwrite(data, 1, size, stdout);
    } else if (opt_json) {
        output_json(moments, query);
    } else if (opt_play) {
        print_play(moments);
    } else {
        output_table(moments, query, opt_explain);
    }
    return (!opt_sheet || sheet_print(moments, error)) &&
           (!opt_html || page_write(opt_html, moments, query, error)) &&
           (!opt_clips || clips_save(opt_clips, moments, error));
}

// That the next search cannot begin here is no failure of this one. One that
// finds nothing leaves the hits that there were.
static void
remember(const GPtrArray *moments)
{
    g_autoptr(GError) error = NULL;
    if (moments->len && !hits_save(get_place(), moments, &error))
        g_printerr("pe-search: --like-hit will not know these hits: %s\n",
                   error->message);
}

static bool
search(Archive *archive, Query *query, const SelectionParams *where,
       GError **error)
{
    const MomentParams params = {.top = opt_top,
                                 .per_file = opt_per_file,
                                 .with_lines = opt_html != NULL};
    Searcher searcher;
    if (!searcher_open(&searcher, error))
        return false;
    g_autoptr(Found) found =
        searcher_find(&searcher, archive, query, where, &params, error);
    searcher_close(&searcher);
    if (!found)
        return false;
    remember(found->moments);
    return tell(found, archive, query, error);
}

// Is the page to be written among the archive's own files, and by a name that
// one of them may have?
static bool
is_of_archive(const char *path)
{
    if (opt_index || g_str_has_suffix(path, ".html"))
        return false;
    g_autofree char *dirname = g_path_get_dirname(path);
    g_autofree char *folder = g_canonicalize_filename(dirname, NULL);
    GStatBuf archive, status;
    if (g_stat(opt_archive, &archive) != 0)
        return false;
    for (;;) {
        if (g_stat(folder, &status) == 0 && status.st_dev == archive.st_dev &&
            status.st_ino == archive.st_ino)
            return true;
        if (g_str_equal(folder, "/"))
            return false;
        char *parent = g_path_get_dirname(folder);
        g_free(folder);
        folder = parent;
    }
}

// Before the search, which may take long. Returns the exit status.
static int
check_page(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = program_output_resolve(opt_html, &error);
    if (!path)
        return program_fail(error);
    if (!is_of_archive(path))
        return 0;
    g_autofree char *message = g_strdup_printf(
        "--html %s lies among the archive's own files; a page there must end "
        "in .html",
        opt_html);
    return program_fail_usage(NULL, message);
}

// What is wrong with the options about what is written; NULL: nothing.
static const char *
find_wrong_output(void)
{
    if (opt_export && !export_has_format(opt_export))
        return "--export must be " EXPORT_FORMATS;
    if (opt_export && opt_json)
        return "--json and --export both write standard output; leave one of "
               "them out (--export json writes one JSON list)";
    if (opt_sheet && (opt_json || opt_export || opt_play))
        return "--sheet goes with the table, and not with --json, --export "
               "or --play";
    if (opt_export && export_is_binary(opt_export) && isatty(STDOUT_FILENO))
        return "--export npy writes no text: send standard output to a file";
    return NULL;
}

// What is wrong with where is looked; NULL: nothing.
static const char *
find_wrong_place(void)
{
    if (!opt_archive == !opt_index)
        return opt_index ? "give either --archive or --index"
                         : "--archive DIR is missing";
    return postgres_find_wrong_options(opt_index, opt_exact);
}

static int
run(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Query) query = query_new();
    SelectionParams params;
    const char *wrong = find_wrong_output();
    if (wrong)
        return program_fail_usage(NULL, wrong);
    if ((opt_sheet && !sheet_check(&error)) || !read_query(query, &error) ||
        !read_selection(&params, &error))
        return program_fail_usage(NULL, error->message);
    int status = opt_html ? check_page() : 0;
    if (status)
        return status;
    g_autoptr(Archive) archive =
        opt_index ? postgres_open(opt_index, opt_exact, &error)
                  : archive_open(opt_archive, &error);
    if (!archive || !search(archive, query, &params, &error))
        return fail(error);
    return 0;
}

static int
serve(int argc, char **argv)
{
#ifdef HAVE_HTTP
    return serve_run(argc, argv);
#else
    return program_fail_usage(
        NULL, "serve: this build has no HTTP, because libsoup 3 was not there");
#endif
}

int
main(int argc, char **argv)
{
    if (program_output_begin("pe-search", argc, argv))
        return 0;
    if (argc > 1 && g_str_equal(argv[1], "serve"))
        return serve(argc - 1, argv + 1);
    int status = program_parse(NULL, "- find moments in an archive", entries,
                               description, &argc, &argv);
    if (status != 0)
        return status;
    const char *wrong = find_wrong_place();
    if (wrong)
        return program_fail_usage(NULL, wrong);
    if (opt_top < 1 || opt_per_file < 0 || program_options.batch < 0 ||
        program_options.threads < 0)
        return program_fail_usage(NULL, "--top, --per-file, --batch and "
                                        "--threads must be positive");
    gst_init(NULL, NULL);
    return run();
}
