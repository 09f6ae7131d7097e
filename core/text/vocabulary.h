// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vocabulary.h - the symbols and merges of a CLIP byte-level BPE vocabulary,
// and the encoding of one piece of text with them. Private to the tokenizer.
//
// A symbol is known by its token id throughout; strings exist only while a file
// is read.

#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int left, right; // ids of the two symbols
    int rank;        // lower merges first
    int merged;      // id of the result
} PeMerge;

typedef struct {
    int size;             // number of ids
    int start, end;       // ids of the special tokens
    int bytes[256];       // id of a byte inside a piece
    int finals[256];      // id of a byte that ends a piece
    PeMerge *merges;      // [mask + 1] open addressing; merged < 0: empty
    uint32_t mask;        // a power of two, less 1
    char fingerprint[17]; // hexadecimal, over everything above
} PeVocabulary;

// Read bpe_simple_vocab_16e6.txt[.gz], a Hugging Face tokenizer.json, or
// vocab.json and merges.txt by the name of either.
PeVocabulary *pe_vocabulary_open(const char *path, GError **error);
void pe_vocabulary_free(PeVocabulary *v);

// NULL when the pair never merges.
const PeMerge *pe_vocabulary_find(const PeVocabulary *v, int left, int right);

typedef struct {
    int id;
    size_t offset; // of its first byte in the text
} PeToken;

// Append the tokens of the piece text[offset, offset + size) to `tokens` (of
// PeToken).
void pe_bpe_encode(const PeVocabulary *v, const char *text, size_t offset,
                   size_t size, GArray *tokens);
