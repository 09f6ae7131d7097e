// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_model.c - models are recognised from every naming and container, have
// the same weights, and say what is wrong with those that are not models.

#include "core/model/model.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/model/model_private.h"
#include "tests/support/checkpoint_files.h"
#include "tests/support/model_compare.h"

// ---- Formats --------------------------------------------------------------

static void
every_format_has_the_same_weights(void)
{
    static const struct {
        const char *kind, *format, *dtype;
        PePrecision precision;
        bool text;
    } files[] = {
        {"meta.pt", "meta-pt", "f32", PE_PRECISION_FP32, true},
        {"meta_nested.pt", "meta-pt", "f32", PE_PRECISION_FP32, true},
        {"meta_bf16.pt", "meta-pt", "bf16", PE_PRECISION_BF16, true},
        {"meta_fp16.pt", "meta-pt", "f16", PE_PRECISION_FP16, true},
        {"open_clip.safetensors", "open_clip", "f32", PE_PRECISION_FP32, true},
        {"timm.safetensors", "timm", "f32", PE_PRECISION_FP32, false},
    };
    PeModel *reference = model_open_tiny("meta.safetensors");
    g_assert_cmpstr(pe_model_get_format(reference), ==, "meta-safetensors");
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        PeModel *model = model_open_tiny(files[i].kind);
        g_assert_cmpstr(pe_model_get_format(model), ==, files[i].format);
        g_assert_cmpstr(pe_model_get_dtype(model), ==, files[i].dtype);
        g_assert_cmpint(pe_model_get_text(model) != NULL, ==, files[i].text);
        model_assert_same(model, reference, files[i].precision);
        bool same = files[i].text && files[i].precision == PE_PRECISION_FP32;
        g_assert_cmpint(strcmp(pe_model_get_fingerprint(model),
                               pe_model_get_fingerprint(reference)) == 0,
                        ==, same);
        pe_model_unref(model);
    }
    pe_model_unref(reference);
}

