// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescoreflow.h - what pescore does with buffers and events: results of the
// tower that pass are samples; what they complete is scored, and follows them.

#pragma once

#include "gst/score/gstpescore.h"

// Installs the functions of the pads.
void gst_pe_score_flow_init(GstPeScore *self);
void gst_pe_score_flow_clear(GstPeScore *self);

// Takes the engine; with inactive pads. false, with the error set: the windows
// that are asked for make no sense.
bool gst_pe_score_flow_start(GstPeScore *self, PeEngine *engine,
                             GError **error);
void gst_pe_score_flow_stop(GstPeScore *self);
