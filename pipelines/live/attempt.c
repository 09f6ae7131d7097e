// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attempt.c - see attempt.h.

#include "attempt.h"

#include <string.h>

#define STOP_MESSAGE "pe-live-stop"
// Of encoded pictures of a stream.
#define KEPT_BYTES (32 * 1024 * 1024)
#define DRAIN_TIME GST_SECOND

struct Attempt {
    gint n_refs; // atomic: the owner's, the thread's, each event's
    AttemptFunc func;
    void *user_data;
    GstElement *pipeline;
    GstElement *inference;
    GstBus *bus;
    // Copies, for a thread that outlives its stream.
    Address *address;
    StreamPlan plan;
    bool again;          // at the end of a file
    bool restarts;       // is worth another try
    char *missing;       // decoder, thread of the bus only
    bool faulted;        // has told so, thread of the bus only
    gint drain;          // atomic
    gint64 prepared;     // atomic
    PipelineCounts seen; // atomic
    PipelineFindings findings;
    Packets *packets; // NULL: none are kept
};

static Attempt *
attempt_ref(Attempt *attempt)
{
    g_atomic_int_inc(&attempt->n_refs);
    return attempt;
}

void
attempt_unref(Attempt *attempt)
{
    if (!g_atomic_int_dec_and_test(&attempt->n_refs))
        return;
    for (int i = 0; i < N_PICTURES; i++) {
        GstSample *picture = attempt_take_picture(attempt, (PictureUse)i);
        if (picture)
            gst_sample_unref(picture);
    }
    g_clear_pointer(&attempt->packets, packets_unref);
    gst_object_unref(attempt->inference);
    gst_clear_object(&attempt->plan.overlay);
    gst_clear_object(&attempt->plan.health);
    gst_object_unref(attempt->bus);
    address_free(attempt->address);
    g_free(attempt->plan.transport);
    g_free(attempt->missing);
    g_free(attempt);
}

// ---- Events, from any thread to the main context ----------------------------

typedef struct {
    Attempt *attempt;
    AttemptEvent event;
} Delivery;

static gboolean
deliver(gpointer data)
{
    Delivery *delivery = data;
    delivery->attempt->func(delivery->attempt, &delivery->event,
                            delivery->attempt->user_data);
    return G_SOURCE_REMOVE;
}

static void
delivery_free(gpointer data)
{
    Delivery *delivery = data;
    attempt_unref(delivery->attempt);
    g_free(delivery->event.text);
    g_clear_pointer(&delivery->event.result, gst_pe_result_unref);
    g_free(delivery);
}

// Takes event.text and event.result.
static void
send_event(Attempt *attempt, AttemptEvent event)
{
    Delivery *delivery = g_new(Delivery, 1);
    event.time = g_get_monotonic_time();
    *delivery = (Delivery){attempt_ref(attempt), event};
    g_main_context_invoke_full(NULL, G_PRIORITY_DEFAULT, deliver, delivery,
                               delivery_free);
}

// Takes text, which may have secrets. Only the first fault counts: the others
// follow from it.
static void
send_fault(Attempt *attempt, Reason reason, FaultKind kind, char *text)
{
    if (!attempt->faulted)
        send_event(attempt, (AttemptEvent){
                                .type = ATTEMPT_FAULT,
                                .reason = reason,
                                .kind = attempt->restarts ? kind : FAULT_FINAL,
                                .text = address_redact(attempt->address, text),
                            });
    attempt->faulted = true;
    g_free(text);
}

static void
on_result(GstPeResult *result, void *data)
{
    send_event(data, (AttemptEvent){.type = ATTEMPT_RESULT,
                                    .result = gst_pe_result_ref(result)});
}

static void
on_line(const char *text, gsize size, void *data)
{
    send_event(data, (AttemptEvent){.type = ATTEMPT_LINE,
                                    .text = g_strndup(text, size)});
}

// ---- The bus ---------------------------------------------------------------

// What elements add for developers begins with a place in their source.
static const char *
skip_place(const char *debug)
{
    const char *line = debug ? strchr(debug, '\n') : NULL;
    return line ? line + 1 : NULL;
}

static FaultKind
judge(const GError *error)
{
    if (g_error_matches(error, GST_RESOURCE_ERROR,
                        GST_RESOURCE_ERROR_NOT_AUTHORIZED))
        return FAULT_LOGIN;
    return FAULT_USUAL;
}

static char *
describe(Attempt *attempt, GstMessage *message, const GError *error,
         const char *debug)
{
    if (attempt->missing)
        return g_strdup_printf("no decoder is installed for it: %s is missing",
                               attempt->missing);
    const char *more = skip_place(debug);
    g_autofree char *place =
        gst_object_get_name(GST_OBJECT(GST_MESSAGE_SRC(message)));
    const char *what = judge(error) == FAULT_LOGIN
                           ? "the user or the password is wrong or missing: "
                           : "";
    return g_strdup_printf("%s%s: %s%s%s", what, place, error->message,
                           more ? " " : "", more ? more : "");
}

