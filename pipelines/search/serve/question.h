// SPDX-License-Identifier: LGPL-2.1-or-later
//
// question.h - a search that came by HTTP.

#pragma once

#include "pipelines/search/find.h"
#include "pipelines/search/serve/handle.h"
#include "pipelines/search/serve/worker.h"

typedef struct {
    ArchiveHandle *handle;
    Searcher searcher;
} QuestionState;

// A WorkFunc.
//   state  QuestionState *
//   asked  the query of the URI, char *
Answer *question_answer(void *state, void *asked);
