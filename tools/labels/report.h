// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.h - what pe-labels check prints: lines, or one object of JSON
// (docs/schema/pe-labels.json).

#pragma once

#include "tools/labels/captions.h"
#include "tools/labels/check.h"
#include "tools/labels/firing.h"

//   path    of the labels file
//   firing  without clips when none were given
void report_print(const Check *check, const Firing *firing);
void report_print_json(const Check *check, const char *path,
                       const Captions *captions, const Firing *firing);
