// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeintake.c - see gstpeintake.h.

#include "gst/sink/gstpeintake.h"

#include "core/pe.h"

#include <string.h>

void
gst_pe_intake_init(GstPeIntake *intake)
{
    intake->rest = g_byte_array_new();
    intake->is_skipping = false;
    intake->names = g_ptr_array_new_with_free_func(g_free);
    intake->group = g_array_new(FALSE, FALSE, sizeof(GstPeRecord));
}

void
gst_pe_intake_clear(GstPeIntake *intake)
{
    g_clear_pointer(&intake->rest, g_byte_array_unref);
    g_clear_pointer(&intake->names, g_ptr_array_unref);
    g_clear_pointer(&intake->group, g_array_unref);
}

static bool
store_group(GstPeIntake *intake)
{
    const GArray *group = intake->group;
    bool ok =
        group->len == 0 ||
        intake->events.store(intake->events.owner,
                             (const GstPeRecord *)group->data, group->len);

    g_array_set_size(intake->group, 0);
    g_ptr_array_set_size(intake->names, 0);
    return ok;
}

static void
refuse_long_line(GstPeIntake *intake)
{
    g_autoptr(GError) error =
        g_error_new(PE_ERROR, PE_ERROR_FORMAT,
                    "expected lines of at most %" G_GSIZE_FORMAT " bytes",
                    intake->max_line);

    intake->events.refuse(intake->events.owner, error);
}

// Borrows the text until the group has been stored.
static bool
take_line(GstPeIntake *intake, const char *text, gsize size)
{
    g_autoptr(GError) error = NULL;
    char *topic, *key;

    while (size > 0 && g_ascii_isspace(text[size - 1]))
        size--;
    if (size == 0)
        return true;
    if (!gst_pe_topic_name(intake->topic, text, size, &topic, &key, &error)) {
        intake->events.refuse(intake->events.owner, error);
        return true;
    }
    g_ptr_array_add(intake->names, topic);
    g_ptr_array_add(intake->names, key);
    GstPeRecord record = {0, topic, key, text, size};
    g_array_append_val(intake->group, record);
    return intake->group->len < GST_PE_INTAKE_GROUP || store_group(intake);
}

// The line that `rest` holds, which is used up at once.
static bool
take_rest(GstPeIntake *intake)
{
    bool ok = intake->is_skipping ||
              (take_line(intake, (const char *)intake->rest->data,
                         intake->rest->len) &&
               store_group(intake));

    gst_pe_intake_flush(intake);
    return ok;
}

static void
keep_rest(GstPeIntake *intake, const char *data, gsize size)
{
    if (intake->is_skipping)
        return;
    if (intake->rest->len + size > intake->max_line) {
        refuse_long_line(intake);
        g_byte_array_set_size(intake->rest, 0);
        intake->is_skipping = true;
        return;
    }
    g_byte_array_append(intake->rest, (const guint8 *)data, (guint)size);
}

bool
gst_pe_intake_take(GstPeIntake *intake, const char *data, gsize size,
                   bool is_whole)
{
    const char *at = data, *end = data + size, *line_end;
    bool ok = true;

    while (ok && at < end && (line_end = memchr(at, '\n', (gsize)(end - at)))) {
        gsize length = (gsize)(line_end - at);
        if (intake->rest->len > 0 || intake->is_skipping) {
            keep_rest(intake, at, length);
            ok = take_rest(intake);
        } else if (length > intake->max_line) {
            refuse_long_line(intake);
        } else {
            ok = take_line(intake, at, length);
        }
        at = line_end + 1;
    }
    ok = ok && store_group(intake);
    if (!ok)
        gst_pe_intake_flush(intake);
    else if (at < end)
        keep_rest(intake, at, (gsize)(end - at));
    return ok && (!is_whole || take_rest(intake));
}

bool
gst_pe_intake_end(GstPeIntake *intake)
{
    return take_rest(intake);
}

void
gst_pe_intake_flush(GstPeIntake *intake)
{
    g_byte_array_set_size(intake->rest, 0);
    intake->is_skipping = false;
    g_array_set_size(intake->group, 0);
    g_ptr_array_set_size(intake->names, 0);
}
