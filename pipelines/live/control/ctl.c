// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ctl.c - see ctl.h.

#include "ctl.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/live/control/control.h"
#include "pipelines/live/program.h"
#include "tools/program_output.h"

#define TIMEOUT 10 // s

static const char description[] =
    "Commands:\n"
    "  add NAME URI [KEY=VALUE...]     start a stream, with keys as in a\n"
    "                                  configuration file\n"
    "  remove NAME                     stop it and forget it\n"
    "  set-labels NAME TEXT            change its labels, such as "
    "\"open|shut\"\n"
    "  set-labels --all TEXT           of all streams, also later ones\n"
    "  search TEXT                     when streams looked like it in the\n"
    "                                  last hour, best first\n"
    "  list                            streams and their status\n"
    "  stats                           and what was counted\n"
    "\n"
    "The answer is a line of JSON.\n"
    "\n"
    "Exit status: 0 done, 1 refused or nobody answers, 2 wrong usage.";

static char *opt_control;
static gboolean opt_all;
static int opt_top;
static char *opt_stream;

static const GOptionEntry entries[] = {
    {"control", 0, 0, G_OPTION_ARG_FILENAME, &opt_control,
     "Socket of the program (default: $XDG_RUNTIME_DIR/pe-live.sock)", "PATH"},
    {"all", 0, 0, G_OPTION_ARG_NONE, &opt_all,
     "With set-labels: of all streams", NULL},
    {"top", 0, 0, G_OPTION_ARG_INT, &opt_top,
     "With search: how many moments (default 10)", "N"},
    {"stream", 0, 0, G_OPTION_ARG_STRING, &opt_stream,
     "With search: only of this stream", "NAME"},
    {NULL},
};

// ---- The request -----------------------------------------------------------

static bool
add_pair(JsonObject *request, const char *pair)
{
    const char *equal = strchr(pair, '=');
    if (!equal || equal == pair)
        return false;
    g_autofree char *key = g_strndup(pair, (gsize)(equal - pair));
    json_object_set_string_member(request, key, equal + 1);
    return true;
}

// false: the words are no command.
static bool
read_words(JsonObject *request, int n, char **words)
{
    const char *command = words[0];
    json_object_set_string_member(request, "command", command);
    if (g_str_equal(command, "add") && n >= 3) {
        json_object_set_string_member(request, "name", words[1]);
        json_object_set_string_member(request, "uri", words[2]);
        for (int i = 3; i < n; i++) {
            if (!add_pair(request, words[i]))
                return false;
        }
        return true;
    }
    if (g_str_equal(command, "remove") && n == 2) {
        json_object_set_string_member(request, "name", words[1]);
        return true;
    }
    if (g_str_equal(command, "set-labels") && n == (opt_all ? 2 : 3)) {
        if (opt_all)
            json_object_set_boolean_member(request, "all", TRUE);
        else
            json_object_set_string_member(request, "name", words[1]);
        json_object_set_string_member(request, "labels", words[n - 1]);
        return true;
    }
    if (g_str_equal(command, "search") && n == 2) {
        json_object_set_string_member(request, "text", words[1]);
        if (opt_top)
            json_object_set_int_member(request, "top", opt_top);
        if (opt_stream)
            json_object_set_string_member(request, "stream", opt_stream);
        return true;
    }
    return n == 1 &&
           (g_str_equal(command, "list") || g_str_equal(command, "stats"));
}

static char *
to_line(JsonObject *request)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    json_node_set_object(node, request);
    g_autofree char *text = json_to_string(node, FALSE);
    return g_strconcat(text, "\n", NULL);
}

// ---- The answer ------------------------------------------------------------

static char *
ask(const char *path, const char *line, GError **error)
{
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_socket_client_set_timeout(client, TIMEOUT);
    g_autoptr(GSocketConnection) connection = g_socket_client_connect(
        client, G_SOCKET_CONNECTABLE(address), NULL, error);
    if (!connection ||
        !g_output_stream_write_all(
            g_io_stream_get_output_stream(G_IO_STREAM(connection)), line,
            strlen(line), NULL, NULL, error))
        return NULL;
    g_autoptr(GDataInputStream) input = g_data_input_stream_new(
        g_io_stream_get_input_stream(G_IO_STREAM(connection)));
    char *answer = g_data_input_stream_read_line(input, NULL, NULL, error);
    if (!answer && !*error)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_CLOSED,
                    "the program ended without an answer");
    return answer;
}

static int
show(const char *answer)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonNode *root = NULL;
    if (json_parser_load_from_data(parser, answer, -1, NULL))
        root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return program_fail("the answer cannot be read");
    JsonObject *object = json_node_get_object(root);
    if (!json_object_get_boolean_member_with_default(object, "ok", FALSE))
        return program_fail(json_object_get_string_member_with_default(
            object, "error", "refused without a reason"));
    printf("%s\n", answer);
    return 0;
}

int
ctl_main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context =
        g_option_context_new("COMMAND - tell a running pe-live what to do");
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_description(context, description);
    if (!program_output_parse(context, "ctl", &argc, &argv, &error))
        return program_fail_usage("ctl", error->message);
    g_autoptr(JsonObject) request = json_object_new();
    if (argc < 2 || !read_words(request, argc - 1, argv + 1))
        return program_fail_usage("ctl", "expected a command and what belongs "
                                         "to it");
    for (int i = 1; i < argc; i++) {
        if (!g_utf8_validate(argv[i], -1, NULL))
            return program_fail_usage("ctl", "an argument is not UTF-8");
    }
    g_autofree char *path =
        opt_control ? g_strdup(opt_control) : control_default_path();
    if (!path)
        return program_fail_usage("ctl", "$XDG_RUNTIME_DIR is not set: give "
                                         "--control PATH");
    g_autofree char *line = to_line(request);
    g_autofree char *answer = ask(path, line, &error);
    if (!answer) {
        g_prefix_error(&error, "%s: ", path);
        return program_fail(error->message);
    }
    return show(answer);
}
