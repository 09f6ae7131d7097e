// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gst_helpers.h - what the tests of the elements share: a tiny model that lives
// as long as the program, harnesses around peinference, frames to push.

#pragma once

#include "gst/meta/gstpemeta.h"

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <stdbool.h>

#define FRAME_WIDTH 96
#define FRAME_HEIGHT 64
#define FRAME_DURATION (GST_SECOND / 25)
#define FRAME_CAPS "video/x-raw,format=RGB,width=96,height=64,framerate=25/1"

// gst_init() and g_test_init(), then the tests, then everything is cleaned up.
int run_gst_tests(int argc, char **argv, void (*add_tests)(void));
// The same with the model in this file in place of the tiny one.
int run_gst_tests_on(const char *path, int argc, char **argv,
                     void (*add_tests)(void));

// The path of the tiny model.
const char *tiny_model_path(void);

// A peinference on the tiny model in fp32, for every frame, with properties as
// on a command line
// ("clip-length=2 mode=exact"), in NULL.
GstElement *make_inference(const char *properties);
// An element (taken) in a harness that plays, not live, with a bus of its own
// and frames of these caps.
GstHarness *play_element(GstElement *element, const char *caps);
// make_inference() in that, with FRAME_CAPS.
GstHarness *play_inference(const char *properties);
// The end of a harness and of its element's bus.
void stop(GstHarness *h);

// Ends the test as skipped when an element is missing.
bool have_elements(const char *const *names);

// Of a result, without embedding and labels.
extern const GstPeResultFields example_fields;
// The same with everything else that can be known.
extern const GstPeResultFields full_fields;

// The floats of its embedding, which it must have; borrowed.
GBytes *get_embedding(const GstPeResult *result);

// Frame `index` of a moving pattern, with its timestamp and duration.
GstBuffer *make_frame(int index);

// Push frames first .. first + n - 1.
void push_frames(GstHarness *h, int first, int n);
// Pull a buffer, or fail after some seconds.
GstBuffer *pull(GstHarness *h);
// The embedding that one buffer, which is taken, leaves with. Returns a
// reference.
GBytes *embed_buffer(GstHarness *h, GstBuffer *buffer);
// Pull n buffers; returns how many carried a result.
int pull_frames(GstHarness *h, int n);

// The next event of a type after others that are dropped; NULL: none within
// some seconds.
GstEvent *pull_event(GstHarness *h, GstEventType type);

guint64 get_stat(GstElement *element, const char *name);

// Wait for a message of these types; NULL after some seconds.
GstMessage *wait_message(GstBus *bus, GstMessageType types);

// Play until the end of the stream, which must come without an error; then the
// pipeline is in NULL.
void run_to_the_end(GstElement *pipeline);
