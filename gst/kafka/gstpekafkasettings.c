// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpekafkasettings.c - see gstpekafkasettings.h.

#include "gst/kafka/gstpekafkasettings.h"

#include "core/pe.h"

#include <string.h>

#define READY (G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY)
#define SECRET (G_PARAM_WRITABLE | GST_PARAM_MUTABLE_READY)
#define STRING GST_PE_PROPERTY_STRING
#define AT(member) .offset = offsetof(GstPeKafkaSettings, member)

static GType compression_get_type(void);
static GType sasl_get_type(void);

const GstPeProperty gst_pe_kafka_rows[GST_PE_KAFKA_N_ROWS] = {
    {"bootstrap-servers", STRING, READY, AT(servers),
     .init_string = "localhost:9092",
     .blurb = "Brokers that are asked first, each HOST or HOST:PORT, with "
              "commas between them. They name all others"},
    {"client-id", STRING, READY, AT(client_id), .init_string = "pekafkasink",
     .blurb = "Name of this client in the brokers' logs and quotas"},
    {"compression", GST_PE_PROPERTY_ENUM, READY, AT(compression),
     .enum_type = compression_get_type, .init = GST_PE_KAFKA_COMPRESSION_NONE,
     .blurb = "How records that travel together are compressed"},
    {"user", STRING, READY, AT(user.name),
     .blurb = "Name of the user, for SASL. Empty: none"},
    {"password", STRING, SECRET, AT(user.password),
     .blurb = "Password of the user; cannot be read again. GStreamer itself "
              "logs the text of a pipeline: see password-file"},
    {"password-file", STRING, READY, AT(user.password_file),
     .blurb = "File whose first line is the password"},
    {"sasl-mechanism", GST_PE_PROPERTY_ENUM, READY, AT(sasl),
     .enum_type = sasl_get_type, .init = GST_PE_KAFKA_SASL_SCRAM_SHA_512,
     .blurb = "How the user's password is proved"},
    {"tls", GST_PE_PROPERTY_BOOLEAN, READY, AT(files.tls),
     .blurb = "Encrypt connections and check the brokers' certificates. Also "
              "when ca or cert is set"},
    {"ca", STRING, READY, AT(files.ca),
     .blurb = "PEM file with the certificates of who signed the brokers'. "
              "Empty: those that the system trusts"},
    {"cert", STRING, READY, AT(files.cert),
     .blurb = "PEM file with the certificate of this client"},
    {"key", STRING, READY, AT(files.key),
     .blurb = "PEM file with the key to cert, without a passphrase"},
};

static const GEnumValue compressions[] = {
    {GST_PE_KAFKA_COMPRESSION_NONE, "Not at all", "none"},
    {GST_PE_KAFKA_COMPRESSION_GZIP, "gzip", "gzip"},
    {GST_PE_KAFKA_COMPRESSION_SNAPPY, "Snappy", "snappy"},
    {GST_PE_KAFKA_COMPRESSION_LZ4, "LZ4", "lz4"},
    {GST_PE_KAFKA_COMPRESSION_ZSTD, "Zstandard, from Kafka 2.1 on", "zstd"},
    {0, NULL, NULL},
};

static const GEnumValue mechanisms[] = {
    {GST_PE_KAFKA_SASL_SCRAM_SHA_512, "SCRAM with SHA-512", "scram-sha-512"},
    {GST_PE_KAFKA_SASL_SCRAM_SHA_256, "SCRAM with SHA-256", "scram-sha-256"},
    {GST_PE_KAFKA_SASL_PLAIN, "The password itself, which only TLS hides",
     "plain"},
    {0, NULL, NULL},
};

static GType
compression_get_type(void)
{
    static GType type;

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeKafkaCompression", compressions);
        g_once_init_leave(&type, t);
    }
    return type;
}

static GType
sasl_get_type(void)
{
    static GType type;

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeKafkaSasl", mechanisms);
        g_once_init_leave(&type, t);
    }
    return type;
}

// ---- For librdkafka -------------------------------------------------------

// Unset values keep librdkafka's default.
static bool
set(rd_kafka_conf_t *conf, const char *name, const char *value, GError **error)
{
    char words[256];

    if (!gst_pe_property_is_set(value) ||
        rd_kafka_conf_set(conf, name, value, words, sizeof words) ==
            RD_KAFKA_CONF_OK)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "librdkafka: %s", words);
    return false;
}

