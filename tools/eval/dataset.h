// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dataset.h - what is evaluated: files with their classes or captions, as a
// data set lies on a disk. Reads no picture and knows no model.

#pragma once

#include "core/pe.h"

typedef struct {
    char *id;   // such as a wnid, or NULL
    char *name; // what goes into the templates
} EvalClass;

typedef struct {
    char *path;        // of the file; where it should be when it is missing
    guint class_index; // classification only
    guint n_captions;  // retrieval only, from first_caption
    guint first_caption;
    char *problem; // why it has no vector, or NULL
} EvalItem;

typedef struct {
    char *path;          // what the user named
    GPtrArray *classes;  // EvalClass *, in the order of their numbers
    GPtrArray *items;    // EvalItem *
    GPtrArray *captions; // char *, those of an item one after the other
    guint n_left_out;    // files that are no pictures (videos) by their names,
                         // or of a class that does not take part
    GPtrArray *notes;    // char *: what the user should know
} Dataset;

typedef struct {
    const char *path;
    const char *root;  // folder of the files of a list; NULL: the list's
    const char *split; // of a list that has several; NULL: all
    bool videos;
} DatasetParams;

// Folders named by class, or a CSV "path,class", or Kinetics' CSV.
//   classes  takes; NULL: the names of the folders, or of the CSV's classes
//   partial  folders of other classes are left out; otherwise they are errors
// Returns, dataset_free(). NULL with an error that names file and line, what
// was found and what was expected; it is one, too, when there is no item.
Dataset *dataset_open_classes(const DatasetParams *params, GPtrArray *classes,
                              bool partial, GError **error);

// A CSV "path,caption[,caption2...]", or COCO's or MSR-VTT's JSON.
Dataset *dataset_open_captions(const DatasetParams *params, GError **error);

void dataset_free(Dataset *dataset);

// ---- For the readers of layouts -------------------------------------------

Dataset *dataset_new(const char *path);
EvalItem *dataset_add_item(Dataset *dataset, const char *path);
G_GNUC_PRINTF(2, 3)
void dataset_note(Dataset *dataset, const char *format, ...);
EvalClass *eval_class_new(const char *id, const char *name);
void eval_class_free(EvalClass *c);

// Is it a picture, or a video, by its name's end?
bool dataset_has_kind(const char *name, bool videos);

// Every picture or video by its name's end below the folder, by path in the
// order of bytes. Others are counted. Links to folders are followed, as deep as
// 16 folders.
GPtrArray *dataset_list_files(const char *folder, bool videos,
                              guint *n_left_out, GError **error);

// The files of a folder by their names without the end.
typedef struct FileIndex FileIndex;
FileIndex *file_index_new(const char *folder, bool videos, GError **error);
const char *file_index_find(const FileIndex *index, const char *stem);
void file_index_free(FileIndex *index);
