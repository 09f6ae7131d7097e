// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_mqtt_states.c - which states wait to be sent, and names as ids.

#include "gst/mqtt/gstpemqttstates.h"
#include "gst/mqtt/gstpeslug.h"

#include <string.h>

// ---- Which states wait ----------------------------------------------------

static void
expect_next(GstPeMqttStates *states, const char *topic, const char *payload)
{
    GstPeMqttState next;

    g_assert_true(gst_pe_mqtt_states_next(states, &next));
    g_assert_cmpstr(next.topic, ==, topic);
    g_assert_cmpstr(next.payload, ==, payload);
    gst_pe_mqtt_state_clear(&next);
}

static void
keeps_the_newest_state_of_each_topic(void)
{
    g_autoptr(GstPeMqttStates) states = gst_pe_mqtt_states_new();
    GstPeMqttState next;

    for (int i = 0; i < 1000; i++) {
        gst_pe_mqtt_states_put(states, "a", i % 2 ? "ON" : "OFF");
        gst_pe_mqtt_states_put(states, "b", i % 2 ? "OFF" : "ON");
    }
    expect_next(states, "a", "ON");
    expect_next(states, "b", "OFF");
    g_assert_false(gst_pe_mqtt_states_next(states, &next));
    gst_pe_mqtt_states_put(states, "b", "ON");
    expect_next(states, "b", "ON");
    gst_pe_mqtt_states_put(states, "b", "OFF");
    gst_pe_mqtt_states_resend(states);
    expect_next(states, "a", "ON");
    expect_next(states, "b", "OFF");
    g_assert_false(gst_pe_mqtt_states_has_next(states));
    gst_pe_mqtt_states_remove(states);
    expect_next(states, "a", NULL);
    expect_next(states, "b", NULL);
    g_assert_false(gst_pe_mqtt_states_has_next(states));
    g_assert_cmpuint(gst_pe_mqtt_states_count_sent(states), ==, 7);
}

static void
believes_what_was_found_least(void)
{
    g_autoptr(GstPeMqttStates) states = gst_pe_mqtt_states_new();

    gst_pe_mqtt_states_put(states, "a", "ON");
    gst_pe_mqtt_states_put_found(states, "a", "OFF");
    gst_pe_mqtt_states_put_found(states, "b", "OFF");
    expect_next(states, "a", "ON");
    expect_next(states, "b", "OFF");
    gst_pe_mqtt_states_put(states, "b", "ON");
    expect_next(states, "b", "ON");
    for (int i = 0; i < 2 * GST_PE_MQTT_STATES_MAX_FOUND; i++) {
        g_autofree char *topic = g_strdup_printf("%d", i);
        gst_pe_mqtt_states_put_found(states, topic, "OFF");
    }
    for (int i = 0; i < GST_PE_MQTT_STATES_MAX_FOUND - 1; i++) {
        g_autofree char *topic = g_strdup_printf("%d", i);
        expect_next(states, topic, "OFF");
    }
    g_assert_false(gst_pe_mqtt_states_has_next(states));
}

static void
sends_what_happened_once_and_behind_states(void)
{
    g_autoptr(GstPeMqttStates) states = gst_pe_mqtt_states_new();

    gst_pe_mqtt_states_add_event(states, "e", "1");
    gst_pe_mqtt_states_put(states, "a", "ON");
    expect_next(states, "a", "ON");
    expect_next(states, "e", "1");
    gst_pe_mqtt_states_resend(states);
    expect_next(states, "a", "ON");
    g_assert_false(gst_pe_mqtt_states_has_next(states));
    for (int i = 0; i < GST_PE_MQTT_STATES_MAX_EVENTS + 7; i++) {
        g_autofree char *payload = g_strdup_printf("%d", i);
        gst_pe_mqtt_states_add_event(states, "e", payload);
    }
    g_assert_cmpuint(gst_pe_mqtt_states_count_dropped(states), ==, 7);
    expect_next(states, "e", "7");
}

// ---- Names ----------------------------------------------------------------

static void
makes_slugs_that_differ(void)
{
    static const struct {
        const char *name, *slug;
        char blank;
    } cases[] = {
        {"front_door", "front_door", '_'},
        {"a dog", "a_dog", ' '},
        {"Cam-1", "Cam-1", '_'},
        {"a_dog", "a_dog_", ' '},
        {"front door", "front_door_", '_'},
        {"a  dog", "a_dog_", ' '},
        {" a dog", "a_dog_", ' '},
        {"a/+#dog", "a_dog_", ' '},
        {"\xf0\x9f\x98\x80", "x_", ' '},
        {"", "x_", ' '},
        {"a__b", "a_b_", '_'},
        {"_a", "a_", '_'},
        {"a_0123456789", "a_0123456789_", '_'},
    };
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *slug = cases[i].slug;
        gsize n = strlen(slug);
        char *found = gst_pe_slug_new(cases[i].name, cases[i].blank);
        g_test_message("%s: %s", cases[i].name, found);
        g_assert_true(g_str_has_prefix(found, slug));
        g_assert_cmpuint(strlen(found), ==, slug[n - 1] == '_' ? n + 10 : n);
        g_hash_table_add(seen, found);
    }
    // Of the two kinds, "a_dog" and "front_door" come once each; "" and the
    // face differ, and so does all else.
    g_assert_cmpuint(g_hash_table_size(seen), ==, G_N_ELEMENTS(cases));
    g_autofree char *long_name = g_strnfill(10240, 'a');
    g_autofree char *other_name = g_strnfill(10241, 'a');
    g_autofree char *slug = gst_pe_slug_new(long_name, ' ');
    g_autofree char *other = gst_pe_slug_new(other_name, ' ');
    g_assert_cmpuint(strlen(slug), ==, GST_PE_SLUG_MAX);
    g_assert_cmpstr(slug, !=, other);
    // The same after every start, whatever came before.
    g_autofree char *stable = gst_pe_slug_new("a_dog", ' ');
    g_assert_cmpstr(stable, ==, "a_dog_6aa022e535");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/mqtt-states/" #test, test)
    ADD(keeps_the_newest_state_of_each_topic);
    ADD(believes_what_was_found_least);
    ADD(sends_what_happened_once_and_behind_states);
    ADD(makes_slugs_that_differ);
    return g_test_run();
}
