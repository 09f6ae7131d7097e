// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeenginequery.h - a question that goes upstream: which engine is there?

#pragma once

#include "gst/engine/gstpeloader.h"

// Ask the nearest element upstream of the pad that has an engine. false: there
// is none. *settings needs gst_pe_engine_settings_clear() then.
bool gst_pe_engine_query_ask(GstPad *sinkpad, GstPeEngineSettings *settings);
// Is it that question?
bool gst_pe_engine_query_is(GstQuery *query);
void gst_pe_engine_query_answer(GstQuery *query,
                                const GstPeEngineSettings *settings);
