// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeluma.c - see gstpeluma.h.

#include "gst/health/gstpeluma.h"

#include <math.h>
#include <stdlib.h>

// Row y of `down`, [GST_PE_SAMPLES_ACROSS].
static void
sample_row(const GstPeLuma *luma, int y, int down, uint8_t *samples)
{
    int row = (2 * y + 1) * luma->height / (2 * down);
    const uint8_t *line = luma->pixels + (size_t)row * luma->stride;

    for (int x = 0; x < GST_PE_SAMPLES_ACROSS; x++)
        samples[x] =
            line[(2 * x + 1) * luma->width / (2 * GST_PE_SAMPLES_ACROSS)];
}

void
gst_pe_luma_sample(const GstPeLuma *luma, uint8_t *samples)
{
    for (int y = 0; y < GST_PE_SAMPLES_DOWN; y++)
        sample_row(luma, y, GST_PE_SAMPLES_DOWN,
                   samples + y * GST_PE_SAMPLES_ACROSS);
}

void
gst_pe_luma_measure_cells(const GstPeLuma *luma, GstPeCells *cells)
{
    enum {
        SIDE = GST_PE_SAMPLES_ACROSS / GST_PE_CELLS_ACROSS,
        ROWS = GST_PE_CELLS_ROWS / GST_PE_CELLS_DOWN,
    };
    int sums[GST_PE_CELLS] = {0}, squares[GST_PE_CELLS] = {0};

    for (int y = 0; y < GST_PE_CELLS_ROWS; y++) {
        uint8_t row[GST_PE_SAMPLES_ACROSS];
        int cell = y / ROWS * GST_PE_CELLS_ACROSS;

        sample_row(luma, y, GST_PE_CELLS_ROWS, row);
        for (int left = 0; left < GST_PE_SAMPLES_ACROSS; left += SIDE, cell++) {
            const uint8_t *at = row + left;

            for (int x = 0; x < SIDE; x++)
                sums[cell] += at[x];
            for (int x = 1; x < SIDE; x++)
                squares[cell] += (at[x] - at[x - 1]) * (at[x] - at[x - 1]);
        }
    }
    for (int i = 0; i < GST_PE_CELLS; i++) {
        cells->light[i] = (float)sums[i] / (ROWS * SIDE);
        cells->sharpness[i] = (float)squares[i] / (ROWS * (SIDE - 1));
    }
}

// sums  [GST_PE_SAMPLES_CELLS] of the absolute differences of each cell's
// pixels
static void
sum_differences(const uint8_t *a, const uint8_t *b, int *sums)
{
    const int side = GST_PE_SAMPLES_CELL;

    for (int top = 0; top < GST_PE_SAMPLES_DOWN; top += side)
        for (int left = 0; left < GST_PE_SAMPLES_ACROSS; left += side) {
            int sum = 0;

            for (int y = top; y < top + side; y++)
                for (int x = left; x < left + side; x++) {
                    int at = y * GST_PE_SAMPLES_ACROSS + x;

                    sum += abs(a[at] - b[at]);
                }
            *sums++ = sum;
        }
}

double
gst_pe_samples_change(const uint8_t *a, const uint8_t *b)
{
    int sums[GST_PE_SAMPLES_CELLS], changed = 0;

    sum_differences(a, b, sums);
    for (int i = 0; i < GST_PE_SAMPLES_CELLS; i++)
        changed += 2 * sums[i] > GST_PE_SAMPLES_CELL * GST_PE_SAMPLES_CELL;
    return (double)changed / GST_PE_SAMPLES_CELLS;
}

double
gst_pe_samples_distance(const uint8_t *a, const uint8_t *b)
{
    // Of a twentieth of a level each; the last has all that is above.
    enum { BINS = 256, BIN = GST_PE_SAMPLES_CELL * GST_PE_SAMPLES_CELL / 20 };
    int sums[GST_PE_SAMPLES_CELLS], bins[BINS] = {0}, bin = 0;

    sum_differences(a, b, sums);
    for (int i = 0; i < GST_PE_SAMPLES_CELLS; i++)
        bins[sums[i] < BINS * BIN ? sums[i] / BIN : BINS - 1]++;
    for (int n = bins[0]; 2 * n < GST_PE_SAMPLES_CELLS; n += bins[bin])
        bin++;
    return bin / 20.0;
}

void
gst_pe_samples_measure(const uint8_t *samples, double *mean, double *deviation,
                       double *sharpness)
{
    double sum = 0, squares = 0, differences = 0;

    for (int y = 0; y < GST_PE_SAMPLES_DOWN; y++)
        for (int x = 0; x < GST_PE_SAMPLES_ACROSS; x++) {
            const uint8_t *at = samples + y * GST_PE_SAMPLES_ACROSS + x;
            int across = x > 0 ? at[0] - at[-1] : 0;
            int down = y > 0 ? at[0] - at[-GST_PE_SAMPLES_ACROSS] : 0;

            sum += at[0];
            squares += at[0] * at[0];
            differences += across * across + down * down;
        }
    *mean = sum / GST_PE_SAMPLES;
    *deviation = sqrt(fmax(0, squares / GST_PE_SAMPLES - *mean * *mean));
    *sharpness = differences / (2 * GST_PE_SAMPLES);
}

static float
mean_of_cell(const GstPeLuma *luma, int left, int top, int right, int bottom)
{
    uint64_t sum = 0;

    for (int y = top; y < bottom; y++) {
        const uint8_t *line = luma->pixels + (size_t)y * luma->stride;

        for (int x = left; x < right; x++)
            sum += line[x];
    }
    return (float)sum / ((right - left) * (bottom - top));
}

void
gst_pe_luma_gradients(const GstPeLuma *luma, float *gradients)
{
    const int across = GST_PE_THUMBNAIL_ACROSS, down = GST_PE_THUMBNAIL_DOWN;
    float cells[GST_PE_THUMBNAIL_CELLS];

    for (int y = 0; y < down; y++)
        for (int x = 0; x < across; x++)
            cells[y * across + x] = mean_of_cell(
                luma, x * luma->width / across, y * luma->height / down,
                (x + 1) * luma->width / across, (y + 1) * luma->height / down);
    for (int y = 0; y < down - 1; y++)
        for (int x = 0; x < across - 1; x++) {
            const float *at = cells + y * across + x;

            *gradients++ = at[1] - at[0];
            *gradients++ = at[across] - at[0];
        }
}
