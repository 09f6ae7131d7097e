// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-labels.c - says what is wrong with a labels file before a camera does.

#include "core/pe.h"

#include <gst/gst.h>

#include "tools/labels/captions.h"
#include "tools/labels/check.h"
#include "tools/labels/firing.h"
#include "tools/labels/proposals.h"
#include "tools/labels/report.h"
#include "tools/program.h"
#include "tools/program_output.h"

static char **opt_videos, **opt_pictures;
static double opt_threshold = .5;
static gboolean opt_strict, opt_json;

static const GOptionEntry entries[] = {
    {"video", 'v', 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_videos,
     "Try the labels on a video (may be repeated)", "FILE"},
    {"picture", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_pictures,
     "Try the labels on a picture (may be repeated)", "FILE"},
    {"threshold", 0, 0, G_OPTION_ARG_DOUBLE, &opt_threshold,
     "Score of labels without a threshold of their own (default 0.5)", "T"},
    {"strict", 0, 0, G_OPTION_ARG_NONE, &opt_strict,
     "Exit with 1 when there is an error among the findings", NULL},
    {"json", 0, 0, G_OPTION_ARG_NONE, &opt_json,
     "Print one JSON object (docs/schema/pe-labels.json)", NULL},
    {NULL},
};

static const char description[] =
    "Each line is a finding: an error (labels that no score can tell apart), "
    "a\n"
    "warning or advice, with what to do. With --video and --picture it also "
    "says\nhow often each label would fire, and what else is there.\n"
    "\n"
    "Examples:\n"
    "  pe-labels check pets.json\n"
    "  pe-labels check pets.json -m PE-Core-B16-224.pt --video monday.mp4\n"
    "\n"
    "Exit status: 0 checked, 1 something could not be read (or --strict and an "
    "error),\n2 wrong usage.";

static bool
check_all(Check *check, const char *path, GError **error)
{
    Firing firing = {0};
    if (!check_open(check, path, program_options.vocab, error) ||
        !firing_read(check, opt_videos, opt_pictures, error))
        return false;
    check_tokens(check);
    if (!check_neighbours(check, error))
        return false;
    firing_count(check, &firing);
    Captions *captions = captions_compare(check, error);
    bool ok = captions && proposals_make(check, firing.fired, error);
    if (ok && opt_json)
        report_print_json(check, path, captions, &firing);
    else if (ok)
        report_print(check, &firing);
    captions_free(captions);
    firing_clear(&firing);
    return ok;
}

static int
run(const char *path)
{
    g_autoptr(GError) error = NULL;
    Check check = {.threshold = opt_threshold};
    PeModel *model = program_open_model(&error);
    if (model)
        check.engine = program_open_engine(model, &error);
    g_clear_pointer(&model, pe_model_unref);
    bool ok = check.engine && check_all(&check, path, &error);
    int status = ok ? 0 : program_fail(error);
    if (ok && opt_strict && findings_count(check.findings, FINDING_ERROR) > 0)
        status = 1;
    check_clear(&check);
    return status;
}

int
main(int argc, char **argv)
{
    if (program_output_begin("pe-labels", argc, argv))
        return 0;
    int status =
        program_parse(NULL, "check LABELS - what is wrong with a labels file",
                      entries, description, &argc, &argv);
    if (status != 0)
        return status;
    if (argc < 2 || !g_str_equal(argv[1], "check"))
        return program_fail_usage(NULL, "expected a command, check");
    if (argc != 3)
        return program_fail_usage(NULL, "expected one labels file");
    if (program_options.batch < 0 || program_options.threads < 0)
        return program_fail_usage(NULL,
                                  "--batch and --threads must be positive");
    if (!(opt_threshold >= 0 && opt_threshold <= 1))
        return program_fail_usage(NULL, "--threshold must be from 0 to 1");
    gst_init(NULL, NULL);
    return run(argv[2]);
}
