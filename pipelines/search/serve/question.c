// SPDX-License-Identifier: LGPL-2.1-or-later
//
// question.c - see question.h. docs/archive.md has the parameters.

#include "question.h"

#include <stdlib.h>
#include <string.h>

#include "pipelines/search/output.h"
#include "tools/json_line.h"

enum {
    MAX_LENGTH = 8192, // bytes of the query of the URI
    MAX_TEXT = 500,    // bytes of a text
    MAX_PARTS = 16,
    TOP = 24,
    MAX_TOP = 100,
};

typedef struct {
    Query *query;
    SelectionParams where;
    MomentParams params;
    GPtrArray *folders; // char *
    char *camera, *words;
} Question;

static void
question_clear(Question *question)
{
    query_free(question->query);
    g_ptr_array_unref(question->folders);
    g_free(question->camera);
    g_free(question->words);
}

// ---- Parameters ------------------------------------------------------------

static bool
fail(GError **error, const char *name, const char *expected)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: %s", name, expected);
    return false;
}

static bool
read_int(const char *name, const char *value, int max, int *out, GError **error)
{
    guint64 number;
    if (!g_ascii_string_to_unsigned(value, 10, 1, (guint64)max, &number,
                                    error)) {
        g_prefix_error(error, "%s: ", name);
        return false;
    }
    *out = (int)number;
    return true;
}

static bool
add_part(Question *question, const char *name, const char *value,
         GError **error)
{
    guint64 row;
    bool is_row = g_str_equal(name, "like");
    if (is_row &&
        !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &row, NULL))
        return fail(error, name, "must be the row of a moment");
    if (strlen(value) > MAX_TEXT)
        return fail(error, name, "the text is too long");
    if (question->query->parts->len >= MAX_PARTS)
        return fail(error, name, "the query has too many parts");
    return query_add(question->query, is_row ? PART_ROW : PART_TEXT,
                     g_str_equal(name, "not"), value, error);
}

static bool
set_words(Question *question, const char *value, GError **error)
{
    if (strlen(value) > MAX_TEXT)
        return fail(error, "words", "the text is too long");
    g_free(question->words);
    question->words = g_strdup(value);
    return true;
}

static bool
add_parameter(Question *question, const char *name, const char *value,
              GError **error)
{
    static const char *const parts[] = {"text", "and", "not", "like", NULL};
    SelectionParams *where = &question->where;
    if (!*value)
        return true; // a field of the form that was left empty
    if (g_strv_contains(parts, name))
        return add_part(question, name, value, error);
    if (g_str_equal(name, "in")) {
        g_ptr_array_add(question->folders, g_strdup(value));
        return true;
    }
    if (g_str_equal(name, "camera")) {
        g_free(question->camera);
        question->camera = g_strdup(value);
        return true;
    }
    if (g_str_equal(name, "words"))
        return set_words(question, value, error);
    if (g_str_equal(name, "since"))
        return selection_parse_time(value, &where->since, error);
    if (g_str_equal(name, "until"))
        return selection_parse_time(value, &where->until, error);
    if (g_str_equal(name, "time-of-day"))
        return selection_parse_day(value, &where->day_from, &where->day_to,
                                   error);
    if (g_str_equal(name, "top"))
        return read_int(name, value, MAX_TOP, &question->params.top, error);
    if (g_str_equal(name, "per-file"))
        return read_int(name, value, MAX_TOP, &question->params.per_file,
                        error);
    return fail(error, name, "there is no such parameter");
}

static bool
check_parts(const Query *query, GError **error)
{
    for (guint i = 0; i < query->parts->len; i++) {
        if (!g_array_index(query->parts, QueryPart, i).is_unwanted)
            return true;
    }
    return fail(error, "text", "nothing to look for");
}

static bool
read_question(Question *question, const char *text, GError **error)
{
    GUriParamsIter iter;
    char *name, *value;
    GError *e = NULL;
    if (strlen(text) > MAX_LENGTH)
        return fail(error, "the query", "is too long");
    g_uri_params_iter_init(&iter, text, -1, "&", G_URI_PARAMS_WWW_FORM);
    while (!e && g_uri_params_iter_next(&iter, &name, &value, &e)) {
        add_parameter(question, name, value, &e);
        g_free(name);
        g_free(value);
    }
    if (e) {
        g_propagate_error(error, e);
        return false;
    }
    question->where.camera = question->camera;
    question->where.words = question->words;
    if (question->folders->len) {
        g_ptr_array_add(question->folders, NULL);
        question->where.folders = (char **)question->folders->pdata;
    }
    return check_parts(question->query, error);
}

// ---- Answers ---------------------------------------------------------------

// Whose fault it is: a query's, the moment's, or the archive's for good.
static guint
find_status(const GError *error, bool is_read)
{
    if (!is_read || g_error_matches(error, PE_ERROR, PE_ERROR_FORMAT))
        return SOUP_STATUS_BAD_REQUEST;
    return archive_may_pass(error) ? SOUP_STATUS_SERVICE_UNAVAILABLE
                                   : SOUP_STATUS_INTERNAL_SERVER_ERROR;
}

static Answer *
tell_error(const GError *error, bool is_read)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_bool(&j, "ok", FALSE);
    json_line_string(&j, "error", error->message);
    return answer_new_json(find_status(error, is_read), json_line_steal(&j));
}

static Answer *
tell_found(const Found *found, const Query *query)
{
    JsonLine j;
    g_autoptr(GString) list = g_string_new("[");
    for (guint i = 0; i < found->moments->len; i++) {
        g_autofree char *moment =
            output_describe(found->moments->pdata[i], query, i + 1);
        g_string_append_printf(list, "%s%s", i ? ",\n" : "", moment);
    }
    g_string_append_c(list, ']');
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-archive-1");
    json_line_string(&j, "type", "answer");
    json_line_bool(&j, "ok", TRUE);
    json_line_int(&j, "left-out", found->n_timeless);
    json_line_json(&j, "moments", list->str);
    return answer_new_json(SOUP_STATUS_OK, json_line_steal(&j));
}

Answer *
question_answer(void *data, void *asked)
{
    QuestionState *state = data;
    g_autoptr(GError) error = NULL;
    Question question = {
        .query = query_new(),
        .where = {.since = -1, .until = -1, .day_from = -1, .day_to = -1},
        .params = {.top = TOP, .with_lines = true},
        .folders = g_ptr_array_new_with_free_func(g_free),
    };
    bool is_read = read_question(&question, asked, &error);
    Archive *archive =
        is_read ? archive_handle_get(state->handle, &error) : NULL;
    g_autoptr(Found) found =
        archive ? searcher_find(&state->searcher, archive, question.query,
                                &question.where, &question.params, &error)
                : NULL;
    Answer *answer =
        found ? tell_found(found, question.query) : tell_error(error, is_read);
    question_clear(&question);
    return answer;
}
