// SPDX-License-Identifier: LGPL-2.1-or-later
//
// firing.h - how often each label would be reported in given videos and
// pictures. For pe-labels.

#pragma once

#include "tools/labels/check.h"

typedef struct {
    int n_clips;
    int n_unknown; // no label fires, or the negatives are stronger
    int *n_fired;  // [labels]: clips in which it reaches its thresholds
    bool *fired;   // [clips]: does any?
} Firing;

// Add the clips of all files, as peinference makes them, to the check.
//   videos, pictures  NULL-terminated; may be NULL
// false with an error that names the file.
bool firing_read(Check *check, char **videos, char **pictures, GError **error);

// Count, and add warnings.
void firing_count(Check *check, Firing *firing);
void firing_clear(Firing *firing);
