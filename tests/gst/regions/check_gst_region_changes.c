// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_region_changes.c - labels, templates, thresholds and regions change
// ten thousand times from another thread while frames flow: no result mixes
// what belongs to two settings.

#include "region_helpers.h"

#include <string.h>

#define N_CHANGES 10000
#define N_SETS 8

typedef struct {
    GstElement *element;
    int ended; // atomic
} Changer;

// Set k: a region that only it has, with labels that only it has.
static void
set_regions(GstElement *element, int k)
{
    g_autofree char *text = g_strdup_printf(
        k % 2 ? "r%d=%d,%d,%d,30;a%d one|a%d two"
              : "[{\"name\": \"r%d\", \"rectangle\": [%d, %d, %d, 30], "
                "\"labels\": \"a%d one|a%d two\"}]",
        k, k, k, 20 + k, k, k);

    g_object_set(element, "regions", text, NULL);
}

static void
change(GstElement *element, int i)
{
    static const char *const templates[] = {"a video of {}.", "{}"};
    int k = i / 5 % N_SETS;
    g_autofree char *labels = g_strdup_printf("w%d one|w%d two", k, k);

    switch (i % 5) {
    case 0:
        set_regions(element, k);
        break;
    case 1:
        g_object_set(element, "labels", labels, "prompt-template",
                     templates[k % 2], NULL);
        break;
    case 2:
        g_object_set(element, "threshold", k / 20.0, NULL);
        break;
    case 3:
        g_object_set(element, "inference-region", k % 3, NULL);
        break;
    default:
        g_object_set(element, "prompt-template", templates[k % 2], NULL);
        break;
    }
}

static void *
run_changer(void *data)
{
    Changer *c = data;

    for (int i = 0; i < N_CHANGES; i++) {
        change(c->element, i);
        if (i % 8 == 0)
            g_usleep(500);
    }
    g_object_set(c->element, "threshold", 0.0, "inference-region", 0, NULL);
    set_regions(c->element, 7);
    g_atomic_int_set(&c->ended, 1);
    return NULL;
}

// The number of the set that every label is of; -1: there is none.
static int
get_set(const GstPeResult *result, char kind)
{
    int set = -1;

    for (guint i = 0; i < gst_pe_result_get_n_labels(result); i++) {
        const char *label = gst_pe_result_get_label(result, i);
        g_assert_cmpint(label[0], ==, kind);
        g_assert_true(set == -1 || set == label[1] - '0');
        set = label[1] - '0';
    }
    return set;
}

// A fingerprint is of one set only.
static void
check_fingerprint(GHashTable *known, const GstPeResult *result, char kind,
                  int set)
{
    const char *fingerprint = gst_pe_result_get_label_set_fingerprint(result);
    void *value = GINT_TO_POINTER(kind * 100 + set);

    if (set < 0 || !fingerprint)
        return;
    void *old = g_hash_table_lookup(known, fingerprint);
    g_assert_true(!old || old == value);
    g_hash_table_insert(known, g_strdup(fingerprint), value);
}

// Returns the number of the region's set; -1: the whole frame.
static int
check_result(GHashTable *known, const GstPeResult *result)
{
    const GstPeRegion *region = gst_pe_result_get_region(result);

    if (!region) {
        check_fingerprint(known, result, 'w', get_set(result, 'w'));
        return -1;
    }
    int k = region->name[1] - '0';
    int set = get_set(result, 'a');
    g_assert_cmpint(region->x, ==, k);
    g_assert_cmpint(region->y, ==, k);
    g_assert_cmpint(region->width, ==, 20 + k);
    g_assert_true(set == -1 || set == k);
    check_fingerprint(known, result, 'a', k);
    return k;
}

static GstBusSyncReply
drop(GstBus *bus, GstMessage *message, void *data)
{
    gst_message_unref(message);
    return GST_BUS_DROP;
}

static void
never_mixes_settings(const void *mode)
{
    g_autofree char *properties =
        g_strdup_printf("mode=%s clip-length=1 labels=\"w0 one|w0 two\" "
                        "regions=\"r0=0,0,20,30;a0 one|a0 two\"",
                        (const char *)mode);
    GstHarness *h = play_inference(properties);
    Changer changer = {.element = h->element};
    g_autoptr(GHashTable) known =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint n_results = 0, n_sets = 0;
    int f = 0, last = -1;

    gst_bus_set_sync_handler(GST_ELEMENT_BUS(h->element), drop, NULL, NULL);
    GThread *thread = g_thread_new("changer", run_changer, &changer);
    // Until the last of the changes is in use.
    while (!g_atomic_int_get(&changer.ended) || last != 7) {
        GstBuffer *out = pass(h, make_frame(f++));
        for (guint i = 0; i < gst_buffer_get_n_pe_metas(out); i++) {
            int k =
                check_result(known, gst_buffer_get_nth_pe_meta(out, i)->result);
            n_results++;
            n_sets += k >= 0 && k != last;
            last = k >= 0 ? k : last;
        }
        gst_buffer_unref(out);
        GstEvent *event;
        while ((event = gst_harness_try_pull_event(h)))
            gst_event_unref(event);
        g_assert_cmpint(f, <, 10000000);
    }
    g_thread_join(thread);
    g_test_message("%s: %d changes, %d frames, %u results, %u sets of regions "
                   "in use, %u fingerprints",
                   (const char *)mode, N_CHANGES, f, n_results, n_sets,
                   g_hash_table_size(known));
    gst_bus_set_sync_handler(GST_ELEMENT_BUS(h->element), NULL, NULL, NULL);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_data_func("/changes/exact", "exact", never_mixes_settings);
    g_test_add_data_func("/changes/latest", "latest", never_mixes_settings);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
