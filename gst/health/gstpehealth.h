// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehealth.h - watches whether a camera still shows what it should.

#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_PE_HEALTH (gst_pe_health_get_type())
G_DECLARE_FINAL_TYPE(GstPeHealth, gst_pe_health, GST, PE_HEALTH,
                     GstBaseTransform)
GST_ELEMENT_REGISTER_DECLARE(pehealth);

G_END_DECLS
