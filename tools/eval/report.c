// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.c - the report as JSON and as text; see report.h.

#include "report.h"

#include <math.h>
#include <stdio.h>

#include "tools/json_line.h"

guint
report_count_skipped(const Report *report)
{
    guint n = 0;
    for (guint i = 0; i < report->dataset->items->len; i++)
        n += ((EvalItem *)report->dataset->items->pdata[i])->problem != NULL;
    return n;
}

// ---- JSON -----------------------------------------------------------------

// The text of a list whose entries were appended with a comma behind each.
static void
end_list(GString *list)
{
    if (list->len > 1)
        g_string_truncate(list, list->len - 2);
    g_string_append_c(list, ']');
}

static void
append_object(GString *list, JsonLine *j)
{
    g_autofree char *text = json_line_steal(j);
    g_string_append_printf(list, "%s, ", text);
}

static void
add_list(JsonLine *j, const char *key, GString *list)
{
    end_list(list);
    json_line_json(j, key, list->str);
    g_string_free(list, TRUE);
}

static void
add_texts(JsonLine *j, const char *key, char **texts, guint n)
{
    GString *list = g_string_new("[");
    for (guint i = 0; i < n; i++) {
        json_append_quoted(list, texts[i]);
        g_string_append(list, ", ");
    }
    add_list(j, key, list);
}

static void
add_skipped(JsonLine *j, const Dataset *d)
{
    GString *list = g_string_new("[");
    for (guint i = 0; i < d->items->len; i++) {
        const EvalItem *item = d->items->pdata[i];
        if (!item->problem)
            continue;
        JsonLine entry;
        json_line_begin(&entry);
        json_line_string(&entry, "path", item->path);
        json_line_string(&entry, "reason", item->problem);
        append_object(list, &entry);
    }
    add_list(j, "skipped", list);
}

static void
add_model(JsonLine *j, const Report *r)
{
    PeModel *model = pe_engine_get_model(r->engine);
    json_line_string(j, "model", pe_model_get_name(model));
    json_line_string(j, "model-fingerprint", pe_model_get_fingerprint(model));
    json_line_string(j, "device", pe_engine_get_device(r->engine));
    json_line_string(j, "precision",
                     pe_precision_nick(pe_engine_get_precision(r->engine)));
    json_line_int(j, "dim", pe_engine_get_dim(r->engine));
    if (r->n_frames)
        json_line_int(j, "frames", r->n_frames);
}

static void
add_reliability(JsonLine *j, const Calibration *c)
{
    GString *list = g_string_new("[");
    for (int i = 0; i < CALIBRATION_BINS; i++) {
        double n = (double)c->n[i];
        JsonLine bin;
        json_line_begin(&bin);
        json_line_number(&bin, "above", (double)i / CALIBRATION_BINS);
        json_line_number(&bin, "up-to", (double)(i + 1) / CALIBRATION_BINS);
        json_line_int(&bin, "n", (gint64)c->n[i]);
        json_line_number(&bin, "confidence", c->confidence[i] / n);
        json_line_number(&bin, "accuracy", (double)c->n_right[i] / n);
        append_object(list, &bin);
    }
    add_list(j, "reliability", list);
}

static void
add_classes(JsonLine *j, const Dataset *d, const Classification *c)
{
    GString *list = g_string_new("[");
    for (size_t i = 0; i < c->n_classes; i++) {
        const EvalClass *class_ = d->classes->pdata[i];
        const ClassResult *result = &c->classes[i];
        JsonLine entry;
        json_line_begin(&entry);
        if (class_->id)
            json_line_string(&entry, "id", class_->id);
        json_line_string(&entry, "name", class_->name);
        json_line_int(&entry, "n", (gint64)result->n);
        json_line_number(&entry, "top1",
                         (double)result->n_right / (double)result->n);
        json_line_number(&entry, "auroc", result->auroc);
        append_object(list, &entry);
    }
    add_list(j, "per-class", list);
}

// [true class, predicted class, how many], by their numbers.
static void
add_confusion(JsonLine *j, const Classification *c)
{
    GString *list = g_string_new("[");
    for (size_t i = 0; i < c->n_classes * c->n_classes; i++) {
        if (c->confusion[i] > 0)
            g_string_append_printf(list, "[%zu, %zu, %u], ", i / c->n_classes,
                                   i % c->n_classes, c->confusion[i]);
    }
    add_list(j, "confusion", list);
}

