// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeluma.h - small versions of a picture's luma, and how much two of
// them differ. Knows nothing about time.

#pragma once

#include <stddef.h>
#include <stdint.h>

// Samples of exact pixels, for what must be equal.
enum {
    GST_PE_SAMPLES_ACROSS = 320,
    GST_PE_SAMPLES_DOWN = 180,
    GST_PE_SAMPLES = GST_PE_SAMPLES_ACROSS * GST_PE_SAMPLES_DOWN,
    GST_PE_SAMPLES_CELL = 10, // side of a cell, in samples
    GST_PE_SAMPLES_CELLS =
        GST_PE_SAMPLES / (GST_PE_SAMPLES_CELL * GST_PE_SAMPLES_CELL),
};

// Means of parts, for what must look alike.
enum {
    GST_PE_THUMBNAIL_ACROSS = 48,
    GST_PE_THUMBNAIL_DOWN = 27,
    GST_PE_THUMBNAIL_CELLS = GST_PE_THUMBNAIL_ACROSS * GST_PE_THUMBNAIL_DOWN,
    // Horizontal and vertical differences of neighbours inside.
    GST_PE_THUMBNAIL_GRADIENTS =
        2 * (GST_PE_THUMBNAIL_ACROSS - 1) * (GST_PE_THUMBNAIL_DOWN - 1),
};

// Cells for what goes on from frame to frame, measured on a few rows.
enum {
    GST_PE_CELLS_ACROSS = 8,
    GST_PE_CELLS_DOWN = 12,
    GST_PE_CELLS = GST_PE_CELLS_ACROSS * GST_PE_CELLS_DOWN,
    GST_PE_CELLS_ROWS = 8 * GST_PE_CELLS_DOWN, // of samples
};

typedef struct {
    float light[GST_PE_CELLS];     // mean, levels
    float sharpness[GST_PE_CELLS]; // mean square difference of neighbours
} GstPeCells;

typedef struct {
    const uint8_t *pixels; // [height] rows, stride bytes apart; borrowed
    int width, height;     // at least 2 * GST_PE_THUMBNAIL_ACROSS, ..._DOWN
    size_t stride;
} GstPeLuma;

// samples  [GST_PE_SAMPLES], the pixel nearest to each
void gst_pe_luma_sample(const GstPeLuma *luma, uint8_t *samples);

// Of each cell, row by row; of GST_PE_CELLS_ROWS rows of
// GST_PE_SAMPLES_ACROSS samples.
void gst_pe_luma_measure_cells(const GstPeLuma *luma, GstPeCells *cells);

// The share of the cells whose mean absolute difference is above half a level.
double gst_pe_samples_change(const uint8_t *a, const uint8_t *b);

// What the mean absolute difference of half of the cells is above, in levels,
// up to 12.75.
double gst_pe_samples_distance(const uint8_t *a, const uint8_t *b);

// mean, deviation and mean square difference of neighbours, of the samples
void gst_pe_samples_measure(const uint8_t *samples, double *mean,
                            double *deviation, double *sharpness);

// gradients  [GST_PE_THUMBNAIL_GRADIENTS] of the means of the thumbnail's cells
void gst_pe_luma_gradients(const GstPeLuma *luma, float *gradients);
