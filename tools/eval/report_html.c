// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report_html.c - the report as a page; see report.h. Plots are SVG in the
// page, and every text that comes from outside is escaped.

#include <math.h>

#include "tools/eval/report.h"

#define MAX_MATRIX 40 // classes of a confusion matrix that is drawn
#define MAX_PAIRS 50  // confusions that are listed

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<style>\n"
    "body { font: 15px/1.4 sans-serif; max-width: 60em; margin: 2em auto;\n"
    "  padding: 0 1em; color: #222 }\n"
    "h1 { font-size: 1.4em; overflow-wrap: anywhere }\n"
    "h2 { font-size: 1.1em; margin-top: 2em }\n"
    "table { border-collapse: collapse }\n"
    "td, th { padding: .15em .8em .15em 0; text-align: left;\n"
    "  vertical-align: top; overflow-wrap: anywhere }\n"
    "td.n { text-align: right; font-variant-numeric: tabular-nums }\n"
    "svg { max-width: 100%; height: auto }\n"
    "svg text { font: 11px sans-serif; fill: #222 }\n"
    "</style>\n";

G_GNUC_PRINTF(2, 3)
static void
add(GString *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_markup_vprintf_escaped(format, args);
    va_end(args);
    g_string_append(page, text);
}

// "84.20 %", or "-" for what is not defined. Of this thread, until it is called
// twice more.
static const char *
percent(double value)
{
    static char texts[2][32];
    static int next;
    char *text = texts[next = 1 - next];
    if (isnan(value))
        return "-";
    g_snprintf(text, sizeof texts[0], "%.2f %%", 100 * value);
    return text;
}

static void
add_row(GString *page, const char *name, const char *value)
{
    add(page, "<tr><td>%s<td class=\"n\">%s\n", name, value);
}

static void
add_number(GString *page, const char *name, gsize value)
{
    g_autofree char *text = g_strdup_printf("%" G_GSIZE_FORMAT, value);
    add_row(page, name, text);
}

// ---- Reliability ----------------------------------------------------------

static void
add_reliability(GString *page, const Calibration *c)
{
    enum { SIDE = 300, LEFT = 40, TOP = 10 };
    const double step = (double)SIDE / CALIBRATION_BINS;
    g_string_append(page, "<h2>Reliability</h2>\n<p>How often predictions of a "
                          "confidence are right. On the line, they are as "
                          "often right as they say.</p>\n");
    add(page, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\">\n",
        LEFT + SIDE + 20, TOP + SIDE + 40, LEFT + SIDE + 20);
    for (int i = 0; i < CALIBRATION_BINS; i++) {
        if (c->n[i] == 0)
            continue;
        double accuracy = (double)c->n_right[i] / (double)c->n[i];
        double confidence = c->confidence[i] / (double)c->n[i];
        add(page,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
            "fill=\"#4a7fb5\"><title>%" G_GSIZE_FORMAT
            " predictions, confidence %s",
            LEFT + i * step, TOP + SIDE * (1 - accuracy), step - 1,
            SIDE * accuracy, c->n[i], percent(confidence));
        add(page, ", right %s</title></rect>\n", percent(accuracy));
    }
    add(page,
        "<path d=\"M%d %dV%dH%dM%d %dL%d %d\" fill=\"none\" "
        "stroke=\"#222\"/>\n",
        LEFT, TOP, TOP + SIDE, LEFT + SIDE, LEFT, TOP + SIDE, LEFT + SIDE, TOP);
    add(page,
        "<text x=\"0\" y=\"%d\">right</text><text x=\"%d\" y=\"%d\">"
        "confidence</text>\n<text x=\"%d\" y=\"%d\">0</text>"
        "<text x=\"%d\" y=\"%d\">1</text>\n</svg>\n",
        TOP + 8, LEFT + SIDE / 2 - 30, TOP + SIDE + 30, LEFT, TOP + SIDE + 15,
        LEFT + SIDE - 5, TOP + SIDE + 15);
}

// ---- Confusion ------------------------------------------------------------

static const char *
name_of(const Report *r, gsize number)
{
    return ((EvalClass *)r->dataset->classes->pdata[number])->name;
}

