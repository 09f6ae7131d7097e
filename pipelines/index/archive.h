// SPDX-License-Identifier: LGPL-2.1-or-later
//
// archive.h - an archive: a folder that holds what is known about many videos.
//
//     index.sqlite  files, contents, frames, segments, thumbnails, words
//     vectors/      the frames' vectors, see packs.h
//     lock          held by the one process that writes
//
// A file is a name: a path or a URI. Its content is what was found in it, which
// files with the same bytes share. A content is in the archive as a whole or
// not at all: first its vectors reach the disk, then one transaction makes them
// count. So a process may be killed, and a disk may be full, at any moment.
//
// Knows nothing of GStreamer. Errors: PE_ERROR_FILE may pass by itself (a full
// disk, another writer); PE_ERROR_FORMAT and PE_ERROR_SHAPE will not.
// archive_may_pass() tells.
//
// One owner: calls must not overlap, whatever thread they are from.

#pragma once

#include "core/pe.h"

typedef struct Archive Archive;

// Is it worth while to try again after this error?
bool archive_may_pass(const GError *error);

// ---- Contents -------------------------------------------------------------

// A stored frame. It stands for all samples up to the next one that differs.
typedef struct {
    gint64 start, end; // ns from the beginning of the content
    gint64 n_samples;
} ArchiveFrame;

typedef struct {
    char *name;
    double score; // [0, 1]
} ArchiveLabel;

// A stretch of frames that look alike.
typedef struct {
    gint64 first, n;   // frames, of those of the content
    gint64 start, end; // ns
    gint64 peak;       // the frame that is most like all of them
    GBytes *thumbnail; // JPEG, or NULL
    GArray *labels;    // ArchiveLabel, best first
} ArchiveSegment;

typedef struct {
    gint64 id;           // given by the archive
    char *key;           // see identity.h; NULL: not known, as of a stream
    char *hash;          // of all bytes; NULL: nobody needed it yet
    char *settings;      // how its frames were chosen
    char *problem;       // why it is not whole; NULL: it is
    gint64 problem_at;   // ns; -1: not known
    gint64 duration;     // ns; -1: not known
    int width, height;   // pixels; 0: no frame was seen
    char *codec;         // "H.264"; NULL: not known
    char *label_set;     // fingerprint of what its labels are from; NULL: none
    GArray *frames;      // ArchiveFrame, in the order of time
    GPtrArray *segments; // ArchiveSegment *
} ArchiveContent;

ArchiveSegment *archive_segment_new(void);
void archive_segment_free(ArchiveSegment *segment);
ArchiveContent *archive_content_new(void);
void archive_content_free(ArchiveContent *content);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveContent, archive_content_free)
// Copies the name.
void archive_segment_add_label(ArchiveSegment *segment, const char *name,
                               double score);

// ---- Files ----------------------------------------------------------------

typedef struct {
    char *name;   // absolute path, any bytes but 0; or a URI without secrets
    gint64 size;  // bytes; -1: not known
    gint64 mtime; // ns since 1970; 0: not known
    char *etag;   // of a URI; NULL: none
    gint64
        wall_start; // ns since 1970 of the content's beginning; -1: not known
    char *wall_source; // where that is from; NULL: not known
    gint64 content;    // id
} ArchiveFile;

void archive_file_free(ArchiveFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveFile, archive_file_free)

// ---- Open -----------------------------------------------------------------

// What vectors are made by. The probes, and not the fingerprint, decide whether
// a model fits an archive: a copy in another precision does.
typedef struct {
    const char *name;
    const char *fingerprint;
    int dim;
    const float *probes; // [n_probes, dim] unit vectors, see probe.h
    int n_probes;
} ArchiveModel;

