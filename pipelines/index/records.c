// SPDX-License-Identifier: LGPL-2.1-or-later
//
// records.c - see records.h. Knows no database.

#include "records.h"

#include <string.h>

#define LABEL 24 // bytes

// ---- Numbers --------------------------------------------------------------

static void
put(GByteArray *out, gint64 value)
{
    gint64 stored = GINT64_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&stored, sizeof stored);
}

static void
put_double(GByteArray *out, double value)
{
    gint64 bits;
    memcpy(&bits, &value, sizeof bits);
    put(out, bits);
}

static gint64
get(const char *record, int i)
{
    gint64 stored;
    memcpy(&stored, record + i * (int)sizeof stored, sizeof stored);
    return GINT64_FROM_LE(stored);
}

static double
get_double(const char *record, int i)
{
    gint64 bits = get(record, i);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// The bytes, and how many records of a size they are; -1: they are none.
static const char *
look(GBytes *bytes, size_t size, gint64 *n)
{
    gsize all = 0;
    const char *data = bytes ? g_bytes_get_data(bytes, &all) : NULL;
    *n = all % size ? -1 : (gint64)(all / size);
    return data;
}

// ---- Pack -----------------------------------------------------------------

void
records_clear(Records *records)
{
    g_clear_pointer(&records->frames, g_bytes_unref);
    g_clear_pointer(&records->segments, g_bytes_unref);
    g_clear_pointer(&records->names, g_bytes_unref);
    g_clear_pointer(&records->labels, g_bytes_unref);
    g_clear_pointer(&records->pieces, g_ptr_array_unref);
}

static void
pack_frames(const ArchiveContent *content, Records *records)
{
    GByteArray *out = g_byte_array_new();
    for (guint i = 0; i < content->frames->len; i++) {
        const ArchiveFrame *frame =
            &g_array_index(content->frames, ArchiveFrame, i);
        put(out, frame->start);
        put(out, frame->end);
        put(out, frame->n_samples);
        records->n_samples += frame->n_samples;
    }
    records->frames = g_byte_array_free_to_bytes(out);
}

static void
pack_segments(const ArchiveContent *content, Records *records)
{
    GByteArray *out = g_byte_array_new();
    for (guint i = 0; i < content->segments->len; i++) {
        const ArchiveSegment *s = content->segments->pdata[i];
        put(out, s->first);
        put(out, s->n);
        put(out, s->start);
        put(out, s->end);
        put(out, s->peak);
        put(out, s->thumbnail ? (gint64)g_bytes_get_size(s->thumbnail) : 0);
    }
    records->segments = g_byte_array_free_to_bytes(out);
}

static void
pack_thumbnails(const ArchiveContent *content, Records *records)
{
    GByteArray *out = NULL;
    records->pieces =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (guint i = 0; i < content->segments->len; i++) {
        const ArchiveSegment *s = content->segments->pdata[i];
        gsize size = 0;
        const void *data =
            s->thumbnail ? g_bytes_get_data(s->thumbnail, &size) : NULL;
        if (i % RECORDS_PIECE == 0)
            out = g_byte_array_new();
        g_byte_array_append(out, data, (guint)size);
        if (i % RECORDS_PIECE == RECORDS_PIECE - 1 ||
            i + 1 == content->segments->len)
            g_ptr_array_add(records->pieces, g_byte_array_free_to_bytes(out));
    }
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Every name once (borrowed), in the order of their bytes. Returns,
// g_ptr_array_unref().
static GPtrArray *
list_names(const ArchiveContent *content)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *names = g_ptr_array_new();
    for (guint i = 0; i < content->segments->len; i++) {
        const ArchiveSegment *s = content->segments->pdata[i];
        for (guint k = 0; k < s->labels->len; k++) {
            char *name = g_array_index(s->labels, ArchiveLabel, k).name;
            if (g_hash_table_add(seen, name))
                g_ptr_array_add(names, name);
        }
    }
    g_ptr_array_sort(names, compare_names);
    return names;
}

// Name and score of a label.
typedef struct {
    gint64 name;
    double score;
} Label;

static int
compare_labels(gconstpointer a, gconstpointer b)
{
    const Label *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->name > y->name) - (x->name < y->name);
}