static void
add_classification(JsonLine *j, const Report *r)
{
    const Classification *c = r->classification;
    json_line_number(j, "logit-scale",
                     pe_model_get_logit_scale(pe_engine_get_model(r->engine)));
    add_texts(j, "templates", r->templates, g_strv_length(r->templates));
    json_line_int(j, "classes", (gint64)c->n_classes);
    json_line_int(j, "evaluated", (gint64)c->n_items);
    json_line_number(j, "top1", c->top1);
    json_line_number(j, "top5", c->top5);
    json_line_number(j, "mean-per-class-recall", c->mean_per_class_recall);
    json_line_number(j, "auroc-macro", c->auroc_macro);
    json_line_number(j, "auroc-micro", c->auroc_micro);
    json_line_number(j, "ece", c->ece);
    add_reliability(j, &c->calibration);
    add_classes(j, r->dataset, c);
    add_confusion(j, c);
}

static void
add_recalls(JsonLine *j, const char *key, size_t n, const double *recalls)
{
    JsonLine o;
    json_line_begin(&o);
    json_line_int(&o, "n", (gint64)n);
    for (int i = 0; i < RETRIEVAL_DEPTHS; i++) {
        g_autofree char *name =
            g_strdup_printf("recall-%d", retrieval_depths[i]);
        json_line_number(&o, name, recalls[i]);
    }
    g_autofree char *text = json_line_steal(&o);
    json_line_json(j, key, text);
}

char *
report_make_json(const Report *r)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-eval-1");
    json_line_string(&j, "type", r->retrieval ? "retrieve" : "classify");
    json_line_string(&j, "data", r->dataset->path);
    add_model(&j, r);
    json_line_int(&j, "items", (gint64)r->dataset->items->len);
    json_line_int(&j, "left-out", (gint64)r->dataset->n_left_out);
    add_skipped(&j, r->dataset);
    add_texts(&j, "notes", (char **)r->dataset->notes->pdata,
              r->dataset->notes->len);
    if (r->classification) {
        add_classification(&j, r);
    } else {
        json_line_int(&j, "evaluated", (gint64)r->retrieval->n_items);
        add_recalls(&j, "text-to-item", r->retrieval->n_texts,
                    r->retrieval->text_to_item);
        add_recalls(&j, "item-to-text", r->retrieval->n_items,
                    r->retrieval->item_to_text);
    }
    return json_line_steal(&j);
}

// ---- Terminal -------------------------------------------------------------

static void
print_percent(const char *name, double value)
{
    if (isnan(value))
        printf("%-24s      -\n", name);
    else
        printf("%-24s %6.2f %%\n", name, 100 * value);
}

static void
print_recalls(const char *from, const double *recalls)
{
    for (int i = 0; i < RETRIEVAL_DEPTHS; i++) {
        g_autofree char *name =
            g_strdup_printf("%s, recall@%d", from, retrieval_depths[i]);
        print_percent(name, recalls[i]);
    }
}

void
report_print(const Report *r)
{
    const Classification *c = r->classification;
    const char *unit = r->n_frames ? "videos" : "pictures";
    if (c) {
        printf("%-24s %6zu\n%-24s %6zu\n", unit, c->n_items, "classes",
               c->n_classes);
        print_percent("top-1", c->top1);
        print_percent("top-5", c->top5);
        print_percent("mean recall of a class", c->mean_per_class_recall);
        print_percent("AUROC, mean of classes", c->auroc_macro);
        print_percent("AUROC, all together", c->auroc_micro);
        print_percent("calibration error (ECE)", c->ece);
    } else {
        printf("%-24s %6zu\n%-24s %6zu\n", unit, r->retrieval->n_items,
               "captions", r->retrieval->n_texts);
        print_recalls(r->n_frames ? "text -> video" : "text -> picture",
                      r->retrieval->text_to_item);
        print_recalls(r->n_frames ? "video -> text" : "picture -> text",
                      r->retrieval->item_to_text);
    }
    guint n_skipped = report_count_skipped(r);
    if (n_skipped > 0)
        printf("%-24s %6u\n", "unreadable", n_skipped);
}