static void
add_matrix(GString *page, const Report *r)
{
    enum { CELL = 16, LEFT = 200 };
    const Classification *c = r->classification;
    int side = (int)c->n_classes * CELL;
    add(page, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\">\n",
        LEFT + side + 1, side + 1, LEFT + side + 1);
    for (gsize i = 0; i < c->n_classes; i++) {
        add(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
            LEFT - 5, (int)i * CELL + 12, name_of(r, i));
        for (gsize j = 0; j < c->n_classes; j++) {
            guint n = c->confusion[i * c->n_classes + j];
            double share = n ? (double)n / (double)c->classes[i].n : 0;
            add(page,
                "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
                "fill=\"%s\" fill-opacity=\"%.3f\" stroke=\"#ddd\">"
                "<title>%s",
                LEFT + (int)j * CELL, (int)i * CELL, CELL, CELL,
                i == j ? "#3a8f4d" : "#c0392b", share, name_of(r, i));
            add(page, " as %s: %u</title></rect>\n", name_of(r, j), n);
        }
    }
    g_string_append(page, "</svg>\n");
}

typedef struct {
    guint n;
    gsize place; // in the matrix
} Pair;

static gint
compare_pairs(gconstpointer a, gconstpointer b)
{
    const Pair *x = a, *y = b;
    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

static void
add_pairs(GString *page, const Report *r)
{
    const Classification *c = r->classification;
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
    for (gsize i = 0; i < c->n_classes * c->n_classes; i++) {
        Pair pair = {c->confusion[i], i};
        if (pair.n > 0 && i / c->n_classes != i % c->n_classes)
            g_array_append_val(pairs, pair);
    }
    g_array_sort(pairs, compare_pairs);
    add(page, "<table>\n<tr><th>it was<th>taken for<th>times\n");
    for (guint i = 0; i < MIN(pairs->len, MAX_PAIRS); i++) {
        const Pair *pair = &g_array_index(pairs, Pair, i);
        add(page, "<tr><td>%s<td>%s<td class=\"n\">%u\n",
            name_of(r, pair->place / c->n_classes),
            name_of(r, pair->place % c->n_classes), pair->n);
    }
    add(page, "</table>\n");
    if (pairs->len > MAX_PAIRS)
        add(page, "<p>And %u more pairs.</p>\n", pairs->len - MAX_PAIRS);
}

static void
add_confusion(GString *page, const Report *r)
{
    g_string_append(page, "<h2>Confusion</h2>\n");
    if (r->classification->n_classes <= MAX_MATRIX) {
        g_string_append(page, "<p>A line for each class, a column for what its "
                              "files were taken for.</p>\n");
        add_matrix(page, r);
    }
    add_pairs(page, r);
}

// ---- Classes --------------------------------------------------------------

static gint
compare_classes(gconstpointer a, gconstpointer b, gpointer data)
{
    const Classification *c = data;
    const ClassResult *x = &c->classes[*(const gsize *)a];
    const ClassResult *y = &c->classes[*(const gsize *)b];
    double u = (double)x->n_right / (double)x->n;
    double v = (double)y->n_right / (double)y->n;
    return u != v ? (u > v) - (u < v) : (x > y) - (x < y);
}

// Those that have files, the worst first.
static void
add_classes(GString *page, const Report *r)
{
    enum { HEIGHT = 16, LEFT = 220, WIDTH = 300 };
    Classification *c = (Classification *)r->classification;
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize i = 0; i < c->n_classes; i++) {
        if (c->classes[i].n > 0)
            g_array_append_val(order, i);
    }
    g_array_sort_with_data(order, compare_classes, c);
    g_string_append(page, "<h2>Classes</h2>\n<p>The share of each that is "
                          "right, the worst first.</p>\n");
    add(page, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\">\n",
        LEFT + WIDTH + 230, (int)order->len * HEIGHT + 4, LEFT + WIDTH + 230);
    for (guint i = 0; i < order->len; i++) {
        gsize number = g_array_index(order, gsize, i);
        const ClassResult *result = &c->classes[number];
        double share = (double)result->n_right / (double)result->n;
        int y = (int)i * HEIGHT;
        add(page,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>"
            "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" "
            "fill=\"#4a7fb5\"/>",
            LEFT - 5, y + 12, name_of(r, number), LEFT, y + 2, WIDTH * share,
            HEIGHT - 3);
        add(page, "<text x=\"%.1f\" y=\"%d\">%s of %" G_GSIZE_FORMAT,
            LEFT + WIDTH * share + 5, y + 12, percent(share), result->n);
        add(page, ", AUROC %s</text>\n", percent(result->auroc));
    }
    g_string_append(page, "</svg>\n");
}

