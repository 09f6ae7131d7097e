// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plan.c - see plan.h.

#include "plan.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../remote.h"
#include "core/pe.h"

#define HEADER "uri\tsize\tetag"
#define END "#end\t" // and the number of lines between

// The first of two is the longer one; sizes that are not known come last.
static int
compare_sources(gconstpointer a, gconstpointer b)
{
    const Source *x = *(Source *const *)a, *y = *(Source *const *)b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return strcmp(x->name, y->name);
}

// ---- Write ----------------------------------------------------------------

static void
look_at_source(gpointer data, gpointer user_data)
{
    Source *source = data;
    struct stat info;
    if (!source->is_local)
        remote_look(source->uri, &source->size, &source->etag);
    else if (stat(source->name, &info) == 0 && S_ISREG(info.st_mode))
        source->size = info.st_size;
}

static bool
check_uri(const Source *source, GError **error)
{
    if (!strpbrk(source->uri, "\t\r\n"))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: a URI with a tab or the end of a line in it is none; "
                "expected one URI a line and nothing else",
                source->name);
    return false;
}

// What would break a line is no ETag that a server may send.
static bool
is_etag(const char *text)
{
    return text && text[0] && !strpbrk(text, "\t\r\n");
}

bool
plan_print(GPtrArray *sources, int n_jobs, GError **error)
{
    for (guint i = 0; i < sources->len; i++) {
        if (!check_uri(sources->pdata[i], error))
            return false;
    }
    GThreadPool *pool =
        g_thread_pool_new(look_at_source, NULL, n_jobs, TRUE, NULL);
    for (guint i = 0; i < sources->len; i++)
        g_thread_pool_push(pool, sources->pdata[i], NULL);
    g_thread_pool_free(pool, FALSE, TRUE);
    g_ptr_array_sort(sources, compare_sources);
    puts(HEADER);
    for (guint i = 0; i < sources->len; i++) {
        const Source *source = sources->pdata[i];
        printf("%s\t", source->uri);
        if (source->size >= 0)
            printf("%" G_GINT64_FORMAT, source->size);
        printf("\t%s\n", is_etag(source->etag) ? source->etag : "");
    }
    printf(END "%u\n", sources->len);
    return true;
}

// ---- Read -----------------------------------------------------------------

static bool
fail_line(const char *path, guint number, const char *what, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s:%u: %s", path, number,
                what);
    return false;
}

static bool
read_size(const char *text, gint64 *size)
{
    char *end;
    *size = -1;
    if (!text || !text[0])
        return true;
    if (!g_ascii_isdigit(text[0]))
        return false;
    *size = g_ascii_strtoll(text, &end, 10);
    return !*end && *size < G_MAXINT64;
}

static bool
add_line(GPtrArray *sources, const char *path, guint number, char *line,
         GError **error)
{
    g_auto(GStrv) fields = g_strsplit(g_strchomp(line), "\t", -1);
    guint n = g_strv_length(fields);
    gint64 size;
    if (n == 0 || (n == 1 && !fields[0][0]))
        return true;
    if (!fields[0][0])
        return fail_line(path, number, "a size or ETag without a URI", error);
    if (n > 3)
        return fail_line(path, number,
                         "more than three fields; expected URI, size and ETag, "
                         "with tabs between them",
                         error);
    if (!read_size(n > 1 ? fields[1] : NULL, &size))
        return fail_line(path, number,
                         "the size is no number of bytes; expected URI, size "
                         "and ETag, with tabs between them",
                         error);
    Source *source = source_new(fields[0]);
    source->size = size;
    source->etag = n > 2 && fields[2][0] ? g_strdup(fields[2]) : NULL;
    g_ptr_array_add(sources, source);
    return true;
}

static bool
fail_plan(const char *path, const char *what, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: %s; make it again with pe-tag plan", path, what);
    return false;
}

// What a full disk or a lost connection leaves of a plan is none: what is
// missing would be missing in the archive, and nobody would know.
static bool
check_whole(const char *path, const char *text, gsize size, GError **error)
{
    if (memchr(text, '\0', size))
        return fail_plan(path, "has bytes of zero", error);
    if (size == 0)
        return fail_plan(path, "is empty", error);
    if (text[size - 1] != '\n')
        return fail_plan(path, "ends in the middle of a line", error);
    return true;
}

