// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-model.c - what a checkpoint is, a smaller and faster one of the same
// weights, and whether a device computes it rightly.

#include "core/pe.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/json_line.h"

static gboolean opt_json, opt_vision_only;
static char *opt_precision, *opt_device;

#define JSON_OPTION \
    { \
        "json", 0, 0, G_OPTION_ARG_NONE, &opt_json, \
            "One JSON object on one line instead of text", NULL \
    }

static const GOptionEntry inspect_entries[] = {JSON_OPTION, {NULL}};

static const GOptionEntry convert_entries[] = {
    {"precision", 'p', 0, G_OPTION_ARG_STRING, &opt_precision,
     "bf16, fp16 or fp32 (default bf16)", "P"},
    {"vision-only", 0, 0, G_OPTION_ARG_NONE, &opt_vision_only,
     "Leave the text tower out", NULL},
    JSON_OPTION,
    {NULL},
};

static const GOptionEntry check_entries[] = {
    {"device", 'd', 0, G_OPTION_ARG_STRING, &opt_device,
     "auto, cpu, cuda or cuda:N (default auto)", "D"},
    {"precision", 'p', 0, G_OPTION_ARG_STRING, &opt_precision,
     "auto, fp32, bf16, fp16, int8 or fp8 (default auto)", "P"},
    JSON_OPTION,
    {NULL},
};

static const char overview[] =
    "Usage: pe-model COMMAND ...\n"
    "\n"
    "Commands:\n"
    "  inspect FILE     what a checkpoint is and what it can do\n"
    "  convert IN OUT   write safetensors of another precision, with or "
    "without "
    "the\n"
    "                   text tower\n"
    "  check FILE       whether a device gives the known answers\n"
    "\n"
    "FILE is a checkpoint (Meta .pt, timm or open_clip .safetensors, or one\n"
    "that convert wrote) or a folder with exactly one.\n"
    "\"pe-model COMMAND --help\" tells the options.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static int
fail(const GError *error)
{
    fprintf(stderr, "pe-model: %s\n", error->message);
    return 1;
}

// ---- inspect --------------------------------------------------------------

static void
print_vision_json(JsonLine *j, const PeVisionConfig *v)
{
    json_line_int(j, "image_size", v->image_size);
    json_line_int(j, "patch_size", v->patch_size);
    json_line_int(j, "width", v->width);
    json_line_int(j, "layers", v->layers);
    json_line_int(j, "heads", v->heads);
    json_line_int(j, "mlp_width", v->mlp_width);
    json_line_int(j, "output_dim", v->output_dim);
    json_line_int(j, "pool_heads", v->pool_heads);
    json_line_bool(j, "cls_token", v->cls_token);
    json_line_bool(j, "ln_post", v->ln_post);
    json_line_bool(j, "layer_scale", v->layer_scale);
}

static void
print_text_json(JsonLine *j, const PeTextConfig *t)
{
    json_line_bool(j, "text_tower", t != NULL);
    if (!t)
        return;
    json_line_int(j, "text_context_length", t->context_length);
    json_line_int(j, "text_vocab_size", t->vocab_size);
    json_line_int(j, "text_width", t->width);
    json_line_int(j, "text_layers", t->layers);
    json_line_int(j, "text_heads", t->heads);
    json_line_int(j, "text_mlp_width", t->mlp_width);
}

static int64_t
get_file_size(const char *path)
{
    GStatBuf st;
    return g_stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void
print_model_json(const PeModel *model)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "file", pe_model_get_path(model));
    json_line_int(&j, "file_size", get_file_size(pe_model_get_path(model)));
    json_line_string(&j, "name", pe_model_get_name(model));
    json_line_string(&j, "format", pe_model_get_format(model));
    json_line_string(&j, "dtype", pe_model_get_dtype(model));
    json_line_string(&j, "fingerprint", pe_model_get_fingerprint(model));
    json_line_int(&j, "parameters", pe_model_count_parameters(model, false));
    json_line_int(&j, "vision_parameters",
                  pe_model_count_parameters(model, true));
    print_vision_json(&j, pe_model_get_vision(model));
    print_text_json(&j, pe_model_get_text(model));
    json_line_number(&j, "logit_scale", pe_model_get_logit_scale(model));
    json_line_bool(&j, "embeds_images",
                   pe_model_get_vision(model)->output_dim > 0);
    json_line_bool(&j, "embeds_texts", pe_model_get_text(model) != NULL);
    json_line_end(&j);
}

