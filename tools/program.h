// SPDX-License-Identifier: LGPL-2.1-or-later
//
// program.h - what the programs do alike: the options of a model on a device,
// the engine that they ask for, saving a model, and how a program fails.

#pragma once

#include "core/pe.h"

// What the options of program_add_*_options() were set to.
typedef struct {
    char *model, *vocab, *device;
    PePrecision precision;
    int batch, threads;
} ProgramOptions;

extern ProgramOptions program_options;

// --device and --precision
void program_add_device_options(GOptionContext *context);
// --model, --vocab, --batch, --threads and the two of a device
void program_add_engine_options(GOptionContext *context);
// The words of a program that has these, options of its own, and --version.
//   command      of a program with several, see program_output_parse(); or NULL
//   summary      behind the options in "Usage:"
//   description  of --help, behind the options
//   returns      0: go on; else the exit status, and why was said
int program_parse(const char *command, const char *summary,
                  const GOptionEntry *entries, const char *description,
                  int *argc, char ***argv);

// --model, or the demo model.
PeModel *program_open_model(GError **error);

// The engine for a model that the options ask for.
PeEngine *program_open_engine(PeModel *model, GError **error);

// pe_model_save() with a progress bar.
bool program_save_model(const PeModel *model, const char *path,
                        PePrecision precision, bool vision_only,
                        GError **error);

// Print why the program failed. Returns its exit status, 1.
int program_fail(const GError *error);

// Print what is wrong with the command line, and where help is.
//   command  of a program with several; NULL: has none or it was not given
// Returns the program's exit status, 2.
int program_fail_usage(const char *command, const char *message);