static void
on_error(Attempt *attempt, GstMessage *message)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_error(message, &error, &debug);
    send_fault(attempt, REASON_ERROR, judge(error),
               describe(attempt, message, error, debug));
}

static void
on_warning(Attempt *attempt, GstMessage *message)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_warning(message, &error, &debug);
    g_autofree char *text = describe(attempt, message, error, debug);
    send_event(attempt, (AttemptEvent){
                            .type = ATTEMPT_NOTE,
                            .text = address_redact(attempt->address, text),
                        });
}

static void
on_element(Attempt *attempt, GstMessage *message)
{
    const GstStructure *s = gst_message_get_structure(message);
    if (attempt->missing || !gst_structure_has_name(s, "missing-plugin"))
        return;
    const char *name = gst_structure_get_string(s, "name");
    attempt->missing = g_strdup(name ? name : "a plugin");
}

static bool
is_stop(GstMessage *message)
{
    return GST_MESSAGE_TYPE(message) == GST_MESSAGE_APPLICATION &&
           gst_message_has_name(message, STOP_MESSAGE);
}

// Until attempt_stop(), which always comes.
static void
read_bus(Attempt *attempt)
{
    for (;;) {
        g_autoptr(GstMessage) message =
            gst_bus_timed_pop(attempt->bus, GST_CLOCK_TIME_NONE);
        if (!message || is_stop(message))
            return;
        switch (GST_MESSAGE_TYPE(message)) {
        case GST_MESSAGE_ERROR:
            on_error(attempt, message);
            break;
        case GST_MESSAGE_EOS:
            send_fault(attempt, REASON_EOS,
                       attempt->again ? FAULT_AGAIN : FAULT_USUAL,
                       g_strdup("the stream ended"));
            break;
        case GST_MESSAGE_WARNING:
            on_warning(attempt, message);
            break;
        case GST_MESSAGE_ELEMENT:
            on_element(attempt, message);
            break;
        case GST_MESSAGE_LATENCY:
            gst_bin_recalculate_latency(GST_BIN(attempt->pipeline));
            break;
        default:
            break;
        }
    }
}

// With the end of the stream, its events end, too. A source that is stuck
// cannot send that, and then it is sent behind it. After an error it has come,
// or cannot pass.
static bool
send_end(Attempt *attempt)
{
    if (attempt->faulted)
        return false;
    if (g_atomic_int_get(&attempt->drain))
        return gst_element_send_event(attempt->pipeline, gst_event_new_eos());
    if (!address_is_live(attempt->address))
        return false;
    GstElement *first =
        attempt->plan.health ? attempt->plan.health : attempt->inference;
    g_autoptr(GstPad) pad = gst_element_get_static_pad(first, "sink");
    g_autoptr(GstPad) before = gst_pad_get_peer(pad);
    g_autoptr(GstElement) queue =
        before ? gst_pad_get_parent_element(before) : NULL;
    g_autoptr(GstPad) entry =
        queue ? gst_element_get_static_pad(queue, "sink") : NULL;
    return entry && gst_pad_send_event(entry, gst_event_new_eos());
}

static void
drain(Attempt *attempt)
{
    if (!send_end(attempt))
        return;
    GstMessage *end = gst_bus_timed_pop_filtered(
        attempt->bus, DRAIN_TIME, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    if (end)
        gst_message_unref(end);
}

// Is there something installed that reads the address? GStreamer looks for
// plugins once, when the program starts.
static bool
check_protocol(const Address *address, GError **error)
{
    if (address->kind != ADDRESS_NETWORK)
        return true;
    g_autofree char *protocol = gst_uri_get_protocol(address->uri);
    if (gst_uri_protocol_is_supported(GST_URI_SRC, protocol))
        return true;
    g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                "no element of GStreamer that is installed reads addresses "
                "with %s://",
                protocol);
    return false;
}

static gpointer
run(gpointer data)
{
    Attempt *attempt = data;
    g_autoptr(GError) error = NULL;
    if (!check_protocol(attempt->address, &error))
        send_fault(attempt, REASON_ERROR, FAULT_FINAL,
                   g_strdup(error->message));
    else if (!pipeline_build(attempt->pipeline, attempt->inference,
                             &attempt->plan, &attempt->seen, &attempt->findings,
                             &error))
        send_fault(attempt, REASON_ERROR, FAULT_USUAL,
                   g_strdup(error->message));
    else if (gst_element_set_state(attempt->pipeline, GST_STATE_PLAYING) ==
             GST_STATE_CHANGE_FAILURE)
        // Whoever failed has told it on the bus, as a rule.
        gst_bus_post(
            attempt->bus,
            gst_message_new_error(
                GST_OBJECT(attempt->pipeline),
                g_error_new_literal(GST_CORE_ERROR, GST_CORE_ERROR_STATE_CHANGE,
                                    "The pipeline did not start."),
                NULL));
    __atomic_store_n(&attempt->prepared, g_get_monotonic_time(),
                     __ATOMIC_RELEASE);
    read_bus(attempt);
    drain(attempt);
    gst_element_set_state(attempt->pipeline, GST_STATE_NULL);
    gst_object_unref(attempt->pipeline);
    send_event(attempt, (AttemptEvent){.type = ATTEMPT_CLOSED});
    attempt_unref(attempt);
    return NULL;
}

