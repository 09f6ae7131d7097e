// SPDX-License-Identifier: LGPL-2.1-or-later
//
// messages.c - what the messages of a pipeline say of its video: see reader.h.

#include <string.h>

#include "core/pe.h"
#include "reader.h"

void
video_set_problem(ArchiveContent *content, gint64 position, const char *reason,
                  const char *detail)
{
    if (content->problem)
        return; // the first one explains the others
    content->problem = g_strdup_printf("%s: %s", reason, detail);
    content->problem_at = position;
}

// Without the logins and queries of URIs that a server has sent instead.
static char *
cut_secrets(const char *text)
{
    static GRegex *secret; // of the first call, for ever
    if (g_once_init_enter(&secret))
        g_once_init_leave(
            &secret,
            g_regex_new("([a-zA-Z][a-zA-Z0-9+.-]*://)(?:[^\\s/?#@]*@)?"
                        "([^\\s?#\"'<>]*)(?:[?#][^\\s\"'<>]*)?",
                        (GRegexCompileFlags)0, (GRegexMatchFlags)0, NULL));
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    char *cut = g_regex_replace(secret, valid, -1, 0, "\\1\\2",
                                (GRegexMatchFlags)0, NULL);
    return cut ? cut : g_steal_pointer(&valid);
}

void
reader_set_problem(Reader *reader, const char *reason, const char *detail)
{
    // A presigned URI is a secret, and elements like to tell it.
    g_auto(GStrv) parts = g_strsplit(detail, reader->uri, -1);
    g_autofree char *joined = g_strjoinv(reader->shown, parts);
    g_autofree char *text = cut_secrets(joined);
    g_autofree char *valid = g_utf8_make_valid(g_strstrip(text), -1);
    video_set_problem(reader->content,
                      taps_get_progress(&reader->taps).position, reason, valid);
}

// What streams there are tells more than the error, which may be of what had no
// stream to read. NULL: no error came.
static const char *
find_reason(Reader *reader, const GError *cause)
{
    bool no_frames = taps_get_progress(&reader->taps).n_frames == 0;
    if (reader->n_encrypted > 0 ||
        g_error_matches(cause, GST_STREAM_ERROR, GST_STREAM_ERROR_DECRYPT) ||
        g_error_matches(cause, GST_STREAM_ERROR,
                        GST_STREAM_ERROR_DECRYPT_NOKEY))
        return "encrypted";
    if (no_frames && reader->n_videos > 0)
        return "no-decoder";
    if (no_frames && reader->n_sounds > 0 && reader->n_others == 0)
        return "no-video";
    if (g_error_matches(cause, GST_STREAM_ERROR,
                        GST_STREAM_ERROR_CODEC_NOT_FOUND) ||
        g_error_matches(cause, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN))
        return "no-decoder";
    if (g_error_matches(cause, GST_STREAM_ERROR,
                        GST_STREAM_ERROR_TYPE_NOT_FOUND) ||
        g_error_matches(cause, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE))
        return "not-media";
    // Of what a server sends, no byte at all is no fault of the file.
    bool nothing_came = no_frames && g_atomic_int_get(&reader->n_reads) == 0 &&
                        !g_str_has_prefix(reader->uri, "file:");
    return nothing_came || (cause && cause->domain == GST_RESOURCE_ERROR)
               ? "unreadable"
               : "damaged";
}

// Whether decodebin tells that there is nothing to play, or loses the error, is
// a race: the words are the same, so that archives are.
static bool
has_nothing_to_play(Reader *reader, const char *reason)
{
    return g_str_equal(reason, "damaged") &&
           taps_get_progress(&reader->taps).n_frames == 0 &&
           reader->n_videos + reader->n_sounds + reader->n_others == 0 &&
           (!reader->cause || g_error_matches(reader->cause, GST_STREAM_ERROR,
                                              GST_STREAM_ERROR_FAILED));
}

void
reader_explain(Reader *reader)
{
    if (!reader->cause && !reader->is_silent)
        return;
    const char *reason = find_reason(reader, reader->cause);
    if (has_nothing_to_play(reader, reason))
        reader_set_problem(reader, reason, "nothing in it can be played");
    else
        reader_set_problem(
            reader, reason,
            reader->cause
                ? reader->detail
                : "GStreamer has stopped to read it without an error");
}

// The last line of what an element says beside its message.
static char *
describe(const GError *cause, char *debug)
{
    const char *line = debug ? strrchr(g_strchomp(debug), '\n') : NULL;
    return line ? g_strdup_printf("%s (%.200s)", cause->message, line + 1)
                : g_strdup(cause->message);
}

static void
take_error(Reader *reader, GstMessage *message)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_error(message, &cause, &debug);
    g_autofree char *detail = describe(cause, debug);
    reader->ended = reader->is_broken = true;
    if (GST_MESSAGE_SRC(message) == GST_OBJECT(reader->inference)) {
        g_set_error(&reader->failure, PE_ERROR, PE_ERROR_BACKEND, "%s", detail);
    } else {
        reader->cause = g_steal_pointer(&cause);
        reader->detail = g_steal_pointer(&detail);
    }
}

// Of sound without a decoder, nobody wants to know.
static void
take_warning(Reader *reader, GstMessage *message)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_warning(message, &cause, &debug);
    g_autofree char *detail = describe(cause, debug);
    if (g_error_matches(cause, GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE) ||
        g_error_matches(cause, GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX))
        reader_set_problem(reader, "damaged", detail);
}

static gint64
to_unix(const GstDateTime *time)
{
    g_autoptr(GDateTime) date =
        gst_date_time_to_g_date_time((GstDateTime *)time);
    return date ? g_date_time_to_unix(date) * (gint64)GST_SECOND +
                      g_date_time_get_microsecond(date) * (gint64)1000
                : -1;
}

static void
take_tags(Reader *reader, GstMessage *message)
{
    g_autoptr(GstTagList) tags = NULL;
    g_autoptr(GstDateTime) time = NULL;
    g_autofree char *codec = NULL;
    gst_message_parse_tag(message, &tags);
    if (gst_tag_list_get_date_time(tags, GST_TAG_DATE_TIME, &time) &&
        gst_date_time_has_time(time))
        reader->created = to_unix(time);
    if (!reader->content->codec &&
        gst_tag_list_get_string(tags, GST_TAG_VIDEO_CODEC, &codec))
        reader->content->codec = g_steal_pointer(&codec);
}

void
reader_take_message(Reader *reader, GstMessage *message)
{
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_EOS:
        reader->ended = true;
        break;
    case GST_MESSAGE_ERROR:
        take_error(reader, message);
        break;
    case GST_MESSAGE_WARNING:
        take_warning(reader, message);
        break;
    default:
        take_tags(reader, message);
    }
}
