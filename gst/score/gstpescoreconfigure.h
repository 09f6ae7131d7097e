// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescoreconfigure.h - what the properties of pescore ask for, as windows.

#pragma once

#include "gst/score/gstpescore.h"

// Use the windows that the properties ask for; others than before end what was
// there. false, with the error set: they make no sense, and nothing changed.
bool gst_pe_score_configure(GstPeScore *self, GError **error);
