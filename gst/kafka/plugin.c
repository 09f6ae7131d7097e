// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plugin.c - registers pekafkasink.

/**
 * SECTION:element-pekafkasink
 * @title: pekafkasink
 * @short_description: sends a JSON stream to Apache Kafka
 *
 * Each line of JSON that comes, as #pemetaconvert writes them, becomes a
 * record of Kafka, whose key is the line's source. With `spool` it is in a file
 * before the stream goes on, and arrives at least once, in order within its
 * source, whatever happens to the brokers, the network or this process.
 * docs/kafka.md has all of it.
 *
 * Element messages `pekafkasink` on the bus have the fields `connection`
 * (`connecting`, `connected`, `lost` or `closed`) and, when it is lost,
 * `reason` and `retry-in` in nanoseconds. They hold no credentials.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert !
 * peinference labels="a dog|a cat" ! pemetaconvert !
 * pekafkasink bootstrap-servers=broker.example:9092 topic=cameras
 * spool=spool.db
 * ]|
 *
 * Since: 0.1
 */

#include "gst/kafka/gstpekafkabroker.h"
#include "gst/sink/gstpesink.h"

static gboolean
plugin_init(GstPlugin *plugin)
{
    return gst_pe_sink_register(plugin, &gst_pe_kafka_broker);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, pekafka,
                  "Sends JSON lines to Apache Kafka", plugin_init,
                  PACKAGE_VERSION, "LGPL", PACKAGE, PACKAGE_ORIGIN)
