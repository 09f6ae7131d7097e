// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_state.c - the history of a camera's events as a file, so that a budget
// of alarms is kept from the first hour after a restart. A line
//
//     pe-event-history 1 SHA-256
//
// has the checksum of all that follows, which is JSON:
//
//     {"identity": ..., "seconds": ..., "rules": {...},
//      "labels": [{"name": ..., "frames": COUNTS, "events": COUNTS}, ...]}
//
// COUNTS are [first, count, count ...]: the index of the first bin that is not
// empty, and from there to the last such bin what each has.

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/base/failure.h"
#include "core/base/json.h"
#include "core/base/read_file.h"
#include "events_private.h"

#define MAGIC "pe-event-history 1 "
#define MAX_FILE_SIZE ((size_t)256 << 20)

// ---- Rules ----------------------------------------------------------------

static void
put_rules(JsonObject *object, const PeEvents *events)
{
    const PeEventRules *r = &events->rules;

    json_object_set_double_member(object, "band", r->band);
    json_object_set_int_member(object, "smoothing",
                               (gint64)events->params.smoothing);
    json_object_set_int_member(object, "min-duration", (gint64)r->min_duration);
    json_object_set_int_member(object, "merge-gap", (gint64)r->merge_gap);
    json_object_set_int_member(object, "cooldown", (gint64)r->cooldown);
}

static char *
write_json(JsonObject *object)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

    json_node_set_object(node, object);
    return json_to_string(node, FALSE);
}

// ---- Write ----------------------------------------------------------------

static JsonArray *
make_counts(const double *counts, int n)
{
    JsonArray *array = json_array_new();
    int first = 0;

    while (n > 0 && counts[n - 1] == 0)
        n--;
    while (first < n && counts[first] == 0)
        first++;
    json_array_add_int_element(array, first);
    for (int i = first; i < n; i++)
        json_array_add_double_element(array, counts[i]);
    return array;
}

static JsonObject *
make_label(const PeEventLabel *label, const PeLabelHistory *history)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "name", label->name);
    json_object_set_array_member(
        object, "frames", make_counts(history->frames, PE_HISTORY_N_BINS));
    json_object_set_array_member(
        object, "events", make_counts(history->events, PE_HISTORY_N_LEVELS));
    return object;
}

char *
pe_events_dump_history(const PeEvents *events, const char *identity)
{
    if (!events->has_history)
        return NULL;
    g_autoptr(JsonObject) object = json_object_new();
    JsonObject *rules = json_object_new();
    JsonArray *labels = json_array_new();

    put_rules(rules, events);
    for (int k = 0; k < events->n_labels; k++)
        json_array_add_object_element(
            labels, make_label(&events->labels[k], &events->history.labels[k]));
    json_object_set_string_member(object, "identity", identity);
    json_object_set_double_member(object, "seconds", events->history.seconds);
    json_object_set_object_member(object, "rules", rules);
    json_object_set_array_member(object, "labels", labels);
    g_autofree char *json = write_json(object);
    g_autofree char *sum =
        g_compute_checksum_for_string(G_CHECKSUM_SHA256, json, -1);
    return g_strconcat(MAGIC, sum, "\n", json, NULL);
}

bool
pe_events_save_history(const char *path, const char *dump, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (g_file_set_contents_full(path, dump, -1,
                                 G_FILE_SET_CONTENTS_CONSISTENT |
                                     G_FILE_SET_CONTENTS_DURABLE,
                                 0644, &cause))
        return true;
    return pe_fail(error, PE_ERROR_FILE, path, "cannot be written: %s",
                   cause->message);
}

// ---- Read -----------------------------------------------------------------

// Every member is of the type that write_json() gave it, or is missing.
static double
get_number(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_double(node)
                                               : NAN;
}

static const char *
get_string(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);
    const char *text = node ? pe_json_get_string(node) : NULL;

    return text ? text : "";
}

static JsonArray *
get_array(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node)
                                               : NULL;
}

static bool
read_counts(JsonArray *array, double *counts, int n)
{
    if (!array || json_array_get_length(array) < 1)
        return false;
    double first = get_number(json_array_get_element(array, 0));
    guint length = json_array_get_length(array) - 1;

    if (!(first >= 0 && first <= n) || length > (guint)(n - (int)first))
        return false;
    for (guint i = 0; i < length; i++) {
        double count = get_number(json_array_get_element(array, i + 1));
        if (!(count >= 0 && isfinite(count)))
            return false;
        counts[(int)first + (int)i] = count;
    }
    return true;
}

