// SPDX-License-Identifier: LGPL-2.1-or-later
//
// page.h - moments as a page for a browser.

#pragma once

#include "moments.h"

// Write one file that needs no other but the videos: a picture of each moment,
// the scores of its file (of moments with lines), and a player. It runs no
// scripts and asks no network, whatever names and labels are. false with the
// error.
bool page_write(const char *path, const GPtrArray *moments, const Query *query,
                GError **error);
