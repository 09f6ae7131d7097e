// SPDX-License-Identifier: LGPL-2.1-or-later
//
// config.c - see config.h.

#include "config.h"

#include <string.h>

#include "core/pe.h"

#define MAX_NAME 64
#define MAX_FILE_SIZE ((size_t)64 << 20)

void
live_config_init(LiveConfig *config)
{
    SupervisorLimits limits = SUPERVISOR_LIMITS;
    *config = (LiveConfig){.usual = g_new0(StreamConfig, 1)};
    config->usual->limits = limits;
    config->usual->transport = g_strdup("tcp");
    config->usual->settings =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void
live_config_clear(LiveConfig *config)
{
    g_free(config->model);
    g_free(config->vocab);
    g_free(config->device);
    g_free(config->precision);
    stream_config_free(config->usual);
}

StreamConfig *
stream_config_new(const LiveConfig *config, Address *address)
{
    StreamConfig *stream = g_new0(StreamConfig, 1);
    const StreamConfig *usual = config->usual;
    stream->address = address;
    stream->transport = g_strdup(usual->transport);
    stream->limits = usual->limits;
    stream->loop = usual->loop;
    stream->settings =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, usual->settings);
    while (g_hash_table_iter_next(&iter, &key, &value))
        g_hash_table_insert(stream->settings, g_strdup(key), g_strdup(value));
    return stream;
}

void
stream_config_free(StreamConfig *config)
{
    g_free(config->name);
    if (config->address)
        address_free(config->address);
    g_free(config->transport);
    g_hash_table_unref(config->settings);
    g_free(config);
}

bool
check_stream_name(const char *name, GError **error)
{
    const char *wrong = NULL;
    if (!*name)
        wrong = "is empty";
    else if (!g_utf8_validate(name, -1, NULL))
        wrong = "is not UTF-8";
    else if (strlen(name) > MAX_NAME)
        wrong = "is longer than 64 bytes";
    for (const char *p = name; !wrong && *p; p = g_utf8_next_char(p)) {
        if (!g_unichar_isprint(g_utf8_get_char(p)))
            wrong = "has a character that cannot be printed";
    }
    if (!wrong)
        return true;
    g_autofree char *shown = g_utf8_make_valid(name, -1);
    g_autofree char *escaped = g_strescape(shown, NULL);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "a stream's name %s: \"%.80s\"", wrong, escaped);
    return false;
}

// ---- Keys ------------------------------------------------------------------

static bool
read_seconds(const char *key, const char *value, gint64 *out, GError **error)
{
    char *end;
    double seconds = g_ascii_strtod(value, &end);
    if (end != value && !*end && seconds >= 0.1 && seconds <= 3600) {
        *out = (gint64)(seconds * G_USEC_PER_SEC);
        return true;
    }
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "\"%s\" must be seconds, from 0.1 to 3600, not \"%s\"", key,
                value);
    return false;
}

static bool
read_bool(const char *key, const char *value, bool *out, GError **error)
{
    *out = g_str_equal(value, "true");
    if (*out || g_str_equal(value, "false"))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "\"%s\" must be true or false, not \"%s\"", key, value);
    return false;
}

static bool
read_transport(StreamConfig *config, const char *value, GError **error)
{
    static const char *const transports[] = {"tcp", "udp", "auto", NULL};
    if (!g_strv_contains(transports, value)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "\"transport\" must be tcp, udp or auto, not \"%s\"",
                    value);
        return false;
    }
    g_free(config->transport);
    config->transport = g_strdup(value);
    return true;
}

bool
stream_config_set(StreamConfig *config, const char *key, const char *value,
                  GError **error)
{
    if (g_str_equal(key, "transport"))
        return read_transport(config, value, error);
    if (g_str_equal(key, "watchdog"))
        return read_seconds(key, value, &config->limits.watchdog, error);
    if (g_str_equal(key, "connect-timeout"))
        return read_seconds(key, value, &config->limits.connect, error);
    if (g_str_equal(key, "loop"))
        return read_bool(key, value, &config->loop, error);
    if (!settings_check(key, value, error))
        return false;
    if (g_str_equal(key, "event-state") && !config->address) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "\"event-state\" is a file of one stream, and cannot be "
                    "set for all of them");
        return false;
    }
    // Whichever of the two was said last counts.
    static const char *const pairs[][2] = {{"labels", "labels-file"},
                                           {"labels-file", "labels"},
                                           {"regions", "regions-file"},
                                           {"regions-file", "regions"}};
    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        if (g_str_equal(key, pairs[i][0]))
            g_hash_table_remove(config->settings, pairs[i][1]);
    }
    g_hash_table_insert(config->settings, g_strdup(key), g_strdup(value));
    return true;
}

// ---- JSON ------------------------------------------------------------------

