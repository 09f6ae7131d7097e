// SPDX-License-Identifier: LGPL-2.1-or-later
//
// program.c - see program.h.

#include "program.h"

#include <stdio.h>

#include "program_output.h"
#include "progress.h"

ProgramOptions program_options = {.precision = PE_PRECISION_AUTO};

// GOption would convert the words of a "string" from the locale's encoding, and
// fail where that is not the one of the words. "File names" stay the bytes that
// they are, so every option that takes a text is one of those.

static gboolean
parse_precision(const char *option, const char *value, void *data,
                GError **error)
{
    if (pe_precision_parse(value, &program_options.precision))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--precision must be auto, fp32, bf16, fp16, int8 or fp8");
    return FALSE;
}

void
program_add_device_options(GOptionContext *context)
{
    static const GOptionEntry entries[] = {
        {"device", 'd', 0, G_OPTION_ARG_FILENAME, &program_options.device,
         "auto, cpu, cuda or cuda:N (default auto)", "D"},
        {"precision", 'p', G_OPTION_FLAG_FILENAME, G_OPTION_ARG_CALLBACK,
         (void *)parse_precision,
         "auto, fp32, bf16, fp16, int8 or fp8 (default auto)", "P"},
        {NULL},
    };
    g_option_context_add_main_entries(context, entries, NULL);
}

void
program_add_engine_options(GOptionContext *context)
{
    static const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &program_options.model,
         "Checkpoint, or a folder with one (default: the demo model)", "PATH"},
        {"vocab", 0, 0, G_OPTION_ARG_FILENAME, &program_options.vocab,
         "Vocabulary (default: found beside the model or installed)", "FILE"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &program_options.batch,
         "Images of a batch (default: chosen for the device)", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &program_options.threads,
         "CPU threads (default: all cores)", "N"},
        {NULL},
    };
    g_option_context_add_main_entries(context, entries, NULL);
    program_add_device_options(context);
}

int
program_parse(const char *command, const char *summary,
              const GOptionEntry *entries, const char *description, int *argc,
              char ***argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new(summary);

    program_add_engine_options(context);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_description(context, description);
    if (!program_output_parse(context, command, argc, argv, &error))
        return program_fail_usage(command, error->message);
    return 0;
}

PeModel *
program_open_model(GError **error)
{
    return program_options.model ? pe_model_open(program_options.model, error)
                                 : pe_model_open_default(error);
}

PeEngine *
program_open_engine(PeModel *model, GError **error)
{
    PeEngineParams params = {
        .model = model,
        .device = program_options.device,
        .precision = program_options.precision,
        .batch_size = program_options.batch,
        .n_threads = program_options.threads,
    };
    return pe_engine_get(&params, error);
}

static void
show_bytes(int64_t n_done, int64_t n_total, void *user_data)
{
    Progress *progress = user_data;
    progress->total = (double)n_total * 1e-6;
    progress_show(progress, (double)n_done * 1e-6);
}

bool
program_save_model(const PeModel *model, const char *path,
                   PePrecision precision, bool vision_only, GError **error)
{
    Progress progress;
    progress_start(&progress, "MB", 0);
    bool ok = pe_model_save(model, path, precision, vision_only, show_bytes,
                            &progress, error);
    progress_end(&progress);
    return ok;
}

int
program_fail(const GError *error)
{
    fprintf(stderr, "%s: %s\n", g_get_prgname(), error->message);
    return 1;
}

int
program_fail_usage(const char *command, const char *message)
{
    fprintf(stderr, "%s: %s\nTry \"%s %s%s--help\".\n", g_get_prgname(),
            message, g_get_prgname(), command ? command : "",
            command ? " " : "");
    return 2;
}
