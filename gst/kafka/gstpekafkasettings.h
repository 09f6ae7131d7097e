// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpekafkasettings.h - the properties of pekafkasink besides those of every
// sink, what librdkafka is told of them, and Kafka's names of topics.

#pragma once

#include "gst/sink/gstpebroker.h"
#include "gst/sink/gstpecertificates.h"
#include "gst/sink/gstpepassword.h"

#include <librdkafka/rdkafka.h>

typedef enum {
    GST_PE_KAFKA_COMPRESSION_NONE,
    GST_PE_KAFKA_COMPRESSION_GZIP,
    GST_PE_KAFKA_COMPRESSION_SNAPPY,
    GST_PE_KAFKA_COMPRESSION_LZ4,
    GST_PE_KAFKA_COMPRESSION_ZSTD,
} GstPeKafkaCompression;

typedef enum {
    GST_PE_KAFKA_SASL_SCRAM_SHA_512,
    GST_PE_KAFKA_SASL_SCRAM_SHA_256,
    GST_PE_KAFKA_SASL_PLAIN,
} GstPeKafkaSasl;

typedef struct {
    char *servers; // HOST[:PORT],…
    char *client_id;
    int compression; // GstPeKafkaCompression
    GstPeUser user;
    int sasl; // GstPeKafkaSasl, where there is a user
    GstPeCertificates files;
} GstPeKafkaSettings;

#define GST_PE_KAFKA_N_ROWS 11
extern const GstPeProperty gst_pe_kafka_rows[GST_PE_KAFKA_N_ROWS];

// What librdkafka needs to know, without callbacks; rd_kafka_conf_destroy().
// NULL with the error, which holds no credentials.
rd_kafka_conf_t *
gst_pe_kafka_settings_configure(const GstPeKafkaSettings *settings,
                                GError **error);

// For GstPeBroker.
#define GST_PE_KAFKA_MAX_TOPIC 249
bool gst_pe_kafka_settings_check(const void *settings, GError **error);
void gst_pe_kafka_append_topic(GString *topic, const char *value);
const char *gst_pe_kafka_check_topic(const char *topic);
