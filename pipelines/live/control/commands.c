// SPDX-License-Identifier: LGPL-2.1-or-later
//
// commands.c - see commands.h.

#include "commands.h"

#include "core/pe.h"
#include "pipelines/live/report/describe.h"

// Adds members to the answer, or sets `error`.
typedef bool (*CommandFunc)(Streams *streams, JsonObject *request,
                            JsonBuilder *answer, GError **error);

static const char *
get_text(JsonObject *request, const char *key, GError **error)
{
    JsonNode *node = json_object_get_member(request, key);
    if (node && JSON_NODE_HOLDS_VALUE(node) &&
        json_node_get_value_type(node) == G_TYPE_STRING)
        return json_node_get_string(node);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "\"%s\" is missing or no text", key);
    return NULL;
}

// Only these keys; a typo must not be a command that does something else.
static bool
check_keys(JsonObject *request, const char *const *keys, GError **error)
{
    g_autoptr(GList) members = json_object_get_members(request);
    for (GList *member = members; member; member = member->next) {
        if (g_str_equal(member->data, "command") ||
            g_strv_contains(keys, member->data))
            continue;
        g_autofree char *escaped = g_strescape(member->data, NULL);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "unknown key \"%.60s\"",
                    escaped);
        return false;
    }
    return true;
}

static bool
add(Streams *streams, JsonObject *request, JsonBuilder *answer, GError **error)
{
    g_autofree char *name = NULL;
    StreamConfig *config =
        stream_config_read(streams->common, request, &name, error);
    if (!config)
        return false;
    Stream *stream = streams_add(
        streams, config, json_object_has_member(request, "name"), error);
    if (stream)
        describe_text(answer, "name", stream->name);
    return stream != NULL;
}

static bool
remove_stream(Streams *streams, JsonObject *request, JsonBuilder *answer,
              GError **error)
{
    static const char *const keys[] = {"name", NULL};
    if (!check_keys(request, keys, error))
        return false;
    const char *name = get_text(request, "name", error);
    Stream *stream = name ? streams_find(streams, name, error) : NULL;
    if (stream)
        streams_remove(streams, stream, false);
    return stream != NULL;
}

static bool
set_labels_of_one(Stream *stream, const char *labels, GError **error)
{
    if (!stream->config) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "the stream \"%s\" was never started: %s", stream->name,
                    stream->detail);
        return false;
    }
    stream_set_labels(stream, labels);
    return true;
}

static bool
set_labels(Streams *streams, JsonObject *request, JsonBuilder *answer,
           GError **error)
{
    static const char *const keys[] = {"name", "all", "labels", NULL};
    if (!check_keys(request, keys, error))
        return false;
    const char *labels = get_text(request, "labels", error);
    if (!labels || !settings_check("labels", labels, error))
        return false;
    if (!json_object_get_boolean_member_with_default(request, "all", FALSE)) {
        const char *name = get_text(request, "name", error);
        Stream *stream = name ? streams_find(streams, name, error) : NULL;
        return stream && set_labels_of_one(stream, labels, error);
    }
    for (guint i = 0; i < streams->list->len; i++)
        set_labels_of_one(streams->list->pdata[i], labels, NULL);
    // Streams that are added later begin with them, too.
    return stream_config_set(streams->common->usual, "labels", labels, error);
}

static void
describe_each(const Streams *streams, JsonBuilder *answer,
              void (*describe)(JsonBuilder *, const Stream *))
{
    json_builder_set_member_name(answer, "streams");
    json_builder_begin_array(answer);
    for (guint i = 0; i < streams->list->len; i++) {
        json_builder_begin_object(answer);
        describe(answer, streams->list->pdata[i]);
        json_builder_end_object(answer);
    }
    json_builder_end_array(answer);
}

static bool
list(Streams *streams, JsonObject *request, JsonBuilder *answer, GError **error)
{
    static const char *const keys[] = {NULL};
    if (!check_keys(request, keys, error))
        return false;
    describe_each(streams, answer, describe_status);
    return true;
}

static bool
stats(Streams *streams, JsonObject *request, JsonBuilder *answer,
      GError **error)
{
    static const char *const keys[] = {NULL};
    if (!check_keys(request, keys, error))
        return false;
    describe_each(streams, answer, describe_stats);
    describe_totals(answer, streams);
    return true;
}

static const struct {
    const char *name;
    CommandFunc func;
} commands[] = {
    {"add", add},   {"remove", remove_stream}, {"set-labels", set_labels},
    {"list", list}, {"stats", stats},
};

static bool
run(Streams *streams, const char *name, JsonObject *request,
    JsonBuilder *answer, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (g_str_equal(commands[i].name, name))
            return commands[i].func(streams, request, answer, error);
    }
    g_autofree char *escaped = g_strescape(name, NULL);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "there is no command \"%.40s\"; there are add, remove, "
                "set-labels, search, stats and list",
                escaped);
    return false;
}

