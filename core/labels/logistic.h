// SPDX-License-Identifier: LGPL-2.1-or-later
//
// logistic.h - from log-odds to probabilities. Private to core.

#pragma once

#include <math.h>

// 1 / (1 + exp(-x)), of any x without overflow.
static inline double
pe_logistic(double x)
{
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}
