// SPDX-License-Identifier: LGPL-2.1-or-later
//
// words.h - the classes and templates of a classification, from files or from
// what a Python package brings. Knows no model.

#pragma once

#include "core/pe.h"

typedef struct {
    GPtrArray *classes; // EvalClass *; NULL: those that the data has
    bool partial;       // what is of no class is left out
    char **templates;   // with "{}"
} EvalWords;

// classes    NULL: what the data has
//            "imagenet": the 1000, "imagenet-a": 200 of them
//            "objectnet": the 113 that its own lists, which lie in `data`,
//            beside it or in mappings/, share with ImageNet
//            FILE: a class a line, "name" or "id<tab>name"; or JSON: a list of
//            names or an object {id: name}
//            FILE.json:KEY: the same under a key
// templates  NULL: PE_DEFAULT_TEMPLATE for videos, else "a photo of {}."
//            "imagenet": the 80, FILE: one a line, or a list in JSON;
//            FILE.json:KEY; "{c}" is "{}"
// What is not in a file is read from the Python packages open_clip_torch and
// clip-benchmark, which python3 finds; without them the error has the command
// that installs them.
bool eval_words_load(EvalWords *words, const char *classes,
                     const char *templates, const char *data, bool videos,
                     GError **error);
void eval_words_clear(EvalWords *words);
