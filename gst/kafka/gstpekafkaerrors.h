// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpekafkaerrors.h - what librdkafka's errors mean for a record and for a
// connection.

#pragma once

#include "gst/sink/gstpebroker.h"

#include <librdkafka/rdkafka.h>

// Of a record that was not delivered, or could not be handed out: UNSENDABLE
// when the record is the reason; else LOST or REFUSED, and it is sent again.
GstPeBrokerResult gst_pe_kafka_errors_of_record(rd_kafka_resp_err_t code);

// That end a producer: LOST or REFUSED.
GstPeBrokerResult gst_pe_kafka_errors_of_producer(rd_kafka_resp_err_t code);

// Has the broker less than it had acknowledged?
bool gst_pe_kafka_errors_is_loss(rd_kafka_resp_err_t code);

// Do the words tell an alert of TLS by which the other side refuses ours, such
// as our certificate? In TLS 1.3 it comes when the connection is already used.
bool gst_pe_kafka_errors_is_alert(const char *words);
