// SPDX-License-Identifier: LGPL-2.1-or-later
//
// parse_pipelines.c - parses pipelines as gst-launch-1.0 does, and runs none:
// parse_pipelines WORD... [-- WORD...]... Prints a line for each: "ok",
// "missing ELEMENT..." or "error TEXT". Called by check_launch_lines.py.

#include <gst/gst.h>
#include <string.h>

// Of elements that the parser could not make, the first that is there and lacks
// a property that is set; NULL: none
static const char *
find_wrong(char **names)
{
    for (char **name = names; name && *name; name++) {
        g_autoptr(GstElementFactory) factory = gst_element_factory_find(*name);
        if (factory)
            return *name;
    }
    return NULL;
}

static void
parse(const char **words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GstParseContext) context = gst_parse_context_new();
    g_autoptr(GstElement) pipeline = gst_parse_launchv_full(
        words, context, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    g_auto(GStrv) names = gst_parse_context_get_missing_elements(context);
    const char *wrong = find_wrong(names);
    if (pipeline)
        gst_object_ref_sink(pipeline);
    if (!error) {
        g_print("ok\n");
    } else if (g_error_matches(error, GST_PARSE_ERROR,
                               GST_PARSE_ERROR_NO_SUCH_ELEMENT) &&
               !wrong) {
        g_autofree char *all = g_strjoinv(" ", names);
        g_print("missing %s\n", all);
    } else {
        g_strdelimit(error->message, "\n", ' ');
        g_print("error %s%s%s\n", error->message,
                wrong ? "; of a property or its value: " : "",
                wrong ? wrong : "");
    }
}

int
main(int argc, char **argv)
{
    gst_init(NULL, NULL);
    for (int i = 1; i < argc; i++) {
        const char **words = (const char **)argv + i;
        while (i < argc && strcmp(argv[i], "--") != 0)
            i++;
        argv[i] = NULL; // that of argv too
        parse(words);
    }
    return 0;
}