static void
put_labels(const ArchiveSegment *segment, gint64 number, GHashTable *places,
           GByteArray *out)
{
    g_autoptr(GArray) labels = g_array_new(FALSE, FALSE, sizeof(Label));
    for (guint i = 0; i < segment->labels->len; i++) {
        const ArchiveLabel *from =
            &g_array_index(segment->labels, ArchiveLabel, i);
        Label label = {GPOINTER_TO_INT(g_hash_table_lookup(places, from->name)),
                       from->score};
        guint k = 0;
        while (k < labels->len &&
               g_array_index(labels, Label, k).name != label.name)
            k++;
        if (k == labels->len)
            g_array_append_val(labels, label);
        else
            g_array_index(labels, Label, k) = label;
    }
    g_array_sort(labels, compare_labels);
    for (guint i = 0; i < labels->len; i++) {
        put(out, number);
        put(out, g_array_index(labels, Label, i).name);
        put_double(out, g_array_index(labels, Label, i).score);
    }
}

void
records_pack_labels(const ArchiveContent *content, Records *records)
{
    g_autoptr(GPtrArray) list = list_names(content);
    g_autoptr(GHashTable) places = g_hash_table_new(g_str_hash, g_str_equal);
    GByteArray *names = g_byte_array_new(), *labels = g_byte_array_new();
    for (guint i = 0; i < list->len; i++) {
        const char *name = list->pdata[i];
        g_hash_table_insert(places, list->pdata[i], GINT_TO_POINTER((int)i));
        g_byte_array_append(names, (const guint8 *)name,
                            (guint)strlen(name) + 1);
    }
    for (guint i = 0; i < content->segments->len; i++)
        put_labels(content->segments->pdata[i], i, places, labels);
    records->names = g_byte_array_free_to_bytes(names);
    records->labels = g_byte_array_free_to_bytes(labels);
}

void
records_pack(const ArchiveContent *content, Records *records)
{
    *records = (Records){0};
    pack_frames(content, records);
    pack_segments(content, records);
    pack_thumbnails(content, records);
    records_pack_labels(content, records);
}

// ---- Unpack ---------------------------------------------------------------

static bool
unpack_frames(const Records *records, ArchiveContent *content)
{
    gint64 n;
    const char *record = look(records->frames, RECORDS_FRAME, &n);
    for (gint64 i = 0; i < n; i++, record += RECORDS_FRAME) {
        ArchiveFrame frame = {get(record, 0), get(record, 1), get(record, 2)};
        g_array_append_val(content->frames, frame);
    }
    return n >= 0;
}

static bool
unpack_segments(const Records *records, ArchiveContent *content)
{
    gint64 n;
    const char *record = look(records->segments, RECORDS_SEGMENT, &n);
    for (gint64 i = 0; i < n; i++, record += RECORDS_SEGMENT) {
        ArchiveSegment *segment = archive_segment_new();
        segment->first = get(record, 0);
        segment->n = get(record, 1);
        segment->start = get(record, 2);
        segment->end = get(record, 3);
        segment->peak = get(record, 4);
        g_ptr_array_add(content->segments, segment);
    }
    return n >= 0;
}

// Of one piece. false: it is not as long as its segments say.
static bool
unpack_piece(GBytes *piece, const char *record, guint first,
             ArchiveContent *content)
{
    guint end = MIN(first + RECORDS_PIECE, content->segments->len);
    gsize offset = 0, all = piece ? g_bytes_get_size(piece) : 0;
    for (guint i = first; i < end; i++, record += RECORDS_SEGMENT) {
        ArchiveSegment *segment = content->segments->pdata[i];
        guint64 size = (guint64)get(record, 5);
        if (size > all - offset)
            return false;
        if (size > 0)
            segment->thumbnail =
                g_bytes_new_from_bytes(piece, offset, (gsize)size);
        offset += (gsize)size;
    }
    return offset == all;
}