// ---- For the main thread ---------------------------------------------------

static GstElement *
make_inference(const LiveConfig *common, const StreamConfig *config)
{
    GstElement *inference = gst_element_factory_make("peinference", NULL);
    g_object_set(inference, "source-id", config->name, "batch-size",
                 (guint)common->batch, "threads", (guint)common->threads,
                 "post-messages", FALSE, NULL);
    gst_util_set_object_arg(G_OBJECT(inference), "mode", "latest");
    if (common->model)
        g_object_set(inference, "model", common->model, NULL);
    if (common->vocab)
        g_object_set(inference, "vocab", common->vocab, NULL);
    if (common->device)
        g_object_set(inference, "device", common->device, NULL);
    if (common->precision)
        gst_util_set_object_arg(G_OBJECT(inference), "precision",
                                common->precision);
    settings_apply(config->settings, inference);
    return inference;
}

// Returns a reference, or NULL.
static GstElement *
make_overlay(const LiveConfig *common)
{
    return common->overlay ? gst_object_ref_sink(
                                 gst_element_factory_make("peoverlay", NULL))
                           : NULL;
}

// The same. Its name in results tells them from those of peinference.
static GstElement *
make_health(const LiveConfig *common, const StreamConfig *config)
{
    if (!common->health)
        return NULL;
    GstElement *health = gst_element_factory_make("pehealth", NULL);
    g_object_set(health, "source-id", config->name, NULL);
    return gst_object_ref_sink(health);
}

Attempt *
attempt_new(const LiveConfig *common, const StreamConfig *config,
            AttemptFunc func, void *user_data)
{
    Attempt *attempt = g_new0(Attempt, 1);
    attempt->n_refs = 2; // the caller's and the thread's
    attempt->func = func;
    attempt->user_data = user_data;
    attempt->pipeline = gst_pipeline_new(NULL);
    attempt->bus = gst_element_get_bus(attempt->pipeline);
    attempt->inference = gst_object_ref_sink(make_inference(common, config));
    attempt->address = address_copy(config->address);
    attempt->findings = (PipelineFindings){
        .result = on_result, .line = on_line, .user_data = attempt};
    attempt->plan = (StreamPlan){
        .address = attempt->address,
        .transport = g_strdup(config->transport),
        .overlay = make_overlay(common),
        .health = make_health(common, config),
    };
    if (attempt->plan.health)
        attempt->findings.health = GST_OBJECT_NAME(attempt->plan.health);
    if (common->kept > 0) {
        attempt->packets = packets_new(common->kept, KEPT_BYTES);
        packets_watch(attempt->packets, attempt->pipeline);
    }
    attempt->again = config->loop;
    attempt->restarts = config->loop || address_is_live(config->address);
    g_thread_unref(g_thread_new("pe-live-stream", run, attempt));
    return attempt;
}

void
attempt_stop(Attempt *attempt, bool with_drain)
{
    g_atomic_int_set(&attempt->drain, with_drain);
    gst_bus_post(attempt->bus,
                 gst_message_new_application(
                     NULL, gst_structure_new_empty(STOP_MESSAGE)));
}

gint64
attempt_get_prepared(Attempt *attempt)
{
    return __atomic_load_n(&attempt->prepared, __ATOMIC_ACQUIRE);
}

gint64
attempt_get_last_frame(Attempt *attempt)
{
    return __atomic_load_n(&attempt->seen.last_frame, __ATOMIC_ACQUIRE);
}

guint64
attempt_get_n_frames(Attempt *attempt)
{
    return __atomic_load_n(&attempt->seen.n_frames, __ATOMIC_ACQUIRE);
}

void
attempt_want_picture(Attempt *attempt, PictureUse use)
{
    g_atomic_int_set(&attempt->seen.wanted[use], TRUE);
}

GstSample *
attempt_take_picture(Attempt *attempt, PictureUse use)
{
    return __atomic_exchange_n(&attempt->seen.pictures[use], NULL,
                               __ATOMIC_ACQ_REL);
}

void
attempt_set_text_size(Attempt *attempt, double share)
{
    if (attempt->plan.overlay)
        g_object_set(attempt->plan.overlay, "text-size", share, NULL);
}

Packets *
attempt_get_packets(Attempt *attempt)
{
    return attempt->packets;
}

void
attempt_set_labels(Attempt *attempt, const char *labels)
{
    g_object_set(attempt->inference, "labels-file", NULL, "labels", labels,
                 NULL);
}

GstStructure *
attempt_get_stats(Attempt *attempt)
{
    GstStructure *stats = NULL;
    g_object_get(attempt->inference, "stats", &stats, NULL);
    return stats;
}
