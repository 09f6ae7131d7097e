// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpekafkaerrors.c - see gstpekafkaerrors.h.

#include "gst/kafka/gstpekafkaerrors.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

GstPeBrokerResult
gst_pe_kafka_errors_of_record(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return GST_PE_BROKER_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: // its name
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return GST_PE_BROKER_UNSENDABLE;
    // A topic, or a right, that somebody may yet give: nothing is set aside.
    default:
        return gst_pe_kafka_errors_of_producer(code);
    }
}

GstPeBrokerResult
gst_pe_kafka_errors_of_producer(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
        return GST_PE_BROKER_REFUSED;
    default:
        return GST_PE_BROKER_LOST;
    }
}

// The numbers of a producer's records do not go on where they had ended.
bool
gst_pe_kafka_errors_is_loss(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID;
}

bool
gst_pe_kafka_errors_is_alert(const char *words)
{
    static const char before[] = "SSL alert number ";
    static const int numbers[] = {
        TLS1_AD_UNKNOWN_CA,          TLS1_AD_ACCESS_DENIED,
        TLS1_AD_PROTOCOL_VERSION,    TLS1_AD_INSUFFICIENT_SECURITY,
        TLS1_AD_UNRECOGNIZED_NAME,   SSL3_AD_HANDSHAKE_FAILURE,
        SSL3_AD_BAD_CERTIFICATE,     SSL3_AD_UNSUPPORTED_CERTIFICATE,
        SSL3_AD_CERTIFICATE_REVOKED, SSL3_AD_CERTIFICATE_EXPIRED,
        SSL3_AD_CERTIFICATE_UNKNOWN, TLS13_AD_CERTIFICATE_REQUIRED,
    };
    const char *found = strstr(words, before);

    for (guint i = 0; found && i < G_N_ELEMENTS(numbers); i++)
        if (atoi(found + strlen(before)) == numbers[i])
            return true;
    return false;
}
