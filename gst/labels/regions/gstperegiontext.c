// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegiontext.c - a reader of one pass, which knows where it is.

#include "gst/labels/regions/gstperegiontext.h"

#include "gst/labels/regions/gstperegions.h"

#include <math.h>
#include <string.h>

typedef struct {
    const char *text;
    const char *at; // what is read now
    GError **error;
} Reader;

// What was expected where the reader is. Returns false.
static bool
refuse(const Reader *r, const char *expected)
{
    glong place = g_utf8_strlen(r->text, r->at - r->text) + 1;
    size_t rest = strcspn(r->at, ";\n");
    g_autofree char *found =
        rest > 0 ? g_strndup(r->at, rest) : g_strdup("nothing");

    g_set_error(r->error, PE_ERROR, PE_ERROR_FORMAT,
                "regions, character %ld: expected %s, found %s; a region is "
                "written as " GST_PE_REGION_GRAMMAR ", and ;; comes before the "
                "next",
                place, expected, found);
    return false;
}

static void
skip_blanks(Reader *r)
{
    r->at += strspn(r->at, " \t\r");
}

bool
gst_pe_region_text_length(const char *text, double *value, bool *percent)
{
    char *end;

    *value = g_ascii_strtod(text, &end);
    if (end == text || !isfinite(*value))
        return false;
    *percent = *end == '%';
    end += *percent;
    return end[strspn(end, " \t\r\n")] == '\0';
}

// Up to one of these characters; not behind it.
static char *
take_until(Reader *r, const char *ends)
{
    size_t n = strcspn(r->at, ends);
    char *taken = g_strstrip(g_strndup(r->at, n));

    r->at += n;
    return taken;
}

static bool
read_name(Reader *r, GstPeNamedRegion *region)
{
    const char *start = r->at;

    region->name = take_until(r, "=;\n");
    if (*r->at == '=' && *region->name &&
        g_utf8_validate(region->name, -1, NULL)) {
        r->at++;
        return true;
    }
    r->at = start;
    return refuse(r, "a name and =");
}

static bool
read_rectangle(Reader *r, GstPeNamedRegion *region)
{
    for (int i = 0; i < 4; i++) {
        const char *start = r->at;
        g_autofree char *length = take_until(r, ",;\n");
        bool ok = gst_pe_region_text_length(length, &region->rectangle[i],
                                            &region->percent[i]);
        if (!ok || (*r->at == ',') != (i < 3)) {
            r->at = ok && *r->at != ',' ? r->at : start;
            return refuse(r, "four numbers with commas between them, each in "
                             "pixels or with % behind it");
        }
        r->at += i < 3;
    }
    return true;
}

// ---- Fields ---------------------------------------------------------------

// Up to the next semicolon or line; `\;` is a semicolon. Other backslashes stay
// for whoever reads the labels.
static char *
take_field(Reader *r)
{
    GString *field = g_string_new(NULL);

    for (; *r->at && *r->at != ';' && *r->at != '\n'; r->at++) {
        if (r->at[0] == '\\' && r->at[1] == ';')
            r->at++;
        g_string_append_c(field, *r->at);
    }
    return g_strstrip(g_string_free(field, FALSE));
}

static bool
read_number(const char *value, double least, double most, double *number)
{
    char *end;

    *number = g_ascii_strtod(value, &end);
    return end != value && !*end && *number >= least && *number <= most;
}

static bool
set_mode(GstPeNamedRegion *region, const char *value)
{
    PeLabelsMode mode;

    if (!pe_labels_mode_parse(value, &mode))
        return false;
    g_free(region->mode);
    region->mode = g_strdup(value);
    return true;
}

// The value of a field with this name, or NULL.
static const char *
match(const char *field, const char *name)
{
    size_t n = strlen(name);

    return g_str_has_prefix(field, name) && field[n] == '=' ? field + n + 1
                                                            : NULL;
}

// Whether it begins like "word-word=".
static bool
is_option(const char *field)
{
    size_t n = strspn(field, "abcdefghijklmnopqrstuvwxyz-");

    return n > 0 && field[n] == '=';
}

static bool
read_field(Reader *r, GstPeNamedRegion *region)
{
    const char *start = r->at, *value, *expected = NULL;
    g_autofree char *field = take_field(r);
    double number = 0;

    if ((value = match(field, "labels-mode"))) {
        if (!set_mode(region, value))
            expected = "labels-mode=exclusive or labels-mode=independent";
    } else if ((value = match(field, "interval"))) {
        if (!read_number(value, 1, 1e6, &number) || number != floor(number))
            expected = "interval= and a whole number from 1 to 1000000";
        region->interval = (int)number;
    } else if ((value = match(field, "on-change"))) {
        if (!read_number(value, 0, 255, &number))
            expected = "on-change= and a number from 0 to 255";
        region->on_change = number;
    } else if (is_option(field) && !match(field, "labels")) {
        expected = "labels, labels-mode=, interval= or on-change=";
    } else if (region->text) {
        expected = "labels once, with | between them";
    } else if (*field) {
        value = match(field, "labels");
        region->text = g_strdup(value ? value : field);
    }
    if (!expected)
        return true;
    r->at = start;
    return refuse(r, expected);
}

static bool
read_region(Reader *r, GArray *read)
{
    GstPeNamedRegion region = {.interval = 1};

    bool ok = read_name(r, &region) && read_rectangle(r, &region);
    while (ok && *r->at == ';' && r->at[1] != ';') {
        r->at++;
        skip_blanks(r);
        ok = read_field(r, &region);
    }
    // Kept in either case, as it is freed with the array.
    g_array_append_val(read, region);
    return ok;
}

bool
gst_pe_region_text_read(const char *text, GArray *read, GError **error)
{
    Reader r = {text, text, error};

    while (true) {
        while (*r.at == '\n' || (r.at[0] == ';' && r.at[1] == ';'))
            r.at += *r.at == '\n' ? 1 : 2;
        size_t blanks = strspn(r.at, " \t\r");
        if (blanks > 0) {
            r.at += blanks;
            continue;
        }
        if (*r.at == '#') { // a comment line of a file
            r.at += strcspn(r.at, "\n");
            continue;
        }
        if (!*r.at)
            return true;
        if (!read_region(&r, read))
            return false;
    }
}
