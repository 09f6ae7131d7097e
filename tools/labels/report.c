// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.c - see report.h.

#include "report.h"

#include <stdio.h>

// ---- Lines ----------------------------------------------------------------

static void
print_firing(const Check *check, const Firing *firing)
{
    int n_silent = 0;
    for (guint i = 0; i < check->texts->labels->len; i++) {
        const LabelText *label = check->texts->labels->pdata[i];
        int n = firing->n_fired[i];
        n_silent += n == 0;
        if (n == 0)
            continue;
        g_autofree char *quoted = finding_quote(label->name);
        printf("fires: %s in %d of %d clips (%.1f %%)\n", quoted, n,
               firing->n_clips, 100. * n / firing->n_clips);
    }
    if (n_silent > 0)
        printf("fires: %d labels in none of %d clips\n", n_silent,
               firing->n_clips);
    printf("unknown: %d of %d clips (%.1f %%)\n", firing->n_unknown,
           firing->n_clips, 100. * firing->n_unknown / firing->n_clips);
}

void
report_print(const Check *check, const Firing *firing)
{
    findings_print(check->findings);
    if (firing->n_clips > 0)
        print_firing(check, firing);
    printf("%u labels, %u negatives%s: %u errors, %u warnings\n",
           check->texts->labels->len, check->texts->negatives->len,
           check->texts->default_negatives ? " (the default ones)" : "",
           findings_count(check->findings, FINDING_ERROR),
           findings_count(check->findings, FINDING_WARNING));
}

// ---- JSON -----------------------------------------------------------------

static void
add_captions(JsonLine *j, const Check *check, const Captions *captions)
{
    g_autoptr(GString) list = g_string_new("[");
    for (guint i = 0; i < captions->len; i++) {
        const Caption *caption = &g_array_index(captions, Caption, i);
        g_autoptr(GString) templates = g_string_new("[");
        const GPtrArray *own = check->texts->templates;
        for (guint k = 0; k < (caption->template ? 1 : own->len); k++) {
            g_string_append(templates, k ? ", " : "");
            json_append_quoted(templates, caption->template ? caption->template
                                                            : own->pdata[k]);
        }
        g_string_append_c(templates, ']');
        JsonLine o;
        json_line_begin(&o);
        json_line_json(&o, "templates", templates->str);
        json_line_bool(&o, "current", !caption->template);
        json_line_number(&o, "separation", caption->separation);
        json_line_number(&o, "margin", caption->margin);
        g_autofree char *object = json_line_steal(&o);
        g_string_append_printf(list, "%s%s", i ? ", " : "", object);
    }
    g_string_append_c(list, ']');
    json_line_json(j, "captions", list->str);
}

static void
add_firing(JsonLine *j, const Check *check, const Firing *firing)
{
    json_line_int(j, "clips", firing->n_clips);
    if (firing->n_clips == 0)
        return;
    json_line_number(j, "threshold", check->threshold);
    json_line_int(j, "unknown", firing->n_unknown);
    g_autoptr(GString) list = g_string_new("[");
    for (guint i = 0; i < check->texts->labels->len; i++) {
        const LabelText *label = check->texts->labels->pdata[i];
        JsonLine o;
        json_line_begin(&o);
        json_line_string(&o, "label", label->name);
        json_line_bool(&o, "own-threshold", label->has_threshold);
        json_line_int(&o, "clips", firing->n_fired[i]);
        g_autofree char *object = json_line_steal(&o);
        g_string_append_printf(list, "%s%s", i ? ", " : "", object);
    }
    g_string_append_c(list, ']');
    json_line_json(j, "fires", list->str);
}

void
report_print_json(const Check *check, const char *path,
                  const Captions *captions, const Firing *firing)
{
    const PeModel *model = pe_engine_get_model(check->engine);
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-labels-1");
    json_line_string(&j, "type", "check");
    json_line_string(&j, "path", path);
    json_line_string(&j, "model", pe_model_get_name(model));
    json_line_string(&j, "model-fingerprint", pe_model_get_fingerprint(model));
    json_line_string(&j, "label-set-fingerprint",
                     pe_labels_get_fingerprint(check->labels));
    json_line_int(&j, "labels", check->texts->labels->len);
    json_line_int(&j, "negatives", check->texts->negatives->len);
    json_line_bool(&j, "default-negatives", check->texts->default_negatives);
    json_line_int(&j, "errors", findings_count(check->findings, FINDING_ERROR));
    json_line_int(&j, "warnings",
                  findings_count(check->findings, FINDING_WARNING));
    findings_add_to_json(check->findings, &j);
    add_captions(&j, check, captions);
    add_firing(&j, check, firing);
    json_line_end(&j);
}
