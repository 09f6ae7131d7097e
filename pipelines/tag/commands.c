// SPDX-License-Identifier: LGPL-2.1-or-later
//
// commands.c - see commands.h.

#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "labelling.h"
#include "model.h"
#include "pipelines/postgres/postgres.h"
#include "report.h"
#include "tools/json_line.h"
#include "tools/program.h"
#include "tools/program_output.h"

int
command_fail(const GError *error)
{
    program_fail(error);
    return archive_may_pass(error) ? 1 : 2;
}

// ---- prune ----------------------------------------------------------------

// A disk that is not there now is no reason to forget what is on it.
static bool
is_deleted(const char *name)
{
    struct stat info;
    g_autofree char *folder = g_path_get_dirname(name);
    return name[0] == '/' && stat(name, &info) != 0 && errno == ENOENT &&
           g_file_test(folder, G_FILE_TEST_IS_DIR);
}

static bool
prune(Archive *archive, const CommandOptions *options, GError **error)
{
    g_autoptr(GPtrArray) files = archive_list_files(archive, error);
    int n = 0;
    for (guint i = 0; files && i < files->len; i++) {
        const ArchiveFile *file = files->pdata[i];
        if (!is_deleted(file->name))
            continue;
        if (!archive_remove(archive, file->name, error))
            return false;
        g_autofree char *shown = g_utf8_make_valid(file->name, -1);
        printf("removed %s\n", shown);
        n++;
    }
    if (files)
        printf("%d of %u files have been deleted\n", n, files->len);
    return files && report_write_errors(archive, error);
}

// ---- relabel --------------------------------------------------------------

// The vectors of a content without what pads them. Returns, g_free().
static uint16_t *
copy_vectors(const Archive *archive, const PeRows *rows,
             const ArchiveRows *part)
{
    size_t dim = (size_t)archive_get_dim(archive);
    uint16_t *vectors = g_new(uint16_t, (size_t)part->n_rows * dim);
    for (size_t i = 0; i < (size_t)part->n_rows; i++)
        memcpy(vectors + i * dim,
               rows->values + ((size_t)part->first_row + i) * (size_t)rows->dim,
               dim * sizeof *vectors);
    return vectors;
}

static bool
relabel_content(Archive *archive, const PeRows *rows, const ArchiveRows *part,
                const PeLabels *labels, GError **error)
{
    g_autoptr(ArchiveContent) content =
        archive_read_content(archive, part->content, error);
    if (!content)
        return false;
    g_autofree uint16_t *vectors = copy_vectors(archive, rows, part);
    labelling_apply(labels, content, vectors, archive_get_dim(archive));
    return archive_set_labels(archive, content, error);
}

static bool
relabel_all(Archive *archive, const PeLabels *labels, GError **error)
{
    g_autoptr(GArray) list = archive_list_rows(archive, error);
    const PeRows *rows = list ? archive_map(archive, error) : NULL;
    for (guint i = 0; rows && i < list->len; i++) {
        if (!relabel_content(archive, rows,
                             &g_array_index(list, ArchiveRows, i), labels,
                             error))
            return false;
    }
    if (rows)
        printf("%u contents have new labels\n", list->len);
    return rows != NULL;
}

static bool
relabel(Archive *archive, const CommandOptions *options, GError **error)
{
    Model model;
    bool ok = model_open(&model, error) &&
              archive_check_model(archive, &model.archive, error);
    PeLabels *labels =
        ok ? model_read_labels(&model, options->labels, error) : NULL;
    ok = labels && relabel_all(archive, labels, error);
    if (labels)
        pe_labels_unref(labels);
    model_close(&model);
    return ok;
}

// ---- stats ----------------------------------------------------------------

static bool
stats(Archive *archive, const CommandOptions *options, GError **error)
{
    ArchiveStats s;
    if (!archive_get_stats(archive, &s, error))
        return false;
    if (options->json) {
        JsonLine j;
        json_line_begin(&j);
        json_line_string(&j, "schema", "pe-archive-1");
        json_line_string(&j, "type", "stats");
        json_line_string(&j, "model", archive_get_model(archive));
        json_line_int(&j, "files", s.n_files);
        json_line_int(&j, "contents", s.n_contents);
        json_line_int(&j, "with-problems", s.n_problems);
        json_line_int(&j, "frames", s.n_frames);
        json_line_int(&j, "samples", s.n_samples);
        json_line_int(&j, "segments", s.n_segments);
        json_line_int(&j, "unused-rows", s.n_rows - s.n_frames);
        json_line_number(&j, "duration", (double)s.duration / 1e9);
        json_line_end(&j);
        return true;
    }
    printf("model      %s, %d values\nfiles      %" PRId64 " (%" PRId64
           " contents, %" PRId64 " with problems)\nvideo      %.1f h\n"
           "frames     %" PRId64 " stored of %" PRId64 " samples\n"
           "segments   %" PRId64 "\nunused     %" PRId64 " rows\n",
           archive_get_model(archive), archive_get_dim(archive), s.n_files,
           s.n_contents, s.n_problems, (double)s.duration / 3.6e12, s.n_frames,
           s.n_samples, s.n_segments, s.n_rows - s.n_frames);
    return true;
}

// ---- verify ---------------------------------------------------------------

