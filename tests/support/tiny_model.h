// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tiny_model.h - a whole PE model, small enough to be written by a test: both
// towers with random weights, and the vocabulary that belongs to them.

#pragma once

#include <glib.h>
#include <stdint.h>

#include "core/pe.h"

// What the files hold: 64x64 pixels, patches of 16, width 64, two layers, one
// head and a class token; a text tower of width 64, two layers, 32 tokens and
// 512 + TINY_MODEL_MERGES + 2 vocabulary entries; embeddings of 48.
#define TINY_MODEL_SIZE 64
#define TINY_MODEL_DIM 48
#define TINY_MODEL_MERGES 4

// Write `dir`/tiny.safetensors and `dir`/bpe_simple_vocab_16e6.txt. Equal seeds
// give equal files. Returns the path of the model, g_free(); fails the test
// when the folder cannot be written.
char *tiny_model_write(const char *dir, uint32_t seed);

// The same in a new temporary folder.
char *tiny_model_new(uint32_t seed);

// Write NaN over the first value of a tensor of the file.
void tiny_model_spoil(const char *path, const char *tensor);

// Remove what tiny_model_new() made; takes the path.
void tiny_model_remove(char *path);

// A tiny model in a temporary folder, opened.
typedef struct {
    char *path;
    PeModel *model;
    PeTokenizer *tokenizer;
} TinyModel;

void tiny_model_open(TinyModel *tiny, uint32_t seed);
void tiny_model_close(TinyModel *tiny);
