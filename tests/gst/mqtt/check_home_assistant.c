// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_home_assistant.c - from records to what Home Assistant is told.

#include "gst/mqtt/gstpehomeassistant.h"

#include <json-glib/json-glib.h>
#include <string.h>

// What was told: the newest states, and all of it as lines.
typedef struct {
    GHashTable *states;
    GString *lines; // "state TOPIC\n", "event PAYLOAD\n", "warn MESSAGE\n"
    GstPeHomeAssistantEvents events;
    GstPeHomeAssistant *ha;
} Told;

static void
take_state(void *owner, const char *topic, const char *payload)
{
    Told *told = owner;

    g_assert_true(g_utf8_validate(topic, -1, NULL));
    g_assert_true(g_utf8_validate(payload, -1, NULL));
    g_assert_null(strpbrk(topic, "+# \"\\"));
    g_hash_table_insert(told->states, g_strdup(topic), g_strdup(payload));
    g_string_append_printf(told->lines, "state %s\n", topic);
}

static void
take_device(void *owner, const char *filter)
{
    g_string_append_printf(((Told *)owner)->lines, "device %s\n", filter);
}

static void
take_event(void *owner, const char *topic, const char *payload)
{
    Told *told = owner;

    g_string_append_printf(told->lines, "event %s %s\n", topic, payload);
}

static void
take_warning(void *owner, const char *message)
{
    g_string_append_printf(((Told *)owner)->lines, "warn %s\n", message);
}

static void
begin(Told *told, GstPeHaStates states, guint max_entities)
{
    GstPeHomeAssistantOptions options = {
        .discovery_prefix = "homeassistant",
        .topic_prefix = "pe",
        .status_topic = "pe/x/status",
        .status_online = "here",
        .status_offline = "gone",
        .version = "1.2.3",
        .states = states,
        .threshold = 0.5,
        .max_entities = max_entities,
    };

    told->states =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    told->lines = g_string_new(NULL);
    told->events = (GstPeHomeAssistantEvents){told, take_state, take_device,
                                              take_event, take_warning};
    told->ha = gst_pe_home_assistant_new(&options, &told->events);
}

static void
end(Told *told)
{
    gst_pe_home_assistant_free(told->ha);
    g_hash_table_unref(told->states);
    g_string_free(told->lines, TRUE);
}

static void
take(Told *told, const char *text)
{
    g_string_truncate(told->lines, 0);
    gst_pe_home_assistant_take(told->ha, text, strlen(text));
}

static void
expect_state(Told *told, const char *topic, const char *payload)
{
    g_assert_cmpstr(g_hash_table_lookup(told->states, topic), ==, payload);
}

static bool
has_line(const Told *told, const char *line)
{
    return strstr(told->lines->str, line) != NULL;
}

// ---- Discovery, looked at as Home Assistant does --------------------------

static JsonObject *
get_member(JsonObject *object, const char *name)
{
    g_assert_true(json_object_has_member(object, name));
    return json_object_get_object_member(object, name);
}

static const char *
get_text(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    g_assert_true(node && json_node_get_value_type(node) == G_TYPE_STRING);
    return json_node_get_string(node);
}

// What Home Assistant demands of each, whatever it is of.
static void
check_entity(JsonObject *entity, GHashTable *ids)
{
    const char *platform = get_text(entity, "platform");
    const char *id = get_text(entity, "unique_id");

    g_assert_true(g_str_equal(platform, "sensor") ||
                  g_str_equal(platform, "binary_sensor") ||
                  g_str_equal(platform, "event"));
    g_assert_true(g_hash_table_add(ids, (void *)id));
    g_assert_cmpint(g_utf8_strlen(get_text(entity, "name"), -1), <=, 600);
    g_assert_true(g_str_has_prefix(get_text(entity, "state_topic"), "pe/"));
}