// The first label of this name that is not `taken`, or -1.
static int
find_label(const PeEvents *events, const char *name, const bool *taken)
{
    for (int k = 0; k < events->n_labels; k++) {
        if (!taken[k] && strcmp(events->labels[k].name, name) == 0)
            return k;
    }
    return -1;
}

static bool
read_labels(const PeEvents *events, JsonArray *array, PeEventHistory *history)
{
    g_autofree bool *taken = g_new0(bool, events->n_labels);

    if (!array || json_array_get_length(array) != (guint)events->n_labels)
        return false;
    for (guint i = 0; i < json_array_get_length(array); i++) {
        JsonNode *node = json_array_get_element(array, i);
        if (!JSON_NODE_HOLDS_OBJECT(node))
            return false;
        JsonObject *object = json_node_get_object(node);
        int k = find_label(events, get_string(object, "name"), taken);
        if (k < 0)
            return false;
        taken[k] = true;
        PeLabelHistory *label = &history->labels[k];
        if (!read_counts(get_array(object, "frames"), label->frames,
                         PE_HISTORY_N_BINS) ||
            !read_counts(get_array(object, "events"), label->events,
                         PE_HISTORY_N_LEVELS))
            return false;
    }
    return true;
}

// Compared as text: a number may be written in one way only.
static bool
has_same_rules(const PeEvents *events, JsonObject *object)
{
    JsonNode *node = json_object_get_member(object, "rules");
    g_autoptr(JsonObject) expected = json_object_new();

    if (!node || !JSON_NODE_HOLDS_OBJECT(node))
        return false;
    put_rules(expected, events);
    g_autofree char *a = write_json(expected);
    g_autofree char *b = json_to_string(node, FALSE);
    return strcmp(a, b) == 0;
}

// The JSON behind the first line, or NULL when that has another checksum.
static const char *
find_json(const char *text, size_t size)
{
    size_t head = strlen(MAGIC) + 64 + 1;

    if (size < head || strncmp(text, MAGIC, strlen(MAGIC)) != 0 ||
        text[head - 1] != '\n')
        return NULL;
    g_autofree char *sum = g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, (const guchar *)text + head, size - head);
    return strncmp(text + strlen(MAGIC), sum, 64) == 0 ? text + head : NULL;
}

static bool
read_history(const PeEvents *events, JsonObject *object, const char *path,
             const char *identity, PeEventHistory *history, GError **error)
{
    const char *found = get_string(object, "identity");

    if (strcmp(found, identity) != 0) {
        g_autofree char *quoted = pe_quote(found);
        return pe_fail(error, PE_ERROR_SHAPE, path,
                       "the history of events of another model or label set "
                       "(%s, here it is \"%s\"); name another file, or delete "
                       "this one",
                       quoted, identity);
    }
    if (!has_same_rules(events, object))
        return pe_fail(error, PE_ERROR_SHAPE, path,
                       "the history of events by other rules: thresholds, "
                       "smoothing, min-duration, merge-gap or cooldown have "
                       "changed; set what they were, name another file, or "
                       "delete this one");
    history->seconds = get_number(json_object_get_member(object, "seconds"));
    if (!(history->seconds >= 0 && isfinite(history->seconds)) ||
        !read_labels(events, get_array(object, "labels"), history))
        return pe_fail(error, PE_ERROR_FORMAT, path,
                       "a history of events that this version cannot read; "
                       "name another file, or delete this one");
    return true;
}

bool
pe_events_load_history(PeEvents *events, const char *path, const char *identity,
                       GError **error)
{
    g_return_val_if_fail(events && path && identity, false);
    size_t size;

    if (!events->has_history || (access(path, F_OK) != 0 && errno == ENOENT))
        return true;
    g_autofree char *text = pe_read_file(path, MAX_FILE_SIZE, &size, error);
    if (!text)
        return false;
    const char *json = find_json(text, size);
    if (!json)
        return pe_fail(error, PE_ERROR_FORMAT, path,
                       "not a whole history of events: its first line does "
                       "not have the checksum of the rest; name another file, "
                       "or delete this one");
    g_autoptr(JsonNode) root =
        pe_json_parse_object(json, size - (size_t)(json - text), path, error);
    if (!root)
        return false;
    PeEventHistory history;
    pe_event_history_init(&history, &events->rules, events->n_labels);
    bool ok = read_history(events, json_node_get_object(root), path, identity,
                           &history, error);
    PeEventHistory *unwanted = ok ? &events->history : &history;
    pe_event_history_clear(unwanted);
    if (ok)
        events->history = history;
    return ok;
}
