// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plugin.c - registers pemqttsink.

/**
 * SECTION:element-pemqttsink
 * @title: pemqttsink
 * @short_description: sends a JSON stream to an MQTT broker
 *
 * Each line of JSON that comes, as #pemetaconvert writes them, becomes a
 * message of MQTT. With `spool` a record is in a file before the stream goes
 * on, and arrives at least once, in order within its stream, whatever happens
 * to the broker, the network or this process. With `ha-discovery` Home
 * Assistant gets to know each source as a device with its labels' states.
 * docs/mqtt.md has all of it.
 *
 * Element messages `pemqttsink` on the bus have the fields `connection`
 * (`connecting`, `connected`, `lost` or `closed`) and, when it is lost,
 * `reason` and `retry-in` in nanoseconds. They hold no credentials.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert !
 * peinference labels="a dog|a cat" ! pemetaconvert !
 * pemqttsink host=broker.example topic=cameras/{source} spool=spool.db
 * ]|
 *
 * Since: 0.1
 */

#include "gst/mqtt/gstpemqttbroker.h"
#include "gst/sink/gstpesink.h"

#include <mosquitto.h>

static gboolean
plugin_init(GstPlugin *plugin)
{
    return mosquitto_lib_init() == MOSQ_ERR_SUCCESS &&
           gst_pe_sink_register(plugin, &gst_pe_mqtt_broker);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, pemqtt,
                  "Sends JSON lines to MQTT brokers", plugin_init,
                  PACKAGE_VERSION, "LGPL", PACKAGE, PACKAGE_ORIGIN)
