// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pelabels.h - what the user looks for, and how well it fits a clip. A part of
// pe.h, which includes it and explains its words.

#pragma once

#include "peframe.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

typedef struct PeEngine PeEngine;
typedef struct PeTokenizer PeTokenizer;

// ---- Label sets -----------------------------------------------------------

// What the user asked for, before any model is involved.
typedef struct PeLabelSpec PeLabelSpec;

// What prompts are made with unless the user says otherwise; "{}" alone is the
// label as it is.
#define PE_DEFAULT_TEMPLATE "a video of {}."

// What a label is compared with: the other labels too, so that they share the
// scores, or only the negatives and the bank, so that several may be high.
typedef enum {
    PE_LABELS_EXCLUSIVE,
    PE_LABELS_INDEPENDENT,
} PeLabelsMode;

// "exclusive", "independent"; false when `nick` is none of them.
bool pe_labels_mode_parse(const char *nick, PeLabelsMode *mode);
const char *pe_labels_mode_nick(PeLabelsMode mode);

// `text` is "a dog|a cat"; blanks around a label are dropped; `\|` is a bar.
// Or it is the JSON of a labels file: text that begins with [ or {.
PeLabelSpec *pe_label_spec_parse(const char *text,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
// One label a line ('#' starts a comment line), or JSON: a list of labels or an
// object with "labels" and any of "name", "negatives", "templates", "mode",
// "bank" (a path, from the file's folder), "calibration" ({"slope", "offset",
// "model": its fingerprint, "mode"}) and "model" (the fingerprint of the model
// that vectors are of). A label is a string or an object with "name" and any of
// "prompts", "threshold", "probability-threshold", "similarity-threshold",
// "offset", examples and "image-weight". Examples are "images" (paths, from the
// file's folder) or "vector" (Base64 of little-endian floats, or a list of
// numbers). They are the label, whatever its name, unless it has prompts or
// "image-weight": that is their share then, above 0 and up to 0.25, which it is
// with prompts alone. Other keys are an error.
PeLabelSpec *pe_label_spec_load(const char *path,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pe_label_spec_free(PeLabelSpec *spec);
int pe_label_spec_count(const PeLabelSpec *spec); // negatives not counted
// "a video of {}.|a photo of {}."; replaces the spec's own; NULL and "" do
// nothing. A template without "{}" is an error.
bool pe_label_spec_set_templates(PeLabelSpec *spec, const char *text,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
// "a wall|nothing"; added to the spec's own; NULL and "" do nothing. "none"
// takes all of them away. A spec that was never given any, not even an empty
// list of them, has the default ones, see pe_default_negatives().
bool pe_label_spec_add_negatives(PeLabelSpec *spec, const char *text,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
// Replaces the spec's own mode.
void pe_label_spec_set_mode(PeLabelSpec *spec, PeLabelsMode mode);
// Read a bank: a file with a text a line, as label files are, that labels are
// compared with besides the negatives. Replaces the spec's own; "off" takes it
// away; NULL and "" do nothing.
bool pe_label_spec_set_bank(PeLabelSpec *spec, const char *path,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

// What is done with a picture; borrows the frame. false with the error set.
typedef bool (*PePictureFunc)(const PeFrame *frame, void *user_data,
                              GError **error);

// Reads a picture's file and calls `func` with it, once. false with an error
// that names the file, when it cannot be read or when `func` failed. Called by
// pe_labels_new(), on its thread.
typedef bool (*PePictureReader)(const char *path, PePictureFunc func,
                                void *user_data, GError **error);

// The library knows no files of pictures. Without a reader (NULL), label sets
// with "images" cannot be made.
void pe_label_spec_set_picture_reader(PeLabelSpec *spec,
                                      PePictureReader reader);

// The texts of the negatives that a set has when the user gives none:
// NULL-terminated, static.
const char *const *pe_default_negatives(void);

typedef struct PeLabels PeLabels;

// Embed every prompt (templates averaged, then unit length) on the engine, or
// take the vectors from the cache under $XDG_CACHE_HOME/gst-pe, unless it has
// GST_PE_CACHE=off; the same with every picture (the mean of unit vectors, then
// unit length). Default negatives, and texts of the bank, nearer than a cosine
// of 0.9 to a label are left out, with a warning for the bank's. Blocks. With a
// model without text tower, texts are an error and the tokenizer may be NULL.
// The calibration is the spec's own, else that of the file beside the model
// ("x-calibration.json" for "x.safetensors"), else none. Fails when it is of
// another model, as when vectors are, and in independent mode when there is
// nothing to compare with. Returns a reference.
PeLabels *pe_labels_new(PeEngine *engine, const PeTokenizer *tokenizer,
                        const PeLabelSpec *spec,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
PeLabels *pe_labels_ref(PeLabels *labels);
void pe_labels_unref(PeLabels *labels);
int pe_labels_count(const PeLabels *labels); // negatives not counted
const char *pe_labels_get_name(const PeLabels *labels, int index);
// The unit vector [dim] of a label.
const float *pe_labels_get_vector(const PeLabels *labels, int index);
// What the user calls the set, the "name" of its JSON; "" without.
const char *pe_labels_get_set_name(const PeLabels *labels);
// 16 hexadecimal digits over names, prompts, what is in examples, thresholds,
// offsets, negatives, bank, mode, calibration, vocabulary and model, the same
// in every process and on every machine: results with equal fingerprints have
// comparable scores. In which order labels, prompts and pictures are written
// does not count, nor do the pictures' paths or the set's name.
const char *pe_labels_get_fingerprint(const PeLabels *labels);
PeLabelsMode pe_labels_get_mode(const PeLabels *labels);
// Where the calibration is from: "none", "model" (the file beside it) or
// "labels" (the label set says it, if only for one label). Static.
const char *pe_labels_get_calibration(const PeLabels *labels);
// Are the negatives the default ones?
bool pe_labels_has_default_negatives(const PeLabels *labels);
// What the user should know: texts that are too long for the model, labels that
// hardly differ (cosine > 0.95) or, also from a negative, not at all, pictures
// that are compared with texts, what of the bank is left out. NULL-terminated,
// borrowed; also in the log.
const char *const *pe_labels_get_warnings(const PeLabels *labels);
// What was decided for the user: that default negatives are used. As above.
const char *const *pe_labels_get_notes(const PeLabels *labels);

// ---- Scores ---------------------------------------------------------------

typedef struct {
    int index;         // of the label
    const char *name;  // borrowed from the labels
    float score;       // calibrated, [0, 1]
    float probability; // softmax over the labels alone, [0, 1]
    float similarity;  // cosine, [-1, 1]
} PeScore;

typedef struct {
    int top_k;                   // labels at most
    float threshold;             // of the score; 0: none
    float probability_threshold; // 0: none
    float similarity_threshold;  // -1: none
} PeScoreParams;

// The labels that fit best, whatever their numbers.
#define PE_SCORE_PARAMS_TOP(k) \
    { \
        (k), 0, 0, -1 \
    }

// What is said of the clip as a whole.
typedef struct {
    float mass;   // share of negatives and bank in the softmax over all, [0, 1]
    bool unknown; // mass >= 0.5, or no label reaches its thresholds
} PeVerdict;

// Score a unit embedding [dim] against every label, negative and text of the
// bank. MODEL.md has the formulas.
//   scores   [top_k] gets at most as many labels that reach the larger of each
//            threshold and their own, highest score first; may be NULL when
//            top_k is 0
//   verdict  may be NULL
//   evidence [n_labels] gets how much speaks for each label, whatever the
//            thresholds, which decisions over time add up: the number whose
//            logistic function is the score, a log-odds ratio from -10000 to
//            10000; may be NULL
// Returns how many labels. An embedding that is not finite has none, is
// unknown, and its mass and all evidence are NaN.
int pe_labels_score(const PeLabels *labels, const float *embedding,
                    const PeScoreParams *params, PeScore *scores,
                    PeVerdict *verdict, float *evidence);

// The same of n embeddings [n, dim] at once, on all cores. It is much faster
// than one after the other, because the labels are read once for many of them.
//   scores    [n, top_k]   verdicts  [n]   evidence  [n, n_labels]   as above
//   n_scores  [n] gets what pe_labels_score() returns
// Every number has the same bits as there, but for sets that are so large that
// pe_labels_score() rounds (4 million numbers, see MODEL.md): nothing is
// rounded here.
void pe_labels_score_many(const PeLabels *labels, const float *embeddings,
                          int n, const PeScoreParams *params, PeScore *scores,
                          int *n_scores, PeVerdict *verdicts, float *evidence);

#pragma GCC visibility pop

G_END_DECLS
