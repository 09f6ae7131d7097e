// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeproperties.h - the properties of peinference.

#pragma once

#include "gst/inference/gstpeinference.h"

void gst_pe_properties_install(GObjectClass *klass);
// Their defaults.
void gst_pe_properties_init(GstPeInference *self);
