// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegionread.c - which way they are written, and what makes a set.

#include "gst/labels/regions/gstperegionread.h"

#include "gst/labels/regions/gstperegionjson.h"
#include "gst/labels/regions/gstperegiontext.h"

#include <string.h>

#define MAX_FILE_SIZE ((size_t)64 << 20)

static bool
check_region(const GArray *read, guint index, GError **error)
{
    const GstPeNamedRegion *r = &g_array_index(read, GstPeNamedRegion, index);

    for (guint i = 0; i < index; i++) {
        if (g_str_equal(g_array_index(read, GstPeNamedRegion, i).name,
                        r->name)) {
            g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                        "regions: two of them are called %s; give each a name "
                        "of its own",
                        r->name);
            return false;
        }
    }
    if (r->rectangle[2] > 0 && r->rectangle[3] > 0)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "regions: expected a width and a height above 0 in region %s, "
                "found %g and %g",
                r->name, r->rectangle[2], r->rectangle[3]);
    return false;
}

GstPeRegions *
gst_pe_regions_parse(const char *text, GError **error)
{
    g_autoptr(GArray) read = g_array_new(FALSE, TRUE, sizeof(GstPeNamedRegion));
    g_array_set_clear_func(read, gst_pe_named_region_clear);
    const char *start = text + strspn(text, " \t\r\n");
    bool ok = *start == '[' || *start == '{'
                  ? gst_pe_region_json_read(start, read, error)
                  : gst_pe_region_text_read(text, read, error);

    for (guint i = 0; ok && i < read->len; i++)
        ok = check_region(read, i, error);
    if (ok && read->len > GST_PE_REGIONS_MAX) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "regions: expected at most %d, found %u",
                    GST_PE_REGIONS_MAX, read->len);
        ok = false;
    }
    if (!ok)
        return NULL;
    return gst_pe_regions_new(g_steal_pointer(&read));
}

GstPeRegions *
gst_pe_regions_load(const char *path, GError **error)
{
    size_t size;
    g_autofree char *text = pe_read_file(path, MAX_FILE_SIZE, &size, error);

    if (!text) {
        g_prefix_error(error, "regions-file: ");
        return NULL;
    }
    GstPeRegions *regions = gst_pe_regions_parse(text, error);
    if (!regions)
        g_prefix_error(error, "%s: ", path);
    return regions;
}
