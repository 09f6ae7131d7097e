// SPDX-License-Identifier: LGPL-2.1-or-later
//
// mock_cluster.c - librdkafka's mock cluster, which speaks Kafka's protocol on
// loopback, and a consumer that writes down what arrives: mock_cluster FILE
// BROKERS [SERVERS]. FILE "-": no consumer. SERVERS: what arrives there
// instead.
//
// Prints "bootstrap HOST:PORT,..." at first. A line of FILE is the topic, the
// partition, the offset, the key and the record, with tabs between. Each line
// of standard input is a command, answered by "ok":
//
//   errors API NAME...   the next requests of that kind (Kafka's number) fail
//   topic TOPIC NAME     what brokers say of a topic; NO_ERROR: all is well
//   down, up             all brokers
//   rtt MS               they answer as late as that
//
// It ends with standard input.

#include <glib.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ERRORS 1000

typedef struct {
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    FILE *file;
    GHashTable *topics; // name -> rd_kafka_topic_t
    volatile int is_ending;
} Reader;

static rd_kafka_t *
make_client(rd_kafka_type_t type, const char *servers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char words[256];

    rd_kafka_conf_set(conf, "log_level", "2", NULL, 0);
    rd_kafka_conf_set(conf, "bootstrap.servers", servers, NULL, 0);
    // Of the cluster's connections as well, as real brokers have it.
    rd_kafka_conf_set(conf, "socket.nagle.disable", "true", NULL, 0);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", NULL, 0);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "50", NULL, 0);
    rd_kafka_conf_set(conf, "fetch.error.backoff.ms", "50", NULL, 0);
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    rd_kafka_t *client = rd_kafka_new(type, conf, words, sizeof words);
    if (!client) {
        fprintf(stderr, "%s\n", words);
        exit(1);
    }
    return client;
}

// ---- The reader -----------------------------------------------------------

static void
follow(Reader *reader, const rd_kafka_metadata_topic_t *topic)
{
    if (topic->err || g_hash_table_contains(reader->topics, topic->topic))
        return;
    rd_kafka_topic_t *handle =
        rd_kafka_topic_new(reader->consumer, topic->topic, NULL);
    g_hash_table_insert(reader->topics, g_strdup(topic->topic), handle);
    for (int i = 0; i < topic->partition_cnt; i++)
        rd_kafka_consume_start_queue(handle, topic->partitions[i].id,
                                     RD_KAFKA_OFFSET_BEGINNING, reader->queue);
}

static void
find_topics(Reader *reader)
{
    const rd_kafka_metadata_t *found;

    if (rd_kafka_metadata(reader->consumer, 1, NULL, &found, 500))
        return;
    for (int i = 0; i < found->topic_cnt; i++)
        follow(reader, &found->topics[i]);
    rd_kafka_metadata_destroy(found);
}

static void
write_down(Reader *reader, const rd_kafka_message_t *message)
{
    fprintf(reader->file, "%s\t%d\t%" PRId64 "\t%.*s\t%.*s\n",
            rd_kafka_topic_name(message->rkt), message->partition,
            message->offset, (int)message->key_len,
            message->key ? (const char *)message->key : "", (int)message->len,
            (const char *)message->payload);
    fflush(reader->file);
}

static void *
read_all(void *data)
{
    Reader *reader = data;
    gint64 due = 0;

    while (!g_atomic_int_get(&reader->is_ending)) {
        if (g_get_monotonic_time() >= due) {
            find_topics(reader);
            due = g_get_monotonic_time() + G_USEC_PER_SEC / 5;
        }
        rd_kafka_message_t *message = rd_kafka_consume_queue(reader->queue, 50);
        if (message && !message->err)
            write_down(reader, message);
        if (message)
            rd_kafka_message_destroy(message);
    }
    return NULL;
}

// ---- Commands -------------------------------------------------------------

static rd_kafka_resp_err_t
find_code(const char *name)
{
    const struct rd_kafka_err_desc *all;
    size_t n;

    rd_kafka_get_err_descs(&all, &n);
    for (size_t i = 0; i < n; i++)
        if (all[i].name && strcmp(all[i].name, name) == 0)
            return all[i].code;
    fprintf(stderr, "there is no error %s\n", name);
    exit(1);
}

static void
push_errors(rd_kafka_mock_cluster_t *cluster, char **words)
{
    rd_kafka_resp_err_t codes[MAX_ERRORS];
    size_t n = 0;

    for (char **name = words + 2; *name && n < MAX_ERRORS; name++)
        codes[n++] = find_code(*name);
    rd_kafka_mock_push_request_errors_array(cluster, (int16_t)atoi(words[1]), n,
                                            codes);
}

static void
do_command(rd_kafka_mock_cluster_t *cluster, int n_brokers, char **words)
{
    guint n = g_strv_length(words);

    if (n > 2 && strcmp(words[0], "errors") == 0)
        push_errors(cluster, words);
    else if (n == 3 && strcmp(words[0], "topic") == 0)
        rd_kafka_mock_topic_set_error(cluster, words[1], find_code(words[2]));
    for (int i = 1; i <= n_brokers && n > 0; i++) {
        if (strcmp(words[0], "down") == 0)
            rd_kafka_mock_broker_set_down(cluster, i);
        else if (strcmp(words[0], "up") == 0)
            rd_kafka_mock_broker_set_up(cluster, i);
        else if (n == 2 && strcmp(words[0], "rtt") == 0)
            rd_kafka_mock_broker_set_rtt(cluster, i, atoi(words[1]));
    }
    printf("ok\n");
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    static char line[65536];

    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: mock_cluster FILE BROKERS [SERVERS]\n");
        return 2;
    }
    int n_brokers = atoi(argv[2]);
    rd_kafka_t *owner = make_client(RD_KAFKA_PRODUCER, "");
    rd_kafka_mock_cluster_t *cluster =
        rd_kafka_mock_cluster_new(owner, n_brokers);
    const char *servers =
        argc == 4 ? argv[3] : rd_kafka_mock_cluster_bootstraps(cluster);
    Reader reader = {0};
    if (strcmp(argv[1], "-") != 0) {
        reader.file = fopen(argv[1], "w");
        reader.consumer = make_client(RD_KAFKA_CONSUMER, servers);
        reader.queue = rd_kafka_queue_new(reader.consumer);
        reader.topics = g_hash_table_new(g_str_hash, g_str_equal);
        g_thread_unref(g_thread_new("reader", read_all, &reader));
    }
    printf("bootstrap %s\n", servers);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        g_auto(GStrv) words = g_strsplit(g_strchomp(line), " ", -1);
        do_command(cluster, n_brokers, words);
    }
    // The cluster is in memory: nothing has to be put in order.
    _Exit(0);
}
