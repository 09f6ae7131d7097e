// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpecertificates.c - see gstpecertificates.h.

#include "gst/sink/gstpecertificates.h"

#include "core/pe.h"
#include "gst/labels/gstpeproperty.h"

#include <openssl/err.h>

// With the first of OpenSSL's errors, and none left for others.
static bool
fail(GError **error, const char *file, const char *expected)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: expected %s, found: %s",
                file, expected, reason ? reason : "something else");
    ERR_clear_error();
    return false;
}

static bool
check_time(SSL_CTX *context, const char *file, GError **error)
{
    X509 *certificate = SSL_CTX_get0_certificate(context);

    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: the certificate has expired", file);
        return false;
    }
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: the certificate is not valid yet", file);
        return false;
    }
    return true;
}

// A passphrase would be asked for on the terminal.
static int
give_no_passphrase(char *buffer, int size, int is_writing, void *data)
{
    return -1;
}

static bool
load_own(SSL_CTX *context, const char *cert, const char *key, GError **error)
{
    SSL_CTX_set_default_passwd_cb(context, give_no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return fail(error, cert, "a PEM file with a certificate");
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return fail(error, key,
                    "a PEM file with the key to cert, without a passphrase");
    return check_time(context, cert, error);
}

bool
gst_pe_certificates_are_wanted(const GstPeCertificates *files)
{
    return files->tls || gst_pe_property_is_set(files->ca) ||
           gst_pe_property_is_set(files->cert);
}

bool
gst_pe_certificates_load(const GstPeCertificates *files, SSL_CTX *context,
                         GError **error)
{
    if (gst_pe_property_is_set(files->ca)) {
        if (SSL_CTX_load_verify_locations(context, files->ca, NULL) != 1)
            return fail(error, files->ca, "a PEM file with certificates");
    } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
        return fail(error, "the system's certificates", "files to read");
    }
    return !gst_pe_property_is_set(files->cert) ||
           load_own(context, files->cert, files->key, error);
}

bool
gst_pe_certificates_check(const GstPeCertificates *files, GError **error)
{
    if (gst_pe_property_is_set(files->cert) !=
        gst_pe_property_is_set(files->key)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "expected cert and key, found only one of them");
        return false;
    }
    if (!gst_pe_certificates_are_wanted(files))
        return true;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    bool ok = context ? gst_pe_certificates_load(files, context, error)
                      : fail(error, "TLS", "a context");
    SSL_CTX_free(context);
    return ok;
}

char *
gst_pe_certificates_describe(X509 *certificate, int reason)
{
    char subject[256] = "";

    if (certificate)
        X509_NAME_oneline(X509_get_subject_name(certificate), subject,
                          sizeof subject);
    return g_strdup_printf("the certificate of %s: %s", subject,
                           X509_verify_cert_error_string(reason));
}