// Returns the parsed payload; `device` is of the discovery's topic.
static JsonNode *
read_discovery(Told *told, const char *device)
{
    g_autofree char *topic =
        g_strdup_printf("homeassistant/device/%s/config", device);
    const char *payload = g_hash_table_lookup(told->states, topic);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(payload);
    JsonNode *root = json_from_string(payload, &error);
    g_assert_no_error(error);
    JsonObject *object = json_node_get_object(root);
    JsonObject *about = get_member(object, "device");
    g_assert_cmpuint(json_array_get_length(
                         json_object_get_array_member(about, "identifiers")),
                     ==, 1);
    g_assert_cmpstr(json_array_get_string_element(
                        json_object_get_array_member(about, "identifiers"), 0),
                    ==, device);
    g_assert_cmpstr(get_text(get_member(object, "origin"), "sw_version"), ==,
                    "1.2.3");
    JsonObject *availability = json_array_get_object_element(
        json_object_get_array_member(object, "availability"), 0);
    g_assert_cmpstr(get_text(availability, "topic"), ==, "pe/x/status");
    g_assert_cmpstr(get_text(availability, "payload_available"), ==, "here");
    g_assert_cmpstr(get_text(availability, "payload_not_available"), ==,
                    "gone");
    JsonObject *components = get_member(object, "components");
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GList) members = json_object_get_values(components);
    for (GList *m = members; m; m = m->next)
        check_entity(json_node_get_object(m->data), ids);
    return root;
}

static JsonObject *
get_entity(JsonNode *discovery, const char *key)
{
    return get_member(get_member(json_node_get_object(discovery), "components"),
                      key);
}

static const char clip[] =
    "{\"schema\":\"pe-1\",\"type\":\"clip\",\"source\":\"front_door\","
    "\"element\":\"pe0\",\"sequence\":1,\"unknown\":false,"
    "\"label-set-fingerprint\":\"0123456789abcdef\",\"labels\":["
    "{\"label\":\"a dog\",\"score\":0.93,\"similarity\":0.2},"
    "{\"label\":\"a cat\",\"score\":0.25,\"similarity\":0.1}]}";

static void
makes_a_device_of_a_source(void)
{
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    take(&told, clip);
    g_autoptr(JsonNode) root = read_discovery(&told, "pe__front_door");
    g_assert_cmpstr(
        get_text(get_member(json_node_get_object(root), "device"), "name"), ==,
        "front_door");
    JsonObject *dog = get_entity(root, "label__pe0__a_dog");
    g_assert_cmpstr(get_text(dog, "platform"), ==, "binary_sensor");
    g_assert_cmpstr(get_text(dog, "name"), ==, "a dog");
    g_assert_cmpstr(get_text(dog, "unique_id"), ==,
                    "pe__front_door__label__pe0__a_dog");
    g_assert_cmpstr(get_text(dog, "state_topic"), ==,
                    "pe/front_door/classification/pe0/a_dog");
    g_assert_cmpstr(get_text(dog, "payload_on"), ==, "ON");
    g_assert_cmpstr(get_text(dog, "payload_off"), ==, "OFF");
    JsonObject *best = get_entity(root, "best__pe0");
    g_assert_cmpstr(get_text(best, "platform"), ==, "sensor");
    g_assert_cmpstr(get_text(best, "state_topic"), ==,
                    "pe/front_door/classification/pe0");
    g_assert_cmpstr(get_text(best, "json_attributes_topic"), ==,
                    "pe/front_door/scores/pe0");
    JsonObject *events = get_entity(root, "events");
    g_assert_cmpstr(get_text(events, "platform"), ==, "event");
    g_assert_cmpuint(json_array_get_length(
                         json_object_get_array_member(events, "event_types")),
                     ==, 3);
    // The broker keeps them in the order in which they are told.
    g_assert_true(g_str_has_prefix(told.lines->str, "state homeassistant/"));
    g_assert_true(g_str_has_suffix(
        told.lines->str, "\ndevice pe/front_door/classification/+/+\n"));
    g_assert_cmpuint(gst_pe_home_assistant_count(told.ha), ==, 4);
    end(&told);
}

