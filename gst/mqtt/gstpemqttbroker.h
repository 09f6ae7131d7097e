// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttbroker.h - MQTT, as the sink needs it.

#pragma once

#include "gst/sink/gstpebroker.h"

extern const GstPeBroker gst_pe_mqtt_broker;
