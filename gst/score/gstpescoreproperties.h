// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescoreproperties.h - the properties of pescore.

#pragma once

#include "gst/score/gstpescore.h"

void gst_pe_score_properties_install(GObjectClass *klass);
void gst_pe_score_properties_init(GstPeScore *self);