static void
follows_the_scores_of_clips(void)
{
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    take(&told, clip);
    expect_state(&told, "pe/front_door/classification/pe0", "a dog");
    expect_state(&told, "pe/front_door/classification/pe0/a_dog", "ON");
    expect_state(&told, "pe/front_door/classification/pe0/a_cat", "OFF");
    g_autoptr(JsonNode) scores = json_from_string(
        g_hash_table_lookup(told.states, "pe/front_door/scores/pe0"), NULL);
    g_assert_cmpfloat_with_epsilon(
        json_object_get_double_member(
            get_member(json_node_get_object(scores), "scores"), "a dog"),
        0.93, 1e-9);
    // The same again says nothing.
    take(&told, clip);
    g_assert_cmpstr(told.lines->str, ==, "");
    // A label that a clip does not have is not there.
    take(&told, "{\"type\":\"clip\",\"source\":\"front_door\",\"element\":"
                "\"pe0\",\"sequence\":2,\"labels\":[{\"label\":\"a cat\","
                "\"score\":0.5}]}");
    expect_state(&told, "pe/front_door/classification/pe0", "a cat");
    expect_state(&told, "pe/front_door/classification/pe0/a_dog", "OFF");
    expect_state(&told, "pe/front_door/classification/pe0/a_cat", "ON");
    g_assert_false(has_line(&told, "homeassistant/"));
    // Nor one of a clip that shows nothing of what was asked for.
    take(&told, "{\"type\":\"clip\",\"source\":\"front_door\",\"element\":"
                "\"pe0\",\"sequence\":3,\"unknown\":true,\"labels\":[{"
                "\"label\":\"a cat\",\"score\":0.9}]}");
    expect_state(&told, "pe/front_door/classification/pe0", "unknown");
    expect_state(&told, "pe/front_door/classification/pe0/a_cat", "OFF");
    end(&told);
}

static void
take_phase(Told *told, const char *phase, int id, const char *label,
           const char *region)
{
    g_autofree char *text = g_strdup_printf(
        "{\"type\":\"event\",\"event\":\"%s\",\"id\":%d,\"label\":\"%s\","
        "\"source\":\"front_door\",\"element\":\"pe0\",\"sequence\":9,%s"
        "\"start\":5,\"end\":6,\"peak\":5,\"peak-score\":0.75}",
        phase, id, label, region);

    take(told, text);
}

static void
follows_events_where_there_are_some(void)
{
    const char *dog = "pe/front_door/classification/pe0/a_dog";
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    take(&told, clip);
    expect_state(&told, dog, "ON");
    take_phase(&told, "start", 1, "a cat", "");
    expect_state(&told, dog, "OFF"); // no event of it has begun
    expect_state(&told, "pe/front_door/classification/pe0/a_cat", "ON");
    g_assert_true(has_line(&told, "event pe/front_door/events "
                                  "{\"event_type\":\"start\","));
    g_assert_true(has_line(&told, "\"label\":\"a cat\""));
    g_assert_true(has_line(&told, "\"peak-score\":0.75"));
    take(&told, clip); // decides nothing any more
    expect_state(&told, dog, "OFF");
    take_phase(&told, "update", 2, "a dog", "");
    expect_state(&told, dog, "ON"); // whose beginning was not seen
    take_phase(&told, "start", 3, "a dog", "");
    take_phase(&told, "end", 2, "a dog", "");
    expect_state(&told, dog, "ON"); // the other one goes on
    take_phase(&told, "end", 3, "a dog", "");
    expect_state(&told, dog, "OFF");
    g_assert_true(has_line(&told, "\"event_type\":\"end\""));
    take_phase(&told, "no such phase", 4, "a dog", "");
    g_assert_cmpstr(told.lines->str, ==, "");
    end(&told);
}

// An element that was made anew never says that the events of before ended.
static void
forgets_events_of_an_element_that_begins_again(void)
{
    const char *dog = "pe/front_door/classification/pe0/a_dog";
    Told told;

    begin(&told, GST_PE_HA_STATES_EVENTS, 100);
    take(&told, "{\"type\":\"clip\",\"source\":\"front_door\",\"element\":"
                "\"pe0\",\"sequence\":7,\"labels\":[]}");
    take_phase(&told, "start", 1, "a dog", "");
    expect_state(&told, dog, "ON");
    take(&told, clip);
    expect_state(&told, dog, "OFF");
    end(&told);
}

static void
asks_only_what_it_is_told_to(void)
{
    const char *dog = "pe/front_door/classification/pe0/a_dog";
    Told told;

    begin(&told, GST_PE_HA_STATES_EVENTS, 100);
    take(&told, clip);
    expect_state(&told, dog, "OFF");
    take_phase(&told, "start", 1, "a dog", "");
    expect_state(&told, dog, "ON");
    end(&told);
    begin(&told, GST_PE_HA_STATES_CLIPS, 100);
    take(&told, clip);
    take_phase(&told, "start", 1, "a cat", "");
    g_assert_cmpstr(told.lines->str, ==, "");
    expect_state(&told, dog, "ON");
    g_autoptr(JsonNode) root = read_discovery(&told, "pe__front_door");
    g_assert_false(json_object_has_member(
        get_member(json_node_get_object(root), "components"), "events"));
    end(&told);
}

