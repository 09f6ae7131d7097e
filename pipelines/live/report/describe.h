// SPDX-License-Identifier: LGPL-2.1-or-later
//
// describe.h - streams as JSON: for status lines and for answers to commands.
// docs/schema/pe-live.json is the schema. Nothing here has secrets.

#pragma once

#include <json-glib/json-glib.h>

#include "pipelines/live/streams.h"

// Begin the object of a line of this type, with the time.
JsonBuilder *describe_begin(const char *type);
// End the object. Takes builder; returns the line, g_free().
char *describe_end(JsonBuilder *builder);

void describe_text(JsonBuilder *builder, const char *key, const char *value);
void describe_int(JsonBuilder *builder, const char *key, gint64 value);
void describe_number(JsonBuilder *builder, const char *key, double value);
// UNIX time in us, as ISO 8601 in UTC.
void describe_wall_time(JsonBuilder *builder, const char *key, gint64 time);

// Members of the object that is open: name, status, reason, where from.
void describe_status(JsonBuilder *builder, const Stream *stream);
// And the counts.
void describe_stats(JsonBuilder *builder, const Stream *stream);
// And the labels of the newest result with their scores.
void describe_labels(JsonBuilder *builder, const Stream *stream);
// And the events of the last hour.
void describe_events(JsonBuilder *builder, const Stream *stream);
// What all streams have together, and what the process uses.
void describe_totals(JsonBuilder *builder, const Streams *streams);

typedef struct {
    gint64 resident_bytes;
    int n_threads, n_fds;
} ProcessUse;

ProcessUse describe_process(void);

// The best label of the newest result and its score; "unknown" and the share of
// the negatives when the result is that.
// Returns, g_free(), or NULL when there is none.
char *describe_top_label(const Stream *stream, double *score);
