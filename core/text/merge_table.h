// SPDX-License-Identifier: LGPL-2.1-or-later
//
// merge_table.h - the merges of a vocabulary by the pair of symbols that they
// join, while it is made; who reads it has pe_vocabulary_find().

#pragma once

#include "vocabulary.h"

// Room for n merges.
void pe_merge_table_make(PeVocabulary *v, int n);
// NULL, or the merge of the same pair that is there already.
const PeMerge *pe_merge_table_add(PeVocabulary *v, const PeMerge *merge);
// Of the symbols and all merges.
void pe_merge_table_take_fingerprint(PeVocabulary *v);