static const char *
describe_abilities(const PeModel *model)
{
    if (pe_model_get_vision(model)->output_dim == 0)
        return "patch features only: no embeddings, no labels (take a "
               "PE-Core model for those)";
    return pe_model_get_text(model)
               ? "embeds images and texts, labels by text"
               : "embeds images; has no text tower, so no labels by text";
}

static void
print_model_text(const PeModel *model)
{
    const PeVisionConfig *v = pe_model_get_vision(model);
    const PeTextConfig *t = pe_model_get_text(model);
    const char *path = pe_model_get_path(model);
    g_autofree char *size = g_format_size((guint64)get_file_size(path));
    printf("%s\n", pe_model_get_name(model));
    printf("  file         %s (%s)\n", path, size);
    printf("  format       %s, %s\n", pe_model_get_format(model),
           pe_model_get_dtype(model));
    printf("  fingerprint  %s\n", pe_model_get_fingerprint(model));
    printf("  parameters   %.2f M, vision tower %.2f M\n",
           (double)pe_model_count_parameters(model, false) * 1e-6,
           (double)pe_model_count_parameters(model, true) * 1e-6);
    printf("  images       %d x %d, patches of %d x %d\n", v->image_size,
           v->image_size, v->patch_size, v->patch_size);
    printf("  vision       width %d, %d layers, %d heads, MLP %d%s%s%s\n",
           v->width, v->layers, v->heads, v->mlp_width,
           v->cls_token ? ", class token" : "",
           v->pool_heads ? ", attention pool" : "",
           v->layer_scale ? ", LayerScale" : "");
    if (t)
        printf("  text         width %d, %d layers, %d heads, MLP %d, "
               "%d tokens of %d\n",
               t->width, t->layers, t->heads, t->mlp_width, t->context_length,
               t->vocab_size);
    if (v->output_dim)
        printf("  embedding    %d values, logit scale %.4g\n", v->output_dim,
               pe_model_get_logit_scale(model));
    printf("  can do       %s\n", describe_abilities(model));
}

static int
run_inspect(char **files)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_open(files[0], &error);
    if (!model)
        return fail(error);
    if (opt_json)
        print_model_json(model);
    else
        print_model_text(model);
    pe_model_unref(model);
    return 0;
}

// ---- convert --------------------------------------------------------------

static void
print_conversion(const PeModel *from, const PeModel *to)
{
    const char *in = pe_model_get_path(from), *out = pe_model_get_path(to);
    if (opt_json) {
        JsonLine j;
        json_line_begin(&j);
        json_line_string(&j, "in", in);
        json_line_string(&j, "out", out);
        json_line_string(&j, "name", pe_model_get_name(to));
        json_line_string(&j, "dtype", pe_model_get_dtype(to));
        json_line_int(&j, "file_size", get_file_size(out));
        json_line_bool(&j, "text_tower", pe_model_get_text(to) != NULL);
        json_line_string(&j, "fingerprint", pe_model_get_fingerprint(to));
        json_line_end(&j);
        return;
    }
    g_autofree char *size_in = g_format_size((guint64)get_file_size(in));
    g_autofree char *size_out = g_format_size((guint64)get_file_size(out));
    printf("%s: %s, %s, %s%s (was %s, %s)\n", out, pe_model_get_name(to),
           pe_model_get_dtype(to), size_out,
           pe_model_get_text(to) ? "" : ", without text tower",
           pe_model_get_dtype(from), size_in);
}

static int
run_convert(char **files, PePrecision precision)
{
    g_autoptr(GError) error = NULL;
    PeModel *from = pe_model_open(files[0], &error);
    if (!from)
        return fail(error);
    PeModel *to = NULL;
    // What was written is only called a model once it has been read again.
    if (pe_model_save(from, files[1], precision, opt_vision_only, &error) &&
        (to = pe_model_open(files[1], &error)))
        print_conversion(from, to);
    pe_model_unref(from);
    pe_model_unref(to);
    return error ? fail(error) : 0;
}

// ---- check ----------------------------------------------------------------

