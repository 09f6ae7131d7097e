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
#include "tools/program.h"
#include "tools/program_output.h"

static gboolean opt_json, opt_vision_only;
static char *opt_precision; // of convert

static const GOptionEntry entries[] = {
    {"json", 0, 0, G_OPTION_ARG_NONE, &opt_json,
     "One JSON object on one line instead of text", NULL},
    {NULL},
};

static const GOptionEntry convert_entries[] = {
    {"precision", 'p', 0, G_OPTION_ARG_FILENAME, &opt_precision,
     "bf16, fp16 or fp32 (default bf16)", "P"},
    {"vision-only", 0, 0, G_OPTION_ARG_NONE, &opt_vision_only,
     "Leave the text tower out", NULL},
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
    "Options:\n"
    "  -h, --help       Show help options\n"
    "  --version        Show the version\n"
    "\n"
    "FILE is a checkpoint (Meta .pt, timm or open_clip .safetensors, or one\n"
    "that convert wrote), the .index.json of a sharded one, a folder with "
    "one,\n"
    "or the id of one in the local Hugging Face cache.\n"
    "\"pe-model COMMAND --help\" tells the options.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.\n";

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
        return program_fail(error);
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

static void
add_convert_options(GOptionContext *context)
{
    g_option_context_add_main_entries(context, convert_entries, NULL);
}

// From opt_precision. False when nothing can be written in it.
static bool
get_file_precision(PePrecision *precision)
{
    *precision = PE_PRECISION_BF16;
    if (opt_precision && !pe_precision_parse(opt_precision, precision))
        return false;
    return *precision == PE_PRECISION_FP32 || *precision == PE_PRECISION_BF16 ||
           *precision == PE_PRECISION_FP16;
}

// The file by any of its names: another path, a link.
static bool
is_same_file(const char *a, const char *b)
{
    GStatBuf x, y;
    return g_stat(a, &x) == 0 && g_stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

static void
note_size(const PeModel *from, const PeModel *to)
{
    const char *before = pe_model_get_dtype(from);
    const char *after = pe_model_get_dtype(to);
    bool smaller = g_str_equal(before, "f32") || opt_vision_only;
    if (!smaller && !g_str_equal(after, "f32"))
        fprintf(stderr, "%s: %s was %s already, so %s is no smaller\n",
                g_get_prgname(), pe_model_get_path(from), before, after);
}

// Returns the exit status.
static int
convert(const PeModel *from, const char *path, PePrecision precision)
{
    g_autoptr(GError) error = NULL;
    const char *in = pe_model_get_path(from);
    if (is_same_file(in, path)) {
        g_autofree char *message = g_strdup_printf(
            "IN and OUT are the same file, which would be lost: %s and %s; "
            "name another OUT",
            in, path);
        return program_fail_usage("convert", message);
    }
    g_autofree char *out = program_output_resolve(path, &error);
    if (!out)
        return program_fail(error);
    PeModel *to = NULL;
    // What was written is only called a model once it has been read again.
    if (program_save_model(from, out, precision, opt_vision_only, &error) &&
        (to = pe_model_open(out, &error))) {
        print_conversion(from, to);
        note_size(from, to);
    }
    pe_model_unref(to);
    return error ? program_fail(error) : 0;
}

static int
run_convert(char **files)
{
    PePrecision precision;
    if (!get_file_precision(&precision))
        return program_fail_usage("convert",
                                  "--precision must be bf16, fp16 or fp32");
    if (!g_str_has_suffix(files[1], ".safetensors"))
        return program_fail_usage("convert", "OUT must end in .safetensors");
    g_autoptr(GError) error = NULL;
    PeModel *from = pe_model_open(files[0], &error);
    if (!from)
        return program_fail(error);
    int status = convert(from, files[1], precision);
    pe_model_unref(from);
    return status;
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
run_check(char **files)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_open(files[0], &error);
    if (!model)
        return program_fail(error);
    PeDeviceReport report = {0};
    bool ok = pe_device_check(model, program_options.device,
                              program_options.precision, &report, &error);
    // Also full when the answers were wrong; empty when there is no device.
    if (report.device)
        print_report(model, &report, ok);
    pe_model_unref(model);
    return ok ? 0 : program_fail(error);
}

// ---- Command line ---------------------------------------------------------

typedef struct {
    const char *name;
    const char *parameters;
    const char *summary;
    int n_files;
    void (*add_options)(GOptionContext *context); // NULL: only --json
    int (*run)(char **files);                     // returns the exit status
} Command;

static const Command commands[] = {
    {"inspect", "FILE",
     "Tell what a checkpoint is: model, towers, parameters, type, fingerprint.",
     1, NULL, run_inspect},
    {"convert", "IN OUT.safetensors",
     "Write the weights as safetensors with Meta's names. OUT appears whole or "
     "not at all.",
     2, add_convert_options, run_convert},
    {"check", "FILE",
     "Embed built-in pictures and texts on a device and compare with the plain "
     "C\noperations, on the first layers of the model.",
     1, program_add_device_options, run_check},
};

static int
parse_and_run(const Command *command, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context =
        g_option_context_new(command->parameters);
    if (command->add_options)
        command->add_options(context);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context, command->summary);
    g_option_context_set_description(
        context, "Exit status: 0 done, 1 failed, 2 wrong usage.");
    if (!program_output_parse(context, command->name, &argc, &argv, &error))
        return program_fail_usage(command->name, error->message);
    if (argc - 1 != command->n_files) {
        g_autofree char *message =
            g_strdup_printf("expected %s", command->parameters);
        return program_fail_usage(command->name, message);
    }
    return command->run(argv + 1);
}

int
main(int argc, char **argv)
{
    if (program_output_begin("pe-model", argc, argv))
        return 0;
    if (argc > 1 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(overview, stdout);
        return 0;
    }
    if (argc < 2)
        return program_fail_usage(
            NULL, "a command is missing: inspect, convert or check");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return parse_and_run(&commands[i], argc - 1, argv + 1);
    }
    g_autofree char *message = g_strdup_printf("unknown command '%s'", argv[1]);
    return program_fail_usage(NULL, message);
}