// A member as the text that a property takes; an object or a list is JSON, as
// that of a labels file. Returns, g_free().
static char *
member_to_text(JsonNode *node)
{
    if (JSON_NODE_HOLDS_VALUE(node) &&
        json_node_get_value_type(node) == G_TYPE_STRING)
        return json_node_dup_string(node);
    return json_to_string(node, FALSE);
}

static const char *
get_text(JsonObject *object, const char *key, GError **error)
{
    JsonNode *node = json_object_get_member(object, key);
    if (!node)
        return NULL;
    if (JSON_NODE_HOLDS_VALUE(node) &&
        json_node_get_value_type(node) == G_TYPE_STRING)
        return json_node_get_string(node);
    if (!*error)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "\"%s\" must be a text",
                    key);
    return NULL;
}

static bool
read_members(StreamConfig *config, JsonObject *object,
             const char *const *skipped, GError **error)
{
    g_autoptr(GList) keys = json_object_get_members(object);
    for (GList *key = keys; key; key = key->next) {
        if (g_strv_contains(skipped, key->data))
            continue;
        g_autofree char *value =
            member_to_text(json_object_get_member(object, key->data));
        if (!stream_config_set(config, key->data, value, error))
            return false;
    }
    return true;
}

StreamConfig *
stream_config_read(const LiveConfig *config, JsonObject *object, char **name,
                   GError **error)
{
    static const char *const special[] = {"name",     "uri",     "user",
                                          "password", "command", NULL};
    GError *wrong = NULL;
    const char *given = get_text(object, "name", &wrong);
    const char *uri = get_text(object, "uri", &wrong);
    const char *user = get_text(object, "user", &wrong);
    const char *password = get_text(object, "password", &wrong);
    *name = given && check_stream_name(given, &wrong) ? g_strdup(given) : NULL;
    if (!wrong && !uri)
        g_set_error(&wrong, PE_ERROR, PE_ERROR_FORMAT, "\"uri\" is missing");
    Address *address = wrong ? NULL : address_parse(uri, &wrong);
    if (!address) {
        g_propagate_error(error, wrong);
        return NULL;
    }
    if (user || password)
        address_set_login(address, user, password);
    g_autoptr(StreamConfig) stream = stream_config_new(config, address);
    stream->name = g_strdup(*name ? *name : address->name);
    if (!*name)
        *name = g_strdup(address->name);
    if (!read_members(stream, object, special, error))
        return NULL;
    return g_steal_pointer(&stream);
}

static void
read_stream(const LiveConfig *config, JsonNode *node, guint index,
            ConfigFunc func, void *user_data)
{
    g_autofree char *name = NULL;
    g_autoptr(GError) error = NULL;
    StreamConfig *stream = NULL;
    if (JSON_NODE_HOLDS_OBJECT(node))
        stream = stream_config_read(config, json_node_get_object(node), &name,
                                    &error);
    else
        g_set_error(&error, PE_ERROR, PE_ERROR_FORMAT,
                    "a stream must be an object");
    if (!name)
        name = g_strdup_printf("stream %u", index + 1);
    func(stream, name, error, user_data);
}

static bool
read_common(LiveConfig *config, JsonObject *object, GError **error)
{
    static const char *const special[] = {"streams", "model",     "vocab",
                                          "device",  "precision", NULL};
    struct {
        const char *key;
        char **value;
    } const texts[] = {
        {"model", &config->model},
        {"vocab", &config->vocab},
        {"device", &config->device},
        {"precision", &config->precision},
    };
    GError *wrong = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        const char *text = get_text(object, texts[i].key, &wrong);
        // The command line counts more than the file.
        if (text && !*texts[i].value)
            *texts[i].value = g_strdup(text);
    }
    if (wrong) {
        g_propagate_error(error, wrong);
        return false;
    }
    return read_members(config->usual, object, special, error);
}

bool
live_config_load(LiveConfig *config, const char *path, ConfigFunc func,
                 void *user_data, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    size_t size;
    g_autofree char *text = pe_read_file(path, MAX_FILE_SIZE, &size, error);
    if (!text)
        return false;
    if (!json_parser_load_from_data(parser, text, (gssize)size, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: expected an object with a list of \"streams\"", path);
        return false;
    }
    JsonObject *object = json_node_get_object(root);
    if (!read_common(config, object, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    JsonNode *list = json_object_get_member(object, "streams");
    if (!list || !JSON_NODE_HOLDS_ARRAY(list)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: \"streams\" must be a list", path);
        return false;
    }
    JsonArray *streams = json_node_get_array(list);
    for (guint i = 0; i < json_array_get_length(streams); i++)
        read_stream(config, json_array_get_element(streams, i), i, func,
                    user_data);
    return true;
}