static void
calls_only_published_shapes_by_meta_names(void)
{
    PeVisionConfig v = {.image_size = 32, .patch_size = 16, .width = 64};
    const struct {
        const char *stored, *name;
    } cases[] = {
        {"pe-demo", "pe-demo"},
        {"PE-Core-B16-224", "PE 32x32 patch 16 width 64 depth 0"},
        {"two\nlines", "PE 32x32 patch 16 width 64 depth 0"},
        {"", "PE 32x32 patch 16 width 64 depth 0"},
        {NULL, "PE 32x32 patch 16 width 64 depth 0"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = pe_model_make_name(&v, cases[i].stored);
        g_assert_cmpstr(name, ==, cases[i].name);
    }
}

static void
tells_the_configuration_of_the_tiny_model(void)
{
    PeModel *model = model_open_tiny("meta.pt");
    const PeVisionConfig *v = pe_model_get_vision(model);
    const PeTextConfig *t = pe_model_get_text(model);
    g_assert_cmpstr(pe_model_get_name(model), ==,
                    "PE 64x64 patch 16 width 64 depth 2");
    g_assert_cmpint(v->image_size, ==, 64);
    g_assert_cmpint(v->heads, ==, 1);
    g_assert_cmpint(v->mlp_width, ==, 256);
    g_assert_cmpint(v->output_dim, ==, 48);
    g_assert_cmpint(v->pool_heads, ==, 8);
    g_assert_true(v->cls_token && v->ln_post && !v->layer_scale);
    g_assert_cmpint(t->context_length, ==, 32);
    g_assert_cmpint(t->vocab_size, ==, 512);
    g_assert_cmpint(t->layers, ==, 2);
    g_assert_cmpint(t->output_dim, ==, 48);
    g_assert_cmpfloat_with_epsilon(pe_model_get_logit_scale(model), 100, 1e-4);
    pe_model_unref(model);
}

// Append to `storage` the values of `t` with the first axis fastest, and
// describe them to the pickle.
static void
add_in_column_order(GByteArray *pickle, GByteArray *storage, const char *name,
                    const PeTensor *t)
{
    PickledTensor out = {
        "FloatStorage", NULL, "0", 0, storage->len / sizeof(float), t->n_dims};
    PeTensor reversed = *t;
    int64_t stride = 1;
    for (int i = 0; i < t->n_dims; i++) {
        int other = t->n_dims - 1 - i;
        reversed.shape[i] = t->shape[other];
        reversed.strides[i] = t->strides[other];
        out.shape[i] = t->shape[i];
        out.strides[i] = stride;
        stride *= t->shape[i];
    }
    g_autofree float *values = model_get_values(NULL, &reversed);
    g_byte_array_append(storage, (guint8 *)values,
                        (guint)stride * (guint)sizeof *values);
    pickle_text(pickle, name);
    pickle_tensor(pickle, &out);
}

// One storage for all, and no tensor in it is contiguous.
static void
reads_tensors_in_column_order(void)
{
    g_autofree char *source =
        file_data_path("checkpoints/tiny_core_cls.meta.safetensors");
    PeCheckpoint *ckpt = checkpoint_open(source);
    g_autoptr(GByteArray) pickle = g_byte_array_new();
    g_autoptr(GByteArray) values = g_byte_array_new();
    pickle_begin(pickle);
    for (int i = 0; i < pe_checkpoint_count(ckpt); i++)
        add_in_column_order(pickle, values, pe_checkpoint_get_name(ckpt, i),
                            pe_checkpoint_get_nth(ckpt, i));
    pickle_end(pickle);
    pe_checkpoint_free(ckpt);
    GByteArray *bytes =
        torch_file(pickle, &(Storage){values->data, values->len}, 1);
    g_autofree char *path = file_write_bytes("columns.pt", bytes);
    g_byte_array_unref(bytes);

    PeModel *model = model_open(path);
    PeModel *reference = model_open(source);
    model_assert_same(model, reference, PE_PRECISION_FP32);
    g_assert_cmpstr(pe_model_get_fingerprint(model), ==,
                    pe_model_get_fingerprint(reference));
    pe_model_unref(reference);
    pe_model_unref(model);
}

// ---- Published shapes -----------------------------------------------------

static const PeLayout core_meta = {"meta", "visual.", PE_NAMES_META, ""};
static const PeLayout core_open_clip = {"open_clip", "visual.trunk.",
                                        PE_NAMES_TIMM, "text."};
static const PeLayout bare_meta = {"meta", "", PE_NAMES_META, NULL};
static const PeLayout bare_timm = {"timm", "", PE_NAMES_TIMM, NULL};

typedef struct {
    const char *leave_out; // a name
    const char *reshape;   // a name that gets the shape [7]
    const char *repeat;    // an extra entry, "NAME": {...}
} Change;

// A safetensors file of the right size and no content: the tensors are a hole.
static char *
write_sparse(const char *config, const PeLayout *layout, const Change *change)
{
    PeModel *model = pe_model_new();
    g_assert_true(pe_model_set_published(model, config));
    model->has_text = layout->text != NULL;
    pe_model_make_weights(model);
    GString *header = g_string_new("{\"__metadata__\": {\"format\": \"pt\"}");
    int64_t offset = 0;
    g_autofree char *last = NULL;
    for (guint i = 0; i < model->weights->len; i++) {
        const PeWeight *place = &g_array_index(model->weights, PeWeight, i);
        char *name = pe_weight_get_name(place, layout);
        int64_t shape[4];
        int n = pe_weight_get_stored_shape(place, layout->names, shape);
        bool reshape = g_strcmp0(name, change->reshape) == 0;
        bool again = g_strcmp0(name, last) == 0 ||
                     (place->spec->stored == PE_STORED_QKV_KV &&
                      layout->names == PE_NAMES_META);
        if (!again && g_strcmp0(name, change->leave_out) != 0) {
            int64_t bytes = 4;
            for (int a = 0; a < n; a++)
                bytes *= shape[a];
            g_autofree char *axes =
                reshape ? g_strdup("[7]") : pe_shape_to_string(shape, n);
            bytes = reshape ? 28 : bytes;
            g_string_append_printf(header,
                                   ",\"%s\":{\"dtype\":\"F32\",\"shape\":%s,"
                                   "\"data_offsets\":[%" G_GINT64_FORMAT
                                   ",%" G_GINT64_FORMAT "]}",
                                   name, axes, offset, offset + bytes);
            offset += bytes;
        }
        g_free(last);
        last = name;
    }
    pe_model_unref(model);
    if (change->repeat)
        g_string_append_printf(header, ",%s", change->repeat);
    g_string_append_c(header, '}');
    while (header->len % 8)
        g_string_append_c(header, ' ');
    GByteArray *bytes = safetensors_file(header->str, NULL, 0);
    char *path = file_write_bytes("sparse.safetensors", bytes);
    g_assert_cmpint(truncate(path, (off_t)bytes->len + offset), ==, 0);
    g_byte_array_unref(bytes);
    g_string_free(header, TRUE);
    return path;
}

// Parameters of the vision tower and of both, from the published tables.
static const struct {
    const char *config;
    int64_t vision, all;
    const char *name; // what the shapes say, when two names share them
} published[] = {
    {"PE-Core-T16-384", 6140544, 69545601},
    {"PE-Core-S16-384", 23782656, 87187713},
    {"PE-Core-B16-224", 93672960, 447659521},
    {"PE-Core-L14-336", 317151232, 671137793},
    {"PE-Core-G14-448", 1882032640, 2419266561},
    {"PE-Lang-L14-448", 291415040, 291415040},
    {"PE-Lang-G14-448", 1740922624, 1740922624},
    {"PE-Spatial-G14-448", 1851887104, 1851887104},
    {"PE-Spatial-L14-448", 303964160, 303964160},
    {"PE-Spatial-B16-512", 86433792, 86433792},
    {"PE-Spatial-S16-512", 21983232, 21983232},
    {"PE-Spatial-T16-512", 5683200, 5683200},
};

static void
assert_recognised(const char *config, const PeLayout *layout)
{
    g_autofree char *path = write_sparse(config, layout, &(Change){0});
    gint64 start = g_get_monotonic_time();
    PeModel *model = model_open(path);
    double seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
    PeModel *expected = pe_model_new();
    g_assert_true(pe_model_set_published(expected, config));
    g_assert_cmpstr(pe_model_get_name(model), ==, config);
    g_assert_cmpmem(&model->vision, sizeof model->vision, &expected->vision,
                    sizeof expected->vision);
    if (layout->text)
        g_assert_cmpmem(&model->text, sizeof model->text, &expected->text,
                        sizeof expected->text);
    g_test_message("%s %s: opened in %.4f s, limit 1 s", config, layout->format,
                   seconds);
    g_assert_cmpfloat(seconds, <, 1);
    pe_model_unref(expected);
    pe_model_unref(model);
    g_unlink(path);
}

static void
recognises_every_published_model(void)
{
    g_assert_cmpuint(g_strv_length((char **)pe_model_list_configs()), ==,
                     G_N_ELEMENTS(published));
    for (size_t i = 0; i < G_N_ELEMENTS(published); i++) {
        const char *config = published[i].config;
        bool core = g_str_has_prefix(config, "PE-Core");
        assert_recognised(config, &bare_timm);
        assert_recognised(config, core ? &core_meta : &bare_meta);
        if (core)
            assert_recognised(config, &core_open_clip);
    }
}

static void
makes_random_models_of_every_shape(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(published); i++) {
        g_autoptr(GError) error = NULL;
        PeModel *model = pe_model_new_random(published[i].config, 1, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(pe_model_get_name(model), ==, published[i].config);
        g_assert_cmpstr(pe_model_get_path(model), ==, "");
        g_assert_cmpint(pe_model_count_parameters(model, true), ==,
                        published[i].vision);
        g_assert_cmpint(pe_model_count_parameters(model, false), ==,
                        published[i].all);
        pe_model_unref(model);
    }
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_model_new_random("PE-Core-X", 1, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "PE-Core-L14-336"));
}

