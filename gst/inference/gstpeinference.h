// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeinference.h - the element's instance: what its two threads share, and
// what belongs to each of them. See gst/inference/flow.

#pragma once

#include "gst/engine/gstpeloader.h"
#include "gst/inference/flow/gstpeinput.h"
#include "gst/inference/flow/gstpeoutput.h"
#include "gst/inference/flow/gstpeshared.h"

G_BEGIN_DECLS

#define GST_TYPE_PE_INFERENCE (gst_pe_inference_get_type())
G_DECLARE_FINAL_TYPE(GstPeInference, gst_pe_inference, GST, PE_INFERENCE,
                     GstElement)
GST_ELEMENT_REGISTER_DECLARE(peinference);

struct _GstPeInference {
    GstElement parent;
    GstPeShared shared;
    GstPeLoader *loader; // of whoever changes the state
    GstPeStream *input;
    GstPeOutput *output;
};

G_END_DECLS
