// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gst_analytics_helpers.h - what the tests of GStreamer's own metadata share: a
// table of tests that are skipped where GStreamer is too old, and ways through
// relations.

#pragma once

#include "tests/support/gst_helpers.h"

// The test, or NULL, for the table.
#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#define SINCE_1_24(function) function
#else
#define SINCE_1_24(function) NULL
#endif
#if defined(HAVE_GST_ANALYTICS) && GST_CHECK_VERSION(1, 26, 0)
#define SINCE_1_26(function) function
#else
#define SINCE_1_26(function) NULL
#endif
#if defined(HAVE_GST_ANALYTICS) && GST_CHECK_VERSION(1, 28, 0)
#define SINCE_1_28(function) function
#else
#define SINCE_1_28(function) NULL
#endif

typedef struct {
    const char *name;
    void (*function)(void); // NULL: this version does not have it
    const char *since;      // the first one that has
} VersionTest;

// Borrows the table as long as tests run.
void add_version_tests(const VersionTest *tests, gsize n);

#ifdef HAVE_GST_ANALYTICS
// The first frame that leaves a peinference with these properties, which is
// returned in *h to be stopped.
GstBuffer *look_at_a_frame(GstHarness **h, const char *properties);
// Its relations, which it must have.
GstAnalyticsRelationMeta *get_relations(GstBuffer *buffer);
// The box behind *state, which is NULL at first; false: there is none.
bool next_box(GstAnalyticsRelationMeta *meta, gpointer *state,
              GstAnalyticsODMtd *box);
// The classification that belongs to a box, by each of the relations that
// readers ask for.
GstAnalyticsClsMtd find_labels(GstAnalyticsRelationMeta *meta,
                               const GstAnalyticsODMtd *box);
#endif