static void
random_weights_follow_the_seed(void)
{
    PeModel *a = pe_model_new_random("PE-Core-T16-384", 7, NULL);
    PeModel *b = pe_model_new_random("PE-Core-T16-384", 7, NULL);
    PeModel *c = pe_model_new_random("PE-Core-T16-384", 8, NULL);
    model_assert_same(a, b, PE_PRECISION_FP32);
    g_assert_cmpstr(pe_model_get_fingerprint(a), ==,
                    pe_model_get_fingerprint(b));
    g_assert_cmpstr(pe_model_get_fingerprint(a), !=,
                    pe_model_get_fingerprint(c));

    const PeBlockWeights *block = &pe_model_get_vision_weights(a)->blocks[3];
    g_autofree float *fc = model_get_values(a, &block->fc_weight);
    g_autofree float *norm = model_get_values(a, &block->ln_1_weight);
    double sum = 0, squares = 0;
    int n = (int)pe_tensor_size(&block->fc_weight);
    for (int i = 0; i < n; i++) {
        sum += fc[i];
        squares += (double)fc[i] * fc[i];
    }
    double std = sqrt(squares / n);
    g_test_message("mean %g, std %g, expected 0 and 0.02", sum / n, std);
    g_assert_cmpfloat_with_epsilon(sum / n, 0, 5e-4);
    g_assert_cmpfloat_with_epsilon(std, 0.02, 1e-3);
    for (int i = 0; i < 192; i++)
        g_assert_cmpfloat_with_epsilon(norm[i], 1, 0.1);
    pe_model_unref(a);
    pe_model_unref(b);
    pe_model_unref(c);
}