static char *
make_error(const char *message)
{
    g_autofree char *text = address_redact(NULL, message);
    JsonBuilder *answer = describe_begin("answer");
    json_builder_set_member_name(answer, "ok");
    json_builder_add_boolean_value(answer, FALSE);
    describe_text(answer, "error", text);
    return describe_end(answer);
}

// ---- Search ----------------------------------------------------------------

#define DEFAULT_TOP 10
#define MAX_TOP 100

typedef struct {
    CommandDone done;
    void *user_data;
} Asker;

static void
describe_found(JsonBuilder *answer, const FoundMoment *found)
{
    json_builder_begin_object(answer);
    describe_text(answer, "stream", found->stream);
    describe_wall_time(answer, "start", found->start);
    describe_wall_time(answer, "end", found->end);
    json_builder_set_member_name(answer, "similarity");
    json_builder_add_double_value(answer, (double)found->similarity);
    describe_int(answer, "moment", (gint64)found->number);
    json_builder_set_member_name(answer, "picture");
    json_builder_add_boolean_value(answer, found->has_picture);
    json_builder_end_object(answer);
}

static JsonBuilder *
begin_answer(void)
{
    JsonBuilder *answer = describe_begin("answer");
    json_builder_set_member_name(answer, "ok");
    json_builder_add_boolean_value(answer, TRUE);
    return answer;
}

static void
on_found(GArray *found, const GError *error, void *data)
{
    Asker *asker = data;
    char *text;
    if (found) {
        JsonBuilder *answer = begin_answer();
        json_builder_set_member_name(answer, "hits");
        json_builder_begin_array(answer);
        for (guint i = 0; i < found->len; i++)
            describe_found(answer, &g_array_index(found, FoundMoment, i));
        json_builder_end_array(answer);
        text = describe_end(answer);
    } else {
        text = make_error(error->message);
    }
    asker->done(text, asker->user_data);
    g_free(asker);
}

void
commands_search(const Commands *c, const char *text, const char *stream,
                int top, CommandDone done, void *user_data)
{
    g_autoptr(GError) error = NULL;
    if (top < 1 || top > MAX_TOP)
        g_set_error(&error, PE_ERROR, PE_ERROR_FORMAT,
                    "\"top\" must be from 1 to %d", MAX_TOP);
    else if (!*text || !g_utf8_validate(text, -1, NULL))
        g_set_error(&error, PE_ERROR, PE_ERROR_FORMAT,
                    "\"text\" must say what to look for, in UTF-8");
    if (error) {
        done(make_error(error->message), user_data);
        return;
    }
    Asker *asker = g_new(Asker, 1);
    *asker = (Asker){done, user_data};
    search_start(c->search, text, stream, top, on_found, asker);
}

// A stream that is gone may still be found.
static bool
search(const Commands *c, JsonObject *request, CommandDone done,
       void *user_data, GError **error)
{
    static const char *const keys[] = {"text", "stream", "top", NULL};
    if (!check_keys(request, keys, error))
        return false;
    const char *text = get_text(request, "text", error);
    const char *stream = NULL;
    if (!text || (json_object_has_member(request, "stream") &&
                  !(stream = get_text(request, "stream", error))))
        return false;
    gint64 top =
        json_object_get_int_member_with_default(request, "top", DEFAULT_TOP);
    commands_search(c, text, stream, (int)CLAMP(top, 0, MAX_TOP + 1), done,
                    user_data);
    return true;
}

// ---- Requests --------------------------------------------------------------

static void
answer_object(const Commands *c, JsonObject *request, CommandDone done,
              void *user_data)
{
    g_autoptr(GError) error = NULL;
    const char *name = get_text(request, "command", &error);
    if (!name) {
        done(make_error(error->message), user_data);
        return;
    }
    if (g_str_equal(name, "search")) {
        if (!search(c, request, done, user_data, &error))
            done(make_error(error->message), user_data);
        return;
    }
    JsonBuilder *answer = begin_answer();
    if (run(c->streams, name, request, answer, &error)) {
        done(describe_end(answer), user_data);
        return;
    }
    g_object_unref(answer);
    done(make_error(error->message), user_data);
}

void
commands_answer(const Commands *c, const char *request, CommandDone done,
                void *user_data)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    // What the parser says would repeat the request.
    if (g_utf8_validate(request, -1, NULL) &&
        json_parser_load_from_data(parser, request, -1, NULL) &&
        json_parser_get_root(parser) &&
        JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
        answer_object(c, json_node_get_object(json_parser_get_root(parser)),
                      done, user_data);
    else
        done(make_error("a request is one JSON object on one line, such as "
                        "{\"command\":\"list\"}"),
             user_data);
}