static bool
unpack_thumbnails(const Records *records, ArchiveContent *content)
{
    gint64 n;
    const char *record = look(records->segments, RECORDS_SEGMENT, &n);
    guint n_pieces = records->pieces ? records->pieces->len : 0;
    if ((n + RECORDS_PIECE - 1) / RECORDS_PIECE != n_pieces)
        return false;
    for (guint i = 0; i < n_pieces; i++) {
        if (!unpack_piece(records->pieces->pdata[i],
                          record + (size_t)i * RECORDS_PIECE * RECORDS_SEGMENT,
                          i * RECORDS_PIECE, content))
            return false;
    }
    return true;
}

// Where each name begins (borrowed); NULL: the last one has no end. Returns,
// g_ptr_array_unref().
static GPtrArray *
split_names(const char *names, size_t size)
{
    if (size > 0 && names[size - 1] != '\0')
        return NULL;
    GPtrArray *list = g_ptr_array_new();
    for (size_t i = 0; i < size; i += strlen(names + i) + 1)
        g_ptr_array_add(list, (char *)names + i);
    return list;
}

static bool
unpack_labels(const Records *records, ArchiveContent *content)
{
    gint64 n, size;
    const char *data = look(records->names, 1, &size);
    g_autoptr(GPtrArray) names = split_names(data, (size_t)size);
    const char *record = look(records->labels, LABEL, &n);
    if (!names || n < 0)
        return false;
    for (gint64 i = 0; i < n; i++, record += LABEL) {
        guint64 segment = (guint64)get(record, 0);
        guint64 name = (guint64)get(record, 1);
        if (segment >= content->segments->len || name >= names->len)
            return false;
        archive_segment_add_label(content->segments->pdata[segment],
                                  names->pdata[name], get_double(record, 2));
    }
    return true;
}

bool
records_unpack(const Records *records, ArchiveContent *content,
               const char **what)
{
    static const struct {
        const char *what;
        bool (*func)(const Records *records, ArchiveContent *content);
    } kinds[] = {
        {"frames", unpack_frames},
        {"segments", unpack_segments},
        {"thumbnails", unpack_thumbnails},
        {"labels", unpack_labels},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        *what = kinds[i].what;
        if (!kinds[i].func(records, content))
            return false;
    }
    return true;
}

// ---- Parts ----------------------------------------------------------------

bool
records_find_thumbnail(GBytes *segments, gint64 frame,
                       RecordsThumbnail *thumbnail)
{
    gint64 n, offset = 0;
    const char *record = look(segments, RECORDS_SEGMENT, &n);
    for (gint64 i = 0; i < n; i++, record += RECORDS_SEGMENT) {
        gint64 first = get(record, 0), size = get(record, 5);
        if (i % RECORDS_PIECE == 0)
            offset = 0;
        if (size < 0 || size > G_MAXINT)
            return false;
        if (first <= frame && frame - first < get(record, 1)) {
            *thumbnail = (RecordsThumbnail){i / RECORDS_PIECE, offset, size};
            return size > 0;
        }
        offset += size;
    }
    return false;
}

char *
records_list_names(const void *names, size_t names_size, const void *labels,
                   size_t labels_size, double least)
{
    g_autoptr(GPtrArray) list = split_names(names, names_size);
    if (!list)
        return NULL;
    g_autofree bool *seen = g_new0(bool, MAX(list->len, 1));
    const char *record = labels;
    for (size_t i = 0; i + LABEL <= labels_size; i += LABEL) {
        guint64 name = (guint64)get(record + i, 1);
        if (name < list->len && get_double(record + i, 2) >= least)
            seen[name] = true;
    }
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) {
        if (seen[i])
            g_string_append_printf(text, "%s%s", text->len ? "\n" : "",
                                   (char *)list->pdata[i]);
    }
    return g_string_free(text, text->len == 0);
}
