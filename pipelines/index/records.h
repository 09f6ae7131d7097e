// SPDX-License-Identifier: LGPL-2.1-or-later
//
// records.h - a content's frames, segments and labels as the index stores them:
// an array of numbers of eight bytes, little-endian, for each of the three, so
// that a content is a few rows however long it is.
//
//     frames    start, end, samples
//     segments  first, frames, start, end, peak, bytes of its thumbnail
//     labels    segment, name, score (a double)
//
// A label's name is its place in the content's own list of names, which are in
// the order of their bytes, a zero behind each. Labels of a segment are best
// first. Thumbnails are one behind the other, those of so many segments in a
// piece that one of them is found without reading all.

#pragma once

#include "archive.h"

#define RECORDS_FRAME 24   // bytes
#define RECORDS_SEGMENT 48 // bytes
#define RECORDS_PIECE 64   // segments whose thumbnails are one piece

typedef struct {
    gint64 n_samples;  // of all frames
    GBytes *frames;    // NULL is as good as none, here and below
    GBytes *segments;  //
    GBytes *names;     //
    GBytes *labels;    //
    GPtrArray *pieces; // GBytes *, thumbnails
} Records;

void records_clear(Records *records);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Records, records_clear)

// Fills `records`, records_clear(). Of labels of a segment with the same name,
// the last one counts.
void records_pack(const ArchiveContent *content, Records *records);
// The names and the labels alone.
void records_pack_labels(const ArchiveContent *content, Records *records);
// Add what the records say to a content without frames and segments. false when
// they are no such records; *what (static) gets the kind that is not.
bool records_unpack(const Records *records, ArchiveContent *content,
                    const char **what);

// Where the thumbnail of the segment that has a frame is. false: there is none.
typedef struct {
    gint64 piece;
    gint64 offset, size; // bytes of the piece
} RecordsThumbnail;
bool records_find_thumbnail(GBytes *segments, gint64 frame,
                            RecordsThumbnail *thumbnail);

// The names of the labels that some segment has with a score of at least
// `least`, in their order, a line each without a last line feed. NULL: none
// has. Returns, g_free().
char *records_list_names(const void *names, size_t names_size,
                         const void *labels, size_t labels_size, double least);
