// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqtttls.h - TLS of connections to a broker, by OpenSSL, which
// libmosquitto uses too: so that what is wrong with a certificate can be told
// in words.

#pragma once

#include "gst/mqtt/gstpemqttsettings.h"

typedef struct GstPeMqttTls GstPeMqttTls;

// For one connection. Returns NULL with the error.
GstPeMqttTls *gst_pe_mqtt_tls_new(const GstPeMqttSettings *settings,
                                  GError **error);
void gst_pe_mqtt_tls_free(GstPeMqttTls *tls);
// The SSL_CTX, for libmosquitto, which takes a reference.
void *gst_pe_mqtt_tls_get_context(GstPeMqttTls *tls);
// What was wrong with the broker's certificate, or NULL; borrowed.
const char *gst_pe_mqtt_tls_get_reason(GstPeMqttTls *tls);