// A plan of pe-tag begins with a header and ends with the number of its lines;
// one of another maker may do without both.
static bool
add_lines(GPtrArray *sources, const char *path, char *text, GError **error)
{
    bool has_header = false, has_end = false;
    guint number = 0;
    for (char *line = text, *end; *line; line = end) {
        end = strchr(line, '\n');
        *end++ = '\0';
        number++;
        if (has_end)
            return fail_line(path, number, "a line behind the last", error);
        if (number == 1 && g_str_equal(line, HEADER)) {
            has_header = true;
        } else if (g_str_has_prefix(line, END)) {
            g_autofree char *expected = g_strdup_printf(END "%u", sources->len);
            has_end = g_str_equal(line, expected);
            if (!has_end)
                return fail_plan(path, "has lost some of its lines", error);
        } else if (!add_line(sources, path, number, line, error)) {
            return false;
        }
    }
    return has_end || !has_header ||
           fail_plan(path, "is cut: it has no last line", error);
}

// Source; NULL with the error.
static GPtrArray *
read_all(const char *path, char **checksum, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *text = NULL;
    gsize size;
    if (!g_file_get_contents(path, &text, &size, &cause)) {
        // One that is not there will not be there later either.
        bool never = g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT) ||
                     g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
        g_set_error(error, PE_ERROR, never ? PE_ERROR_FORMAT : PE_ERROR_FILE,
                    "%s", cause->message);
        return NULL;
    }
    g_autofree char *sum = g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, (const guchar *)text, size);
    GPtrArray *sources =
        g_ptr_array_new_with_free_func((GDestroyNotify)source_free);
    if (!check_whole(path, text, size, error) ||
        !add_lines(sources, path, text, error)) {
        g_ptr_array_unref(sources);
        return NULL;
    }
    *checksum = sum;
    sum = NULL;
    return sources_drop_repeated(sources);
}

// ---- Deal -----------------------------------------------------------------

typedef struct {
    double load; // bytes
    int shard;
} Hand;

static bool
is_before(const Hand *a, const Hand *b)
{
    return a->load < b->load || (a->load == b->load && a->shard < b->shard);
}

// Bring the first hand, whose load has grown, to its place in the heap.
static void
sink(Hand *hands, int n)
{
    for (int i = 0;;) {
        int least = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++) {
            if (is_before(&hands[child], &hands[least]))
                least = child;
        }
        if (least == i)
            return;
        Hand hand = hands[i];
        hands[i] = hands[least];
        hands[least] = hand;
        i = least;
    }
}

// What a source without a size probably has.
static double
guess_size(const GPtrArray *sources)
{
    double sum = 0;
    guint n = 0;
    for (guint i = 0; i < sources->len; i++) {
        const Source *source = sources->pdata[i];
        if (source->size >= 0) {
            sum += (double)source->size;
            n++;
        }
    }
    return n ? sum / n : 0;
}

// Those of a shard; the others go.
static GPtrArray *
deal(GPtrArray *sources, int shard, int n_shards)
{
    double guess = guess_size(sources);
    GPtrArray *kept =
        g_ptr_array_new_with_free_func((GDestroyNotify)source_free);
    g_autofree Hand *hands = g_new(Hand, (size_t)n_shards);
    for (int i = 0; i < n_shards; i++)
        hands[i] = (Hand){0, i};
    g_ptr_array_set_free_func(sources, NULL);
    for (guint i = 0; i < sources->len; i++) {
        Source *source = sources->pdata[i];
        // Empty ones are work, too.
        hands[0].load +=
            MAX(source->size >= 0 ? (double)source->size : guess, 1);
        if (hands[0].shard == shard)
            g_ptr_array_add(kept, source);
        else
            source_free(source);
        sink(hands, n_shards);
    }
    g_ptr_array_unref(sources);
    return kept;
}

GPtrArray *
plan_read(const char *path, int shard, int n_shards, char **checksum,
          GError **error)
{
    GPtrArray *sources = read_all(path, checksum, error);
    if (!sources)
        return NULL;
    g_ptr_array_sort(sources, compare_sources);
    return deal(sources, shard, n_shards);
}
