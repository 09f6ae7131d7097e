// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetopic.c - see gstpetopic.h.

#include "gst/sink/gstpetopic.h"

#include "core/pe.h"
#include "gst/sink/gstpejsonline.h"

#include <string.h>

#define UNKNOWN "unknown" // what a record does not have

struct GstPeTopic {
    const GstPeBroker *broker;
    GPtrArray *texts; // n + 1, around the values
    GPtrArray *names; // n of the values; then those of the key
    guint n;
    char **values; // [names->len]
};

static bool
fail(const char *template, const char *at, const char *words, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "topic \"%s\", byte %d: %s",
                template, (int)(at - template), words);
    return false;
}

static const char *
take_name(GstPeTopic *topic, const char *template, const char *open,
          GError **error)
{
    gsize length = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz-");

    if (length == 0 || open[1 + length] != '}') {
        fail(template, open + 1 + length,
             "expected the name of a member and a closing brace, such as "
             "{source}",
             error);
        return NULL;
    }
    g_ptr_array_add(topic->names, g_strndup(open + 1, length));
    return open + length + 2;
}

static bool
read_template(GstPeTopic *topic, const char *template, GError **error)
{
    const char *at = template;

    for (;;) {
        const char *brace = at + strcspn(at, "{}");
        g_ptr_array_add(topic->texts, g_strndup(at, (gsize)(brace - at)));
        if (*brace == 0)
            return true;
        if (*brace == '}')
            return fail(template, brace, "expected no closing brace", error);
        at = take_name(topic, template, brace, error);
        if (!at)
            return false;
    }
}

GstPeTopic *
gst_pe_topic_new(const char *template, const GstPeBroker *broker,
                 GError **error)
{
    g_autoptr(GstPeTopic) topic = g_new0(GstPeTopic, 1);
    const char *wrong = NULL;

    topic->broker = broker;
    topic->texts = g_ptr_array_new_with_free_func(g_free);
    topic->names = g_ptr_array_new_with_free_func(g_free);
    if (!gst_pe_property_is_set(template))
        wrong = "expected a name";
    else if (!g_utf8_validate(template, -1, NULL))
        wrong = "expected UTF-8";
    else
        wrong = broker->check_topic(template);
    if (wrong) {
        g_autofree char *shown =
            g_utf8_make_valid(template ? template : "", -1);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "topic \"%s\": %s", shown,
                    wrong);
        return NULL;
    }
    if (!read_template(topic, template, error))
        return NULL;
    topic->n = topic->names->len;
    g_ptr_array_add(topic->names, g_strdup("source"));
    g_ptr_array_add(topic->names, g_strdup("stream-id"));
    topic->values = g_new0(char *, topic->names->len);
    return g_steal_pointer(&topic);
}

void
gst_pe_topic_free(GstPeTopic *topic)
{
    g_ptr_array_unref(topic->texts);
    g_ptr_array_unref(topic->names);
    g_free(topic->values);
    g_free(topic);
}

static char *
make_name(const GstPeTopic *topic)
{
    GString *name = g_string_new(topic->texts->pdata[0]);

    for (guint i = 0; i < topic->n; i++) {
        const char *value = topic->values[i];
        topic->broker->append_topic(name, value && *value ? value : UNKNOWN);
        g_string_append(name, topic->texts->pdata[i + 1]);
    }
    return g_string_free(name, FALSE);
}

// The first that a name asks for is found; a name that is there twice has its
// value at its first place.
static void
share_values(GstPeTopic *topic)
{
    for (guint i = 1; i < topic->names->len; i++)
        for (guint j = 0; j < i && !topic->values[i]; j++)
            if (strcmp(topic->names->pdata[i], topic->names->pdata[j]) == 0)
                topic->values[i] = g_strdup(topic->values[j]);
}

bool
gst_pe_topic_name(GstPeTopic *topic, const char *text, gsize size, char **name,
                  char **key, GError **error)
{
    guint n = topic->names->len;

    if (!gst_pe_json_line_read(text, size,
                               (const char *const *)topic->names->pdata, n,
                               topic->values, error))
        return false;
    share_values(topic);
    *name = make_name(topic);
    *key = g_strdup(topic->values[n - 2]   ? topic->values[n - 2]
                    : topic->values[n - 1] ? topic->values[n - 1]
                                           : "");
    for (guint i = 0; i < n; i++)
        g_clear_pointer(&topic->values[i], g_free);
    if (strlen(*name) <= topic->broker->max_topic)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "expected a topic of at most %" G_GSIZE_FORMAT
                " bytes, found %" G_GSIZE_FORMAT,
                topic->broker->max_topic, strlen(*name));
    g_clear_pointer(name, g_free);
    g_clear_pointer(key, g_free);
    return false;
}
