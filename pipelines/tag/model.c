// SPDX-License-Identifier: LGPL-2.1-or-later
//
// model.c - see model.h. For pe-tag and pe-search.

#include "model.h"

#include "gst/video/gstpepicture.h"
#include "pipelines/index/probe.h"
#include "tools/program.h"

bool
model_open(Model *model, GError **error)
{
    *model = (Model){0};
    PeModel *file = program_open_model(error);
    if (!file)
        return false;
    model->engine = program_open_engine(file, error);
    if (model->engine && pe_model_get_text(file))
        model->tokenizer =
            pe_tokenizer_open_for_model(program_options.vocab, file, NULL);
    pe_model_unref(file);
    if (!model->engine)
        return false;
    file = pe_engine_get_model(model->engine);
    model->archive.name = pe_model_get_name(file);
    model->archive.fingerprint = pe_model_get_fingerprint(file);
    model->archive.dim = pe_engine_get_dim(model->engine);
    model->probes = probe_embed(model->engine, model->tokenizer,
                                &model->archive.n_probes, error);
    model->archive.probes = model->probes;
    return model->probes != NULL;
}

void
model_close(Model *model)
{
    g_clear_pointer(&model->tokenizer, pe_tokenizer_unref);
    g_clear_pointer(&model->engine, pe_engine_unref);
    g_clear_pointer(&model->probes, g_free);
}

PeLabels *
model_read_labels(const Model *model, const char *path, GError **error)
{
    PeLabelSpec *spec = pe_label_spec_load(path, error);
    if (!spec)
        return NULL;
    pe_label_spec_set_picture_reader(spec, gst_pe_picture_read);
    PeLabels *labels = NULL;
    const PeModel *file = pe_engine_get_model(model->engine);
    bool has_texts = pe_model_get_text(file) != NULL;
    PeTokenizer *tokenizer =
        has_texts
            ? pe_tokenizer_open_for_model(program_options.vocab, file, error)
            : NULL;
    if (tokenizer || !has_texts)
        labels = pe_labels_new(model->engine, tokenizer, spec, error);
    pe_tokenizer_unref(tokenizer);
    pe_label_spec_free(spec);
    return labels;
}
