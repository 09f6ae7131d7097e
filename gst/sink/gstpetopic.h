// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetopic.h - the topic of each record: a template such as
// "cameras/{source}/{label}", in which the names in braces are members of the
// record's JSON object.

#pragma once

#include "gst/sink/gstpebroker.h"

typedef struct GstPeTopic GstPeTopic;

// Returns NULL with an error of PE_ERROR_FORMAT that says what is wrong where.
GstPeTopic *gst_pe_topic_new(const char *template, const GstPeBroker *broker,
                             GError **error);
void gst_pe_topic_free(GstPeTopic *topic);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeTopic, gst_pe_topic_free)

// Topic and key (the source, else the stream-id, else "") of a record, both
// g_free(). What the record does not have is "unknown" in the topic. Any one
// thread. Returns false with an error that names the byte, for a record that is
// no JSON object, or whose topic would be too long.
bool gst_pe_topic_name(GstPeTopic *topic, const char *text, gsize size,
                       char **name, char **key, GError **error);