static void
print_report(const PeModel *model, const PeDeviceReport *r, bool ok)
{
    if (opt_json) {
        JsonLine j;
        json_line_begin(&j);
        json_line_string(&j, "file", pe_model_get_path(model));
        json_line_string(&j, "device", r->device);
        json_line_string(&j, "precision", r->precision);
        json_line_bool(&j, "ok", ok);
        json_line_number(&j, "cosine_image", r->cosine_image);
        json_line_number(&j, "cosine_text", r->cosine_text);
        json_line_number(&j, "max_abs", r->max_abs);
        json_line_end(&j);
        return;
    }
    printf("%s on %s, %s: %s\n", pe_model_get_name(model), r->device,
           r->precision, ok ? "right" : "WRONG");
    printf("  cosine of images to the plain C operations  %.7f\n",
           r->cosine_image);
    if (!isnan(r->cosine_text))
        printf("  cosine of texts to the plain C operations   %.7f\n",
               r->cosine_text);
    printf("  largest difference of unit vectors          %.3g\n", r->max_abs);
}

static int
run_check(char **files, PePrecision precision)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_open(files[0], &error);
    if (!model)
        return fail(error);
    PeDeviceReport report = {0};
    bool ok = pe_device_check(model, opt_device, precision, &report, &error);
    // Also full when the answers were wrong; empty when there is no device.
    if (report.device)
        print_report(model, &report, ok);
    pe_model_unref(model);
    return ok ? 0 : fail(error);
}

// ---- Command line ---------------------------------------------------------

typedef enum { INSPECT, CONVERT, CHECK } Command;

static const struct {
    const char *name;
    const char *parameters;
    const char *summary;
    int n_files;
    const GOptionEntry *entries;
} commands[] = {
    [INSPECT] = {"inspect", "FILE",
                 "Tell what a checkpoint is: model, towers, parameters, type, "
                 "fingerprint.",
                 1, inspect_entries},
    [CONVERT] = {"convert", "IN OUT.safetensors",
                 "Write the weights as safetensors with Meta's names. OUT "
                 "appears whole or not at all.",
                 2, convert_entries},
    [CHECK] = {"check", "FILE",
               "Embed built-in pictures and texts on a device and compare with "
               "the plain C\noperations, on the first layers of the model.",
               1, check_entries},
};

static int
usage_error(const char *command, const char *message)
{
    fprintf(stderr, "pe-model: %s\nTry \"pe-model %s%s--help\".\n", message,
            command, *command ? " " : "");
    return 2;
}

static int
run(Command command, char **files)
{
    const char *name = commands[command].name;
    PePrecision precision =
        command == CONVERT ? PE_PRECISION_BF16 : PE_PRECISION_AUTO;
    if (opt_precision && !pe_precision_parse(opt_precision, &precision))
        return usage_error(name, "--precision must be auto, fp32, bf16, fp16, "
                                 "int8 or fp8");
    switch (command) {
    case INSPECT:
        return run_inspect(files);
    case CONVERT:
        if (precision != PE_PRECISION_FP32 && precision != PE_PRECISION_BF16 &&
            precision != PE_PRECISION_FP16)
            return usage_error(name, "--precision must be bf16, fp16 or fp32");
        if (!g_str_has_suffix(files[1], ".safetensors"))
            return usage_error(name, "OUT must end in .safetensors");
        return run_convert(files, precision);
    default:
        return run_check(files, precision);
    }
}

static int
parse_and_run(Command command, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *usage = g_strdup_printf("%s %s", commands[command].name,
                                             commands[command].parameters);
    g_autoptr(GOptionContext) context = g_option_context_new(usage);
    g_option_context_add_main_entries(context, commands[command].entries, NULL);
    g_option_context_set_summary(context, commands[command].summary);
    g_option_context_set_description(
        context, "Exit status: 0 done, 1 failed, 2 wrong usage.");
    if (!g_option_context_parse(context, &argc, &argv, &error))
        return usage_error(commands[command].name, error->message);
    if (argc - 1 != commands[command].n_files) {
        g_autofree char *message =
            g_strdup_printf("expected %s", commands[command].parameters);
        return usage_error(commands[command].name, message);
    }
    return run(command, argv + 1);
}

int
main(int argc, char **argv)
{
    if (argc > 1 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(overview, stdout);
        return 0;
    }
    if (argc < 2)
        return usage_error("", "a command is missing: inspect, convert or "
                               "check");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        argv[1] = argv[0];
        return parse_and_run((Command)i, argc - 1, argv + 1);
    }
    g_autofree char *message = g_strdup_printf("unknown command '%s'", argv[1]);
    return usage_error("", message);
}