// Whatever the user says.
static bool
set_constants(rd_kafka_conf_t *conf, GError **error)
{
    static const char *const values[][2] = {
        // Each record once and in order while a connection of ours lives,
        // acknowledged by all replicas that keep up.
        {"enable.idempotence", "true"},
        {"acks", "all"},
        // The same stream, the same partition, as a producer in Java has it.
        {"partitioner", "murmur2_random"},
        // How long a record may take is the worker's business.
        {"message.timeout.ms", "0"},
        {"linger.ms", "0"},
        // A batch above this has one record: what a broker says about its size
        // is about that record, and never about its neighbours.
        {"batch.size", "16384"},
        // The broker knows its limit, and max-record-size is ours.
        {"message.max.bytes", "300000000"},
        // A new topic needs a moment until all brokers know it.
        {"topic.metadata.propagation.max.ms", "5000"},
        {"socket.nagle.disable", "true"},
        {"socket.keepalive.enable", "true"},
        {"reconnect.backoff.max.ms", "2000"},
        {"log.queue", "true"},
        {"log.connection.close", "false"},
        {"log.thread.name", "false"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(values); i++)
        if (!set(conf, values[i][0], values[i][1], error))
            return false;
    return true;
}

static bool
set_credentials(rd_kafka_conf_t *conf, const GstPeKafkaSettings *settings,
                GError **error)
{
    GError *failure = NULL;
    g_autofree char *password = gst_pe_password_get(&settings->user, &failure);

    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    g_autofree char *mechanism =
        g_ascii_strup(mechanisms[settings->sasl].value_nick, -1);
    return set(conf, "sasl.mechanism", mechanism, error) &&
           set(conf, "sasl.username", settings->user.name, error) &&
           set(conf, "sasl.password", password, error);
}

rd_kafka_conf_t *
gst_pe_kafka_settings_configure(const GstPeKafkaSettings *settings,
                                GError **error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const GstPeCertificates *files = &settings->files;
    bool has_tls = gst_pe_certificates_are_wanted(files);
    bool has_user = gst_pe_property_is_set(settings->user.name);
    const char *protocol = has_tls    ? has_user ? "sasl_ssl" : "ssl"
                           : has_user ? "sasl_plaintext"
                                      : "plaintext";

    if (set_constants(conf, error) &&
        set(conf, "bootstrap.servers", settings->servers, error) &&
        set(conf, "client.id", settings->client_id, error) &&
        set(conf, "compression.codec",
            compressions[settings->compression].value_nick, error) &&
        set(conf, "security.protocol", protocol, error) &&
        (!has_user || set_credentials(conf, settings, error)) &&
        (!has_tls ||
         (set(conf, "ssl.ca.location", files->ca, error) &&
          set(conf, "ssl.certificate.location", files->cert, error) &&
          set(conf, "ssl.key.location", files->key, error))))
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

// ---- What is wrong with them ----------------------------------------------

// HOST, HOST:PORT or [ADDRESS]:PORT.
static bool
is_server(const char *text)
{
    const char *bracket = strrchr(text, ']');
    const char *colon = strchr(bracket ? bracket : text, ':');
    guint64 port;

    if (!*text || colon == text || strpbrk(text, " \t/{}\""))
        return false;
    return !colon ||
           g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL);
}

static bool
check_servers(const char *servers, GError **error)
{
    g_auto(GStrv) names = g_strsplit(servers ? servers : "", ",", -1);
    guint n = g_strv_length(names);

    for (guint i = 0; i < n; i++) {
        if (is_server(g_strstrip(names[i])))
            continue;
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "bootstrap-servers: expected HOST or HOST:PORT, with "
                    "commas between them, found \"%s\"",
                    names[i]);
        return false;
    }
    if (n == 0)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "bootstrap-servers: expected HOST or HOST:PORT, found "
                    "none");
    return n > 0;
}

static bool
check_user(const GstPeUser *user, GError **error)
{
    if (!gst_pe_property_is_set(user->name) ||
        gst_pe_property_is_set(user->password) ||
        gst_pe_property_is_set(user->password_file))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "there is a user but no password");
    return false;
}

bool
gst_pe_kafka_settings_check(const void *data, GError **error)
{
    const GstPeKafkaSettings *settings = data;

    if (!check_servers(settings->servers, error) ||
        !gst_pe_password_check(&settings->user, error) ||
        !check_user(&settings->user, error) ||
        !gst_pe_certificates_check(&settings->files, error))
        return false;
    rd_kafka_conf_t *conf = gst_pe_kafka_settings_configure(settings, error);
    if (conf)
        rd_kafka_conf_destroy(conf);
    return conf != NULL;
}

// ---- Topics ---------------------------------------------------------------

static bool
is_plain(char c)
{
    return g_ascii_isalnum(c) || c == '.' || c == '-';
}

// What Kafka does not allow, and _ itself: _ and two hexadecimal digits, as a
// URI has them behind %. The names . and .. are not allowed either.
void
gst_pe_kafka_append_topic(GString *topic, const char *value)
{
    for (const char *c = value; *c; c++) {
        bool is_dots = *c == '.' && topic->len < 2 &&
                       strspn(topic->str, ".") == topic->len;
        if (is_plain(*c) && !is_dots)
            g_string_append_c(topic, *c);
        else
            g_string_append_printf(topic, "_%02X", (guchar)*c);
    }
}

const char *
gst_pe_kafka_check_topic(const char *topic)
{
    const char *c = topic;
    gsize length = 0;

    if (strcmp(topic, ".") == 0 || strcmp(topic, "..") == 0)
        return "expected a name that is not . or ..";
    for (; *c; c++) {
        if (*c == '{') // the sink's own check says what is wrong in it
            c += strcspn(c, "}");
        else if (*c != '}' && *c != '_' && !is_plain(*c))
            return "expected letters from a to z, digits, dots, hyphens and "
                   "underscores, besides members in braces";
        else
            length++;
        if (*c == 0)
            break;
    }
    return length > GST_PE_KAFKA_MAX_TOPIC ? "expected at most 249 bytes"
                                           : NULL;
}
