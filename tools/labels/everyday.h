// SPDX-License-Identifier: LGPL-2.1-or-later
//
// everyday.h - what cameras see on most days, in our own words: the list that
// pe-labels proposes negatives from.

#pragma once

// NULL-terminated.
extern const char *const everyday_things[];
