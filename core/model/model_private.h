// SPDX-License-Identifier: LGPL-2.1-or-later
//
// model_private.h - what the model_*.c files share: the model itself, the
// published shapes, and the list of a concrete model's weights.

#pragma once

#include "model.h"

// ---- Names ----------------------------------------------------------------

typedef enum {
    PE_NAMES_META,
    PE_NAMES_TIMM,
} PeNames;

// How a checkpoint spells the towers.
typedef struct {
    const char *format;
    const char *vision; // prefix of the vision tower
    PeNames names;      // of the vision tower; text is always Meta's
    const char *text;   // prefix of the text tower, NULL: has none
    const char *beside; // prefix of what is beside the towers, with `text` only
} PeLayout;

typedef enum {
    PE_STORED_SAME,
    PE_STORED_TRANSPOSED, // in Meta's file [b, a] for our [a, b]
    PE_STORED_QKV_Q,      // in Meta's file the first of three parts
    PE_STORED_QKV_KV,     // in Meta's file the second and third part
} PeStored;

typedef enum {
    PE_WHEN_ALWAYS,
    PE_WHEN_CLS,
    PE_WHEN_LN_POST,
    PE_WHEN_LAYER_SCALE,
    PE_WHEN_POOL,
    PE_WHEN_PROJ,
} PeWhen;

// One tensor of a tower or block.
typedef struct {
    const char *meta;  // name below the tower's or block's prefix
    const char *timm;  // NULL in the text tower
    size_t offset;     // of the PeTensor in the weights' struct
    const char *shape; // one letter an axis, see weight_table.c
    PeWhen when;
    PeStored stored; // in Meta's file; timm stores all as we do
} PeWeightSpec;

// A weight of a concrete model.
typedef struct {
    const PeWeightSpec *spec;
    bool is_text;
    int block; // -1: not in a block
    PeTensor *tensor;
    int n_dims; // of our view
    int64_t shape[4];
} PeWeight;

// ---- Model ----------------------------------------------------------------

struct PeModel {
    int refs;
    PeCheckpoint *ckpt; // NULL: random weights
    void *pool;         // of the random weights
    char *name, *path;
    const char *format;
    PeVisionConfig vision;
    PeTextConfig text;
    bool has_text;
    PeVisionWeights vision_weights;
    PeTextWeights text_weights;
    PeTensor log_scale; // scalar, may be absent
    float logit_scale;
    GArray *weights; // of PeWeight, every weight in a fixed order
    char fingerprint[17];
};

// An empty model; release with pe_model_unref().
PeModel *pe_model_new(void);

// Set the fingerprint of a model that is complete.
bool pe_model_make_fingerprint(PeModel *model, GError **error);

// Make the blocks and the weights of the model's configuration.
void pe_model_make_weights(PeModel *model);

// The weight's name in a layout's file. Returns, g_free().
char *pe_weight_get_name(const PeWeight *weight, const PeLayout *layout);

// The shape that a file has for the weight (leading axes of one left out).
// Returns the number of axes.
int pe_weight_get_stored_shape(const PeWeight *weight, PeNames names,
                               int64_t *shape);

// "[768, 3072]". Returns, g_free().
char *pe_shape_to_string(const int64_t *shape, int n_dims);

// ---- Configuration --------------------------------------------------------

// Which layout a checkpoint has; on failure says what was looked for.
const PeLayout *pe_layout_find(const PeCheckpoint *ckpt, GError **error);

// Read the model's configuration from names, shapes and metadata.
bool pe_model_read_config(PeModel *model, const PeLayout *layout,
                          GError **error);

// "PE-Core-B16-224", the name that the file stored, or a description; see
// pe_model_get_name(). Returns, g_free().
char *pe_model_make_name(const PeVisionConfig *vision, const char *stored);

// Set the configuration of a published name. False when there is none.
bool pe_model_set_published(PeModel *model, const char *name);

// The configuration as JSON objects with the field names of Meta's config.py.
// Return, g_free().
char *pe_vision_config_to_json(const PeVisionConfig *config);
char *pe_text_config_to_json(const PeTextConfig *config);