// ---- Errors ---------------------------------------------------------------

static void
assert_refused(const PeLayout *layout, Change change, const char *part,
               const char *other_part)
{
    g_autofree char *path = write_sparse("PE-Core-B16-224", layout, &change);
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_model_open(path, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_test_message("%s", error->message);
    g_assert_true(g_str_has_prefix(error->message, path));
    g_assert_nonnull(strstr(error->message, part));
    g_assert_nonnull(strstr(error->message, other_part));
}

static void
names_what_is_missing_or_misshapen(void)
{
    assert_refused(
        &core_meta, (Change){"visual.transformer.resblocks.7.mlp.c_fc.bias"},
        "'visual.transformer.resblocks.7.mlp.c_fc.bias' is missing", "");
    assert_refused(&core_open_clip, (Change){"text.ln_final.bias"},
                   "'text.ln_final.bias' is missing", "");
    assert_refused(&bare_timm, (Change){"blocks.3.attn.qkv.weight"},
                   "'blocks.3.attn.qkv.weight' is missing", "");
    assert_refused(&core_meta,
                   (Change){NULL, "visual.attn_pool.attn.in_proj_weight"},
                   "'visual.attn_pool.attn.in_proj_weight' is [7]",
                   "expected [2304, 768]");
    assert_refused(&bare_timm, (Change){NULL, "norm_pre.weight"},
                   "'norm_pre.weight' is [7]", "expected [768]");
    assert_refused(&core_meta, (Change){NULL, "text_projection"},
                   "text embeddings have 0 values", "image embeddings 1024");
    assert_refused(&core_meta, (Change){NULL, "visual.positional_embedding"},
                   "the position embedding", "[positions, width]");
    assert_refused(&core_meta, (Change){NULL, "visual.conv1.weight"},
                   "[width, 3, patch, patch]", "");
    assert_refused(&core_meta,
                   (Change){"visual.transformer.resblocks.0.ln_1.weight"},
                   "no transformer blocks", "");
    // OpenAI's CLIP has all but the pool.
    assert_refused(&core_meta, (Change){"visual.attn_pool.probe"},
                   "'visual.attn_pool.probe' is missing", "another CLIP?");
    assert_refused(&bare_timm, (Change){"head.weight"},
                   "'head.weight' is missing", "projection");
}

static void
ignores_tensors_of_others(void)
{
    g_autofree char *path =
        write_sparse("PE-Spatial-T16-512", &bare_meta,
                     &(Change){NULL, NULL,
                               "\"ema.decay\":{\"dtype\":\"I64\",\"shape\":[0],"
                               "\"data_offsets\":[0,0]}"});
    PeModel *model = model_open(path);
    g_assert_cmpstr(pe_model_get_name(model), ==, "PE-Spatial-T16-512");
    pe_model_unref(model);
}

static void
opens_the_checkpoint_of_a_folder(void)
{
    g_autofree char *source =
        file_data_path("checkpoints/tiny_core_cls.timm.safetensors");
    g_autoptr(GByteArray) bytes = file_read(source);
    g_autofree char *folder = g_build_filename(file_folder(), "one", NULL);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    g_autofree char *file = file_write_bytes("one/model.safetensors", bytes);
    g_autofree char *other = file_write("one/config.json", "{}", 2);
    PeModel *model = model_open(folder);
    g_assert_cmpstr(pe_model_get_path(model), ==, file);
    pe_model_unref(model);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/formats", every_format_has_the_same_weights);
    g_test_add_func("/model/column-order", reads_tensors_in_column_order);
    g_test_add_func("/model/tiny", tells_the_configuration_of_the_tiny_model);
    g_test_add_func("/model/name", calls_only_published_shapes_by_meta_names);
    g_test_add_func("/model/published", recognises_every_published_model);
    g_test_add_func("/model/random", makes_random_models_of_every_shape);
    g_test_add_func("/model/seed", random_weights_follow_the_seed);
    g_test_add_func("/model/missing", names_what_is_missing_or_misshapen);
    g_test_add_func("/model/extra", ignores_tensors_of_others);
    g_test_add_func("/model/folder", opens_the_checkpoint_of_a_folder);
    int status = g_test_run();
    file_cleanup();
    return status;
}