// ---- Page -----------------------------------------------------------------

static void
add_head(GString *page, const Report *r)
{
    PeModel *model = pe_engine_get_model(r->engine);
    g_string_append(page, head);
    add(page, "<title>%s - pe-eval</title>\n<h1>%s</h1>\n<table>\n",
        r->dataset->path, r->dataset->path);
    add_row(page, "model", pe_model_get_name(model));
    add_row(page, "fingerprint", pe_model_get_fingerprint(model));
    add_row(page, "device", pe_engine_get_device(r->engine));
    add_row(page, "precision",
            pe_precision_nick(pe_engine_get_precision(r->engine)));
    if (r->n_frames)
        add_number(page, "frames of a video", (gsize)r->n_frames);
    add_number(page, "files found", r->dataset->items->len);
    add_number(page, "files left out", r->dataset->n_left_out);
    add_number(page, "unreadable", report_count_skipped(r));
}

static void
add_classification(GString *page, const Report *r)
{
    const Classification *c = r->classification;
    add_number(page, "evaluated", c->n_items);
    add_number(page, "classes", c->n_classes);
    add_number(page, "templates", g_strv_length(r->templates));
    add_row(page, "top-1", percent(c->top1));
    add_row(page, "top-5", percent(c->top5));
    add_row(page, "mean recall of a class", percent(c->mean_per_class_recall));
    add_row(page, "AUROC, mean of classes", percent(c->auroc_macro));
    add_row(page, "AUROC, all together", percent(c->auroc_micro));
    add_row(page, "calibration error (ECE)", percent(c->ece));
    g_string_append(page, "</table>\n");
    add_reliability(page, &c->calibration);
    add_confusion(page, r);
    add_classes(page, r);
}

static void
add_recalls(GString *page, const char *from, const double *recalls)
{
    for (int i = 0; i < RETRIEVAL_DEPTHS; i++) {
        g_autofree char *name =
            g_strdup_printf("%s, recall@%d", from, retrieval_depths[i]);
        add_row(page, name, percent(recalls[i]));
    }
}

static void
add_retrieval(GString *page, const Report *r)
{
    const Retrieval *result = r->retrieval;
    add_number(page, "evaluated", result->n_items);
    add_number(page, "captions", result->n_texts);
    add_recalls(page, r->n_frames ? "text to video" : "text to picture",
                result->text_to_item);
    add_recalls(page, r->n_frames ? "video to text" : "picture to text",
                result->item_to_text);
    g_string_append(page, "</table>\n");
}

static void
add_problems(GString *page, const Dataset *d)
{
    for (guint i = 0; i < d->notes->len; i++)
        add(page, "<p>%s</p>\n", (char *)d->notes->pdata[i]);
    g_string_append(page, "<h2>Unreadable</h2>\n<ul>\n");
    for (guint i = 0; i < d->items->len; i++) {
        const EvalItem *item = d->items->pdata[i];
        if (item->problem)
            add(page, "<li>%s\n", item->problem);
    }
    g_string_append(page, "</ul>\n");
}

char *
report_make_html(const Report *r)
{
    GString *page = g_string_new(NULL);
    add_head(page, r);
    if (r->classification)
        add_classification(page, r);
    else
        add_retrieval(page, r);
    add_problems(page, r->dataset);
    // A path need not be UTF-8, a page must.
    g_autofree char *text = g_string_free(page, FALSE);
    return g_utf8_make_valid(text, -1);
}
