// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpecertificates.h - the files of certificates that a user names, read by
// OpenSSL: so that what is wrong with one is known before there is a
// connection, and said in words.

#pragma once

#include <glib.h>
#include <openssl/ssl.h>
#include <stdbool.h>

// As they are in a sink's settings: PEM files; NULL or empty: not set.
typedef struct {
    bool tls;   // asked for also by ca or cert
    char *ca;   // of who signed the broker's; not set: the system's
    char *cert; // of this client
    char *key;  // to cert, without a passphrase
} GstPeCertificates;

// Is TLS asked for, by itself or by a file for it?
bool gst_pe_certificates_are_wanted(const GstPeCertificates *files);

// Read them into a context. Returns false with the error, also for a
// certificate of ours that has expired.
bool gst_pe_certificates_load(const GstPeCertificates *files, SSL_CTX *context,
                              GError **error);

// The same for the error only, and whether cert and key come together.
bool gst_pe_certificates_check(const GstPeCertificates *files, GError **error);

// What is wrong with a broker's certificate: its subject, and the reason (an
// X509_V_ERR) in words. g_free(). `certificate` may be NULL.
char *gst_pe_certificates_describe(X509 *certificate, int reason);