static bool
verify(Archive *archive, const CommandOptions *options, GError **error)
{
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
    if (!archive_verify(archive, faults, error))
        return false;
    for (guint i = 0; i < faults->len; i++)
        printf("%s\n", (const char *)faults->pdata[i]);
    if (faults->len == 0) {
        printf("sound\n");
        return true;
    }
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: has %u fault(s); restore the folder from a copy, or tag "
                "the files again into a new one",
                options->folder, faults->len);
    return false;
}

// ---- export ---------------------------------------------------------------

static bool
write_webvtt(const char *folder, const ArchiveFile *file,
             const ArchiveContent *content, GError **error)
{
    g_autofree char *base = g_path_get_basename(file->name);
    // Files of one name in several folders stay apart.
    g_autofree char *sum =
        g_compute_checksum_for_string(G_CHECKSUM_SHA256, file->name, -1);
    g_autofree char *name = g_strdup_printf("%s-%.8s.vtt", base, sum);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *text = report_webvtt(content);
    return program_output_write(path, text, -1, error);
}

static bool
export_file(Archive *archive, const ArchiveFile *file,
            const CommandOptions *options, GError **error)
{
    g_autoptr(ArchiveContent) content =
        archive_read_content(archive, file->content, error);
    if (!content)
        return false;
    if (g_str_equal(options->format, "vtt"))
        return write_webvtt(options->to, file, content, error);
    g_autofree char *line = report_file(file, content, NULL);
    puts(line);
    return true;
}

bool
command_export(Archive *archive, const CommandOptions *options, GError **error)
{
    if (g_str_equal(options->format, "dump")) {
        g_autoptr(GString) text = g_string_new(NULL);
        if (!archive_dump(archive, text, error))
            return false;
        fputs(text->str, stdout);
        return true;
    }
    if (g_str_equal(options->format, "vtt") &&
        g_mkdir_with_parents(options->to, 0777) != 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: the folder cannot be made: %s", options->to,
                    g_strerror(errno));
        return false;
    }
    g_autoptr(GPtrArray) files = archive_list_files(archive, error);
    for (guint i = 0; files && i < files->len; i++) {
        if (!export_file(archive, files->pdata[i], options, error))
            return false;
    }
    return files != NULL;
}

// ---- load -----------------------------------------------------------------

static void
show_load(const PostgresLoad *load)
{
    guint n = load->n_loaded + load->n_known;
    fprintf(stderr, "\r%u of %u contents%s", n, load->n_contents,
            n == load->n_contents && load->with_index
                ? "; the index of vectors may take long"
                : "");
}

static void
print_load(const PostgresLoad *load, bool json)
{
    if (!json) {
        printf("%u of %u contents loaded, %u known; %" PRId64 " frames%s\n",
               load->n_loaded, load->n_contents, load->n_known, load->n_frames,
               load->has_made_index ? "; made the index of vectors" : "");
        if (load->n_pruned > 0)
            printf("%u files were removed\n", load->n_pruned);
        return;
    }
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-archive-1");
    json_line_string(&j, "type", "load");
    json_line_int(&j, "contents", load->n_contents);
    json_line_int(&j, "loaded", load->n_loaded);
    json_line_int(&j, "known", load->n_known);
    json_line_int(&j, "frames", load->n_frames);
    json_line_int(&j, "pruned", load->n_pruned);
    json_line_end(&j);
}

static bool
load_archive(Archive *archive, const CommandOptions *options, GError **error)
{
    bool is_terminal = !options->json && isatty(STDERR_FILENO);
    PostgresLoad load = {.with_index = options->with_hnsw,
                         .prune = options->prune,
                         .func = is_terminal ? show_load : NULL};
    bool ok = postgres_load(archive, options->index, &load, error);
    if (is_terminal)
        fprintf(stderr, "\r\033[K");
    if (ok)
        print_load(&load, options->json);
    return ok;
}

// ---- Commands -------------------------------------------------------------

static const struct {
    const char *name;
    bool (*func)(Archive *archive, const CommandOptions *options,
                 GError **error);
    bool writes;
} commands[] = {
    {"prune", prune, true},
    {"relabel", relabel, true},
    {"stats", stats, false},
    {"verify", verify, false},
    {"export", command_export, false},
    {"load", load_archive, false},
};

bool
command_is(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (g_str_equal(commands[i].name, name))
            return true;
    }
    return false;
}

bool
command_takes_index(const char *name)
{
    return g_str_equal(name, "load") || g_str_equal(name, "export");
}

// What a command works on: of export, the database if there is one.
static Archive *
open_archive(const char *name, const CommandOptions *options, bool write,
             GError **error)
{
    if (options->index && g_str_equal(name, "export"))
        return postgres_open(options->index, true, error);
    return write ? archive_open_to_write(options->folder, NULL, error)
                 : archive_open_upgraded(options->folder, error);
}

int
command_run(const char *name, const CommandOptions *options)
{
    g_autoptr(GError) error = NULL;
    size_t i = 0;
    while (!g_str_equal(commands[i].name, name))
        i++;
    g_autoptr(Archive) archive =
        open_archive(name, options, commands[i].writes, &error);
    if (!archive || !commands[i].func(archive, options, &error))
        return command_fail(error);
    return 0;
}
