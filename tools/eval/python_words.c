// SPDX-License-Identifier: LGPL-2.1-or-later
//
// python_words.c - see python_words.h.
//
// The packages are found, not imported: that would load PyTorch. open_clip's
// zero_shot_metadata.py needs nothing and is run alone; lists in other modules
// are read as literals.

#include "python_words.h"

static const char script[] =
    "import ast, importlib.util, json, pathlib, runpy, sys\n"
    "sys.path = [p for p in sys.path if p]\n"
    "what = sys.argv[1]\n"
    "def find(package, name):\n"
    "    spec = importlib.util.find_spec(package)\n"
    "    for folder in spec and spec.submodule_search_locations or ():\n"
    "        path = pathlib.Path(folder) / name\n"
    "        if path.is_file():\n"
    "            return path\n"
    "def literal(path, name):\n"
    "    for node in ast.walk(ast.parse(path.read_text())):\n"
    "        if isinstance(node, ast.Assign) and any(\n"
    "                getattr(t, 'id', None) == name for t in node.targets):\n"
    "            return list(ast.literal_eval(node.value))\n"
    "def listed(name):\n"
    "    return "
    "json.loads(benchmark.with_name(name).read_text())['imagenet1k']\n"
    "meta = find('open_clip', 'zero_shot_metadata.py')\n"
    "benchmark = find('clip_benchmark', 'datasets/builder.py')\n"
    "if not meta and not benchmark or what == 'imagenet-a' and not benchmark:\n"
    "    sys.exit(3)\n"
    "words = runpy.run_path(str(meta)) if meta else {}\n"
    "if what == 'templates':\n"
    "    out = ([t('{}') for t in words['OPENAI_IMAGENET_TEMPLATES']] if meta\n"
    "           else listed('en_zeroshot_classification_templates.json'))\n"
    "else:\n"
    "    names = (words['IMAGENET_CLASSNAMES'] if meta\n"
    "             else listed('en_classnames.json'))\n"
    "    ids = (literal(benchmark, 'all_imagenet_wordnet_ids') if benchmark\n"
    "           else [''] * len(names))\n"
    "    only = set(literal(benchmark, 'imagenet_a_wnids')\n"
    "               if what == 'imagenet-a' else ids)\n"
    "    assert len(ids) == len(names)\n"
    "    out = [p for p in zip(ids, names) if p[0] in only]\n"
    "print(json.dumps(out))\n";

#define NOT_THERE 3 // exit status of the script

static bool
fail_missing(const char *what, GError **error)
{
    bool needs_wnids = g_str_equal(what, "imagenet-a");
    g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                "\"%s\" comes from a Python package that python3 does not "
                "find; install it with \"python3 -m pip install --no-deps "
                "%s\", or give a file",
                g_str_equal(what, "templates") ? "imagenet" : what,
                needs_wnids ? "clip-benchmark" : "open_clip_torch");
    return false;
}

// What python3 prints. Returns, g_free().
static char *
run_python(const char *what, GError **error)
{
    const char *argv[] = {"python3", "-c", script, what, NULL};
    g_autofree char *out = NULL, *err = NULL;
    int status;
    GError *cause = NULL;
    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL,
                      NULL, &out, &err, &status, &cause)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "python3, which reads \"%s\" from a package, cannot be "
                    "started (%s); give a file instead",
                    what, cause->message);
        g_error_free(cause);
        return NULL;
    }
    if (g_spawn_check_wait_status(status, &cause))
        return g_steal_pointer(&out);
    if (g_error_matches(cause, G_SPAWN_EXIT_ERROR, NOT_THERE)) {
        fail_missing(what, error);
    } else {
        const char *line = strrchr(g_strchomp(err), '\n');
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "the Python package that has \"%s\" has it in another form "
                    "than expected (%s); give a file instead",
                    what, line ? line + 1 : err);
    }
    g_error_free(cause);
    return NULL;
}

JsonNode *
python_words_read(const char *what, GError **error)
{
    g_autofree char *text = run_python(what, error);
    JsonNode *node = text ? json_from_string(text, error) : NULL;
    if (!text || (node && JSON_NODE_HOLDS_ARRAY(node)))
        return node;
    if (node)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "python3 gave something else than a list of \"%s\"", what);
    g_clear_pointer(&node, json_node_unref);
    return NULL;
}
