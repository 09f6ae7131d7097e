// SPDX-License-Identifier: LGPL-2.1-or-later
//
// parts.c - the parts of an archive in memory. See archive.h.

#include "archive.h"

#include "archive_private.h"

bool
archive_may_pass(const GError *error)
{
    return !g_error_matches(error, PE_ERROR, PE_ERROR_SHAPE) &&
           !g_error_matches(error, PE_ERROR, PE_ERROR_FORMAT);
}

static void
clear_label(gpointer data)
{
    g_free(((ArchiveLabel *)data)->name);
}

ArchiveSegment *
archive_segment_new(void)
{
    ArchiveSegment *segment = g_new0(ArchiveSegment, 1);
    segment->labels = g_array_new(FALSE, FALSE, sizeof(ArchiveLabel));
    g_array_set_clear_func(segment->labels, clear_label);
    return segment;
}

void
archive_segment_free(ArchiveSegment *segment)
{
    g_clear_pointer(&segment->thumbnail, g_bytes_unref);
    g_array_unref(segment->labels);
    g_free(segment);
}

void
archive_segment_add_label(ArchiveSegment *segment, const char *name,
                          double score)
{
    ArchiveLabel label = {g_strdup(name), score};
    g_array_append_val(segment->labels, label);
}

ArchiveContent *
archive_content_new(void)
{
    ArchiveContent *content = g_new0(ArchiveContent, 1);
    content->problem_at = content->duration = -1;
    content->frames = g_array_new(FALSE, FALSE, sizeof(ArchiveFrame));
    content->segments =
        g_ptr_array_new_with_free_func((GDestroyNotify)archive_segment_free);
    return content;
}

void
archive_content_free(ArchiveContent *content)
{
    g_free(content->key);
    g_free(content->hash);
    g_free(content->settings);
    g_free(content->problem);
    g_free(content->codec);
    g_free(content->label_set);
    g_array_unref(content->frames);
    g_ptr_array_unref(content->segments);
    g_free(content);
}

void
archive_file_free(ArchiveFile *file)
{
    g_free(file->name);
    g_free(file->etag);
    g_free(file->wall_source);
    g_free(file);
}

int
archive_get_row_dim(const Archive *archive)
{
    return archive_pad_dim(archive->dim);
}
