// SPDX-License-Identifier: LGPL-2.1-or-later
//
// score_helpers.h - what the tests of pescore share: results of several
// elements, in their order, to be compared.

#pragma once

#include "tests/support/gst_helpers.h"

// A peinference with these properties on the tiny model, and a pescore with
// those behind it, in a harness like that of play_inference().
GstHarness *play_score(const char *inference, const char *score);
// A pescore on the tiny model in a harness, alone.
GstHarness *play_score_alone(const char *properties);

// Of an element: its name, or NULL for any; NULL for its window.
typedef struct {
    GPtrArray *results; // GstPeResult, in the order of their events
    GString *frames;    // which frames carry them: "3:0 7:1 ", number:sequence
} Found;

Found *found_new(void);
void found_free(Found *found);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Found, found_free)

// End the stream, and take all that the harness has sent.
Found *found_read(GstHarness *h, const char *element);

// The same clips with the same embeddings and scores; the name of the first
// difference is printed with `what`.
void assert_same(const Found *a, const Found *b, const char *what);
void assert_same_result(const GstPeResult *a, const GstPeResult *b,
                        const char *what);

// "start+length:frames" of each result, in ms, with the first letter of the
// reason of a partial clip. Returns, g_free().
char *describe(const Found *found);