static void
tells_regions_and_windows_apart(void)
{
    const char *text =
        "{\"type\":\"clip\",\"source\":\"front_door\",\"element\":\"pe0\","
        "\"sequence\":1,\"region\":{\"name\":\"gate\",\"x\":0,\"y\":0,"
        "\"width\":9,\"height\":9},\"labels\":[{\"label\":\"open\",\"score\":"
        "0.9}]}";
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    take(&told, text);
    expect_state(&told, "pe/front_door/classification/pe0__gate", "open");
    expect_state(&told, "pe/front_door/classification/pe0__gate/open", "ON");
    take(&told, clip); // of the whole frame, which has no such label
    expect_state(&told, "pe/front_door/classification/pe0__gate/open", "ON");
    take_phase(&told, "start", 1, "a dog", "\"region\":{\"name\":\"gate\"},");
    g_assert_true(has_line(&told, "\"region\":\"gate\""));
    expect_state(&told, "pe/front_door/classification/pe0__gate/a_dog", "ON");
    expect_state(&told, "pe/front_door/classification/pe0/a_dog", "OFF");
    take(&told, "{\"type\":\"clip\",\"source\":\"front_door\",\"element\":"
                "\"pe0\",\"sequence\":1,\"window\":\"gate\",\"label-set\":"
                "\"weather\",\"labels\":[{\"label\":\"fog\",\"score\":0.8}]}");
    expect_state(&told, "pe/front_door/classification/weather.gate", "fog");
    g_autoptr(JsonNode) root = read_discovery(&told, "pe__front_door");
    g_assert_cmpstr(
        get_text(get_entity(root, "label__pe0__gate__open"), "name"), ==,
        "gate: open");
    g_assert_cmpstr(get_text(get_entity(root, "best__weather.gate"), "name"),
                    ==, "weather: gate: best label");
    end(&told);
}

// ---- Names ----------------------------------------------------------------

static void
bears_hostile_labels(void)
{
    static const char *const labels[] = {
        "\\\"}],{\\\\",
        "a/+#/b",
        "$SYS",
        "\\u0001\\n\\t\\u007f",
        "\xf0\x9f\x98\x80",
        "a \\\"dog\\\"",
        "a +dog+",
        "None",
        "%s%n",
    };
    g_autofree char *long_label = g_strnfill(10240, 'x');
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    for (guint i = 0; i <= G_N_ELEMENTS(labels); i++) {
        const char *label = i < G_N_ELEMENTS(labels) ? labels[i] : long_label;
        g_autofree char *text = g_strdup_printf(
            "{\"type\":\"clip\",\"source\":\"%s\",\"element\":\"pe0\","
            "\"sequence\":%u,\"labels\":[{\"label\":\"%s\",\"score\":0.9}]}",
            "c", i, label);
        take(&told, text);
        g_assert_false(has_line(&told, "warn"));
    }
    g_autoptr(JsonNode) root = read_discovery(&told, "pe__c");
    g_assert_cmpuint(json_object_get_size(
                         get_member(json_node_get_object(root), "components")),
                     ==, G_N_ELEMENTS(labels) + 3);
    const char *best =
        g_hash_table_lookup(told.states, "pe/c/classification/pe0");
    g_assert_cmpint(g_utf8_strlen(best, -1), ==, 250);
    g_assert_true(g_str_has_suffix(best, "x…"));
    end(&told);
}

static void
leaves_out_what_has_a_nul(void)
{
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    take(&told, "{\"type\":\"clip\",\"source\":\"c\",\"labels\":[{\"label\":"
                "\"a\\u0000b\",\"score\":0.9}]}");
    g_assert_cmpstr(told.lines->str, ==,
                    "warn a record has no states for Home Assistant: expected "
                    "no NUL in its text\n");
    take(&told, "{\"type\":\"clip\",\"source\":\"c\",\"labels\":[{\"label\":"
                "\"a\\\\u0000b\",\"score\":0.9}]}");
    g_assert_true(has_line(&told, "state pe/c/"));
    end(&told);
}

// ---- What it does not know ------------------------------------------------

