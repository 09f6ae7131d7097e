// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqtttls.c - see gstpemqtttls.h.

#include "gst/mqtt/gstpemqtttls.h"

#include "core/pe.h"
#include "gst/sink/gstpecertificates.h"

#include <openssl/x509v3.h>

struct GstPeMqttTls {
    SSL_CTX *context;
    char *host;
    char *reason; // of the broker's certificate
};

// ---- The broker's certificate ---------------------------------------------

static GstPeMqttTls *
find_tls(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

// Keeps what was wrong at first, with whose certificate.
static int
verify(int is_good, X509_STORE_CTX *store)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    GstPeMqttTls *tls = find_tls(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);

    if (is_good || tls->reason)
        return is_good;
    tls->reason = gst_pe_certificates_describe(certificate,
                                               X509_STORE_CTX_get_error(store));
    return 0;
}

// libmosquitto is given an address; brokers that share one are told the name.
static void
name_server(const SSL *ssl, int where, int value)
{
    const GstPeMqttTls *tls = find_tls(ssl);

    if ((where & SSL_CB_HANDSHAKE_START) &&
        !g_hostname_is_ip_address(tls->host))
        SSL_set_tlsext_host_name((SSL *)ssl, tls->host);
}

static void
expect_host(SSL_CTX *context, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);

    if (g_hostname_is_ip_address(host))
        X509_VERIFY_PARAM_set1_ip_asc(param, host);
    else
        X509_VERIFY_PARAM_set1_host(param, host, 0);
}

GstPeMqttTls *
gst_pe_mqtt_tls_new(const GstPeMqttSettings *settings, GError **error)
{
    GstPeMqttTls *tls = g_new0(GstPeMqttTls, 1);

    tls->host = g_strdup(settings->host);
    tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls->context) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "OpenSSL gives no context for TLS");
    } else if (gst_pe_certificates_load(&settings->files, tls->context,
                                        error)) {
        SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
        SSL_CTX_set_app_data(tls->context, tls);
        SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, verify);
        SSL_CTX_set_info_callback(tls->context, name_server);
        // As libmosquitto sets it for its own contexts.
        SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                           SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        expect_host(tls->context, settings->host);
        return tls;
    }
    gst_pe_mqtt_tls_free(tls);
    return NULL;
}

void
gst_pe_mqtt_tls_free(GstPeMqttTls *tls)
{
    SSL_CTX_free(tls->context);
    g_free(tls->host);
    g_free(tls->reason);
    g_free(tls);
}

void *
gst_pe_mqtt_tls_get_context(GstPeMqttTls *tls)
{
    return tls->context;
}

const char *
gst_pe_mqtt_tls_get_reason(GstPeMqttTls *tls)
{
    return tls->reason;
}