// Open an archive to write to it, and make it if there is none. What a killed
// process has left behind is put in order. Fails with PE_ERROR_SHAPE when the
// archive is another model's, and with PE_ERROR_FILE when another process
// writes.
//   model  NULL: whatever made the archive, which must exist
Archive *archive_open_to_write(const char *folder, const ArchiveModel *model,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
// Open one to read it. A writer does not disturb. Fails with PE_ERROR_FORMAT
// when an older version made it.
Archive *archive_open(const char *folder,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
// The same, when it has been brought up to date if an older version made it:
// then it is opened to write first.
Archive *archive_open_upgraded(const char *folder,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
void archive_close(Archive *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, archive_close)

// false with PE_ERROR_SHAPE when the archive's vectors are not this model's.
bool archive_check_model(const Archive *archive, const ArchiveModel *model,
                         GError **error);
const char *archive_get_folder(const Archive *archive);
// Which of all archives that this process has opened it is: no other, before or
// after, has this number.
guint64 archive_get_number(const Archive *archive);
const char *archive_get_model(const Archive *archive); // its name
int archive_get_dim(const Archive *archive);

// ---- Write ----------------------------------------------------------------

// Add a content and a file that has it; the file's former content goes when no
// other file has it. Nothing has changed when it fails.
//   vectors  [n_frames, dim] half floats of unit length
bool archive_add(Archive *archive, const ArchiveFile *file,
                 const ArchiveContent *content, const uint16_t *vectors,
                 GError **error);
// Add a file, or change it, whose content is there: file->content. `hash`, of
// all its bytes, is remembered for the content unless it is NULL.
bool archive_link(Archive *archive, const ArchiveFile *file, const char *hash,
                  GError **error);
// Remove a file, and its content with the last of its files.
bool archive_remove(Archive *archive, const char *name, GError **error);
// Replace the labels and the label set of a content by those of `content`.
bool archive_set_labels(Archive *archive, const ArchiveContent *content,
                        GError **error);

// ---- Read -----------------------------------------------------------------

// What is read between these two is from one moment, whatever a writer does
// meanwhile. The writer waits, so not for long.
bool archive_hold(Archive *archive, GError **error);
void archive_release(Archive *archive);
// Of an archive that is not in a folder (remote.h), files and contents are read
// when it is opened, which only the first archive_hold() is sure to find
// unchanged; later ones fail with PE_ERROR_FILE if they are not. Is it as it
// was? Then the next one holds that. false without an error: it has changed.
bool archive_is_current(Archive *archive, GError **error);

// NULL without an error: there is no such file. Returns, archive_file_free().
ArchiveFile *archive_find(Archive *archive, const char *name, GError **error);
// The ids (gint64) of contents with this key; NULL with the error.
GArray *archive_find_contents(Archive *archive, const char *key,
                              GError **error);
// One of the files that have a content, the first by name; *hash (may be NULL)
// gets the content's, g_free(). NULL without an error: there is none.
ArchiveFile *archive_find_by_content(Archive *archive, gint64 content,
                                     char **hash, GError **error);
// What was wrong with a content, g_free(); NULL: nothing, or it is not there.
char *archive_find_problem(Archive *archive, gint64 content);
// NULL with the error. Returns, archive_content_free().
ArchiveContent *archive_read_content(Archive *archive, gint64 id,
                                     GError **error);
// ArchiveFile *, in the order of their names (as bytes); NULL with the error.
// Returns, g_ptr_array_unref().
GPtrArray *archive_list_files(Archive *archive, GError **error);
// Those of them that have all these words in their names, with the folders, or
// in labels that they show with a score of at least 0.5. A word is letters and
// digits; one with a star behind it stands for all that begin so. Case and
// accents make no difference. Fails with PE_ERROR_FORMAT when there is no word,
// or when the archive was made before there were words and has not been opened
// to write since.
GPtrArray *archive_list_files_with(Archive *archive, const char *words,
                                   GError **error);

// Call `func` for each file that is not whole, in the order of their names.
typedef void (*ArchiveProblemFunc)(const char *name, const char *problem,
                                   gint64 position, bool has_frames,
                                   void *user_data);
bool archive_list_problems(Archive *archive, ArchiveProblemFunc func,
                           void *user_data, GError **error);

// The vectors of a content.
typedef struct {
    gint64 content;
    gint64 first_row, n_rows;
} ArchiveRows;

// ArchiveRows of all contents that have frames, by first_row; NULL with the
// error. Returns, g_array_unref().
GArray *archive_list_rows(Archive *archive, GError **error);
// The content that has a row. false with PE_ERROR_FORMAT when there is none, or
// none any more: a row's number is never used again.
bool archive_find_row(Archive *archive, gint64 row, ArchiveRows *content,
                      GError **error);
// The thumbnail of the segment that has a row; NULL without an error: none.
// Returns, g_bytes_unref().
GBytes *archive_read_thumbnail(Archive *archive, gint64 row, GError **error);
// The files that have a content, in the order of their names; NULL with the
// error. Returns ArchiveFile *, g_ptr_array_unref().
GPtrArray *archive_list_copies(Archive *archive, gint64 content,
                               GError **error);
// All rows that the last archive_list_rows() named, for pe_search(). Rows are
// padded with zeros: rows->dim is archive_get_row_dim(). Valid until the
// archive is closed; NULL with the error.
const PeRows *archive_map(Archive *archive, GError **error);
// Of an archive that is not in a folder (remote.h), rows are read when they are
// asked for: these n, or this one and some around it. false with the error.
bool archive_fetch(Archive *archive, const guint64 *rows, size_t n,
                   GError **error);
bool archive_fetch_around(Archive *archive, guint64 row, GError **error);
// pe_search() in the rows of archive_map(), which then have been fetched, as
// far as they are hits.
bool archive_search(Archive *archive, const PeRows *rows,
                    const PeSearch *search, PeHit *hits, int *n_hits,
                    GError **error);
int archive_get_row_dim(const Archive *archive);

typedef struct {
    gint64 n_files, n_contents;
    gint64 n_problems; // contents that are not whole
    gint64 n_frames;   // stored
    gint64 n_samples;  // that they stand for
    gint64 n_segments;
    gint64 n_rows;   // in the packs, also those of contents that went
    gint64 duration; // ns, of all contents
} ArchiveStats;
bool archive_get_stats(Archive *archive, ArchiveStats *stats, GError **error);

// Write all that the archive knows, in an order and in words that depend on
// nothing else: equal archives give equal texts. false with the error.
bool archive_dump(Archive *archive, GString *out, GError **error);
// Compare everything with its checksums. The texts that say what is wrong are
// added to `faults`; false with the error when it cannot be read at all.
bool archive_verify(Archive *archive, GPtrArray *faults, GError **error);