static void
bears_records_of_any_shape(void)
{
    static const char *const records[] = {
        "{}",
        "{\"type\":\"clip\"}",
        "{\"type\":1,\"source\":[]}",
        "{\"type\":\"clip\",\"labels\":{}}",
        "{\"type\":\"clip\",\"labels\":[1,\"a\",null]}",
        "{\"type\":\"clip\",\"labels\":[{\"label\":1,\"score\":\"x\"}]}",
        "{\"type\":\"clip\",\"labels\":[{\"label\":\"a\",\"score\":null}]}",
        "{\"type\":\"clip\",\"sequence\":-1,\"region\":7,\"unknown\":3}",
        "{\"type\":\"clip\",\"region\":{\"id\":{}},\"sequence\":1e300}",
        "{\"type\":\"event\"}",
        "{\"type\":\"event\",\"event\":\"start\"}",
        "{\"type\":\"event\",\"event\":\"start\",\"label\":\"a\",\"id\":{}}",
        "{\"type\":\"event\",\"event\":\"end\",\"label\":\"a\",\"id\":null}",
        "{\"type\":\"frame\",\"pts\":1}",
        "{\"a\":tru}",
        "{\"a\":1,}",
    };
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    for (guint i = 0; i < G_N_ELEMENTS(records); i++) {
        g_test_message("%s", records[i]);
        take(&told, records[i]);
    }
    json_node_unref(read_discovery(&told, "pe__unknown"));
    expect_state(&told, "pe/unknown/classification/labels/a", "OFF");
    end(&told);
}

static void
tells_a_newcomer_what_is_missing(void)
{
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    take(&told, "{\"source\":\"door\",\"open\":true}");
    g_assert_true(has_line(&told, "warn a record has no states for Home "
                                  "Assistant: expected one of pemetaconvert"));
    take(&told, "{\"source\":\"door\",\"open\":true}");
    g_assert_cmpstr(told.lines->str, ==, "");
    take(&told, "{\"type\":\"clip\",\"source\":\"c\",\"labels\":[]}");
    g_assert_true(has_line(&told, "warn there are no labels in a record of c"));
    take(&told, "{\"type\":\"clip\",\"source\":\"c\",\"labels\":[]}");
    g_assert_cmpstr(told.lines->str, ==, "");
    end(&told);
    // Labels of which none reached its thresholds are no mistake.
    begin(&told, GST_PE_HA_STATES_AUTO, 100);
    take(&told, "{\"type\":\"clip\",\"source\":\"c\",\"labels\":[],"
                "\"label-set-fingerprint\":\"0123456789abcdef\"}");
    g_assert_false(has_line(&told, "warn"));
    end(&told);
}

static void
has_a_limit(void)
{
    Told told;

    begin(&told, GST_PE_HA_STATES_AUTO, 1000);
    for (int i = 0; i < 1200; i++) {
        g_autofree char *text = g_strdup_printf(
            "{\"type\":\"clip\",\"source\":\"c%d\",\"element\":\"pe0\","
            "\"labels\":[{\"label\":\"l%d\",\"score\":0.9}]}",
            i % 10, i);
        take(&told, text);
        g_assert_true(has_line(&told, "warn") == (i == 980));
    }
    // Of 10 devices with an entity for the best label each.
    g_assert_cmpuint(gst_pe_home_assistant_count(told.ha), ==, 1000);
    g_assert_cmpuint(gst_pe_home_assistant_count_refused(told.ha), ==, 220);
    g_assert_cmpuint(g_hash_table_size(told.states), ==, 980 + 30);
    take(&told, "{\"type\":\"clip\",\"source\":\"another\",\"labels\":[]}");
    g_assert_false(has_line(&told, "state"));
    end(&told);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/home-assistant/" #test, test)
    ADD(makes_a_device_of_a_source);
    ADD(follows_the_scores_of_clips);
    ADD(follows_events_where_there_are_some);
    ADD(forgets_events_of_an_element_that_begins_again);
    ADD(asks_only_what_it_is_told_to);
    ADD(tells_regions_and_windows_apart);
    ADD(bears_hostile_labels);
    ADD(leaves_out_what_has_a_nul);
    ADD(bears_records_of_any_shape);
    ADD(tells_a_newcomer_what_is_missing);
    ADD(has_a_limit);
    return g_test_run();
}
