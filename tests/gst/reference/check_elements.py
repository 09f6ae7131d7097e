#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reference of the elements, docs/elements.md, against the elements, as a
TAP test: check_elements.py [--update] DOCUMENT SOURCES PROGRAM

The prose is the comment "SECTION:element-..." of each element, and that of each
signal, in the folder SOURCES. All else is what PROGRAM (list_elements.c) prints
about the elements that are built. --update writes the document.
"""

import difflib
import json
import pathlib
import re
import subprocess
import sys
import textwrap

HEAD = """\
# Reference of the elements

Everything that each element has: pads, properties, signals and messages.
[README](../README.md#elements) introduces the elements, and
[MODEL.md](../MODEL.md) has the mathematics. `ninja -C build update-elements` writes
this file from the elements; a test compares the two.
"""
RENEW = "renew it with: ninja -C build update-elements"
SECTION = re.compile(r"/\*\*\n \* SECTION:element-(\w+)\n(.*?)\n \*/", re.DOTALL)
SIGNAL = r"^ */\*\*\n *\* Gst\w+::{}:\n(.*?)\n *\*/"
PARAMETER = re.compile(r"^@(\w+): (.*?)(?=^@|^$)", re.DOTALL | re.MULTILINE)
CUDA = re.compile(r"^  \* `video/x-raw\(memory:CUDAMemory\)`.*?(?=^ *\*|^$)",
                  re.DOTALL | re.MULTILINE)
TYPES = {"gboolean": "boolean", "gint": "int", "guint": "uint", "gint64": "int64",
         "guint64": "uint64", "gdouble": "double", "GstFraction": "fraction",
         "GstStructure": "structure"}
UNLIMITED = {"int": "2147483647", "uint": "4294967295",
             "uint64": "1.844674407e+19", "fraction": "2147483647/1"}
STATES = {None: "", "ready": "up to READY", "paused": "up to PAUSED",
          "playing": "always"}
# What sets the fields of the elements' messages, by their names in quotes.
MESSAGES = "result/gstpemessage.c"
FIELD = re.compile(r'"([a-z]+(?:-[a-z]+)*)"(?=,| ?$)', re.MULTILINE)
WIDTH = 88


# ---- Comments of the sources ----------------------------------------------

def to_markdown(text):
    """A paragraph of gtk-doc, outside of its code."""
    parts = re.split(r"(`[^`]*`)", text)
    for i in range(0, len(parts), 2):
        part = re.sub(r"#Gst\w+:([\w-]+(?:=\w+)?)", r"`\1`", parts[i])
        part = re.sub(r"#(pe\w+)", r"[`\1`](#\1)", part)
        part = re.sub(r"#(Gst\w+)", r"`\1`", part)
        part = re.sub(r"#(g[a-z]+\d*)\b", r"\1", part)
        part = re.sub(r"(?<!`)\b(\w+\(\))", r"`\1`", part)
        part = re.sub(r"%([A-Z]+)", r"\1", part)
        parts[i] = re.sub(r"(?<!\w)@(\w+)", r"`\1`", part)
    return "".join(parts)


def fill(text, first="", behind=None):
    return textwrap.fill(" ".join(text.split()), WIDTH, initial_indent=first,
                         subsequent_indent=first if behind is None else behind,
                         break_long_words=False, break_on_hyphens=False)


def to_command(code):
    """Lines that a shell takes as one."""
    lines = [line.strip() for line in code.strip().split("\n")]
    return ("    " + lines[0]
            + "".join(f" \\\n        {line}" for line in lines[1:]))


def to_blocks(comment):
    """The paragraphs of a comment in Markdown."""
    comment = re.sub(r"^\s*\* ?", "", comment, flags=re.MULTILINE)
    comment = re.sub(r"^@\w+:.*\n(?:    .*\n)*", "", comment, flags=re.MULTILINE)
    comment = comment.split("\nSince:")[0]
    for i, part in enumerate(re.split(r"\|\[(.*?)\]\|", comment, flags=re.DOTALL)):
        if i % 2:
            yield to_command(part)
            continue
        for block in filter(None, map(str.strip, part.split("\n\n"))):
            if block.startswith("## "):
                yield "#" + block
            elif block.startswith("* "):
                items = re.split(r"^\* ", block, flags=re.MULTILINE)[1:]
                yield "\n".join(fill(to_markdown(item), "* ", "  ")
                                for item in items)
            else:
                yield fill(to_markdown(block))


def read_comments(sources):
    """(element -> comment, all sources as one text)"""
    texts = [path.read_text() for path in sorted(sources.rglob("*.c"))]
    return dict(found for text in texts for found in SECTION.findall(text)
                ), "\n".join(texts)


# ---- What the elements have -----------------------------------------------

def escape(text):
    return re.sub(r"([|*_<\\])", r"\\\1", text)


def describe_caps(caps):
    caps = dict(caps)
    features = caps.pop("features")
    memory = "" if features == "memory:SystemMemory" else f"({features})"
    text = f"`{caps.pop('name')}{memory}`"
    return fill(text + "".join(f", {name}: {value}" for name, value in caps.items()),
                "  * ", "    ")


def describe_pads(element):
    lines, shown = [], {}
    for pad in sorted(element["pads"], key=lambda pad: pad["name"]):
        caps = "\n".join(map(describe_caps, pad["caps"]))
        what = f": as `{shown[caps]}`" if caps in shown else ""
        what = what if caps else ": anything"
        lines.append(f"* `{pad['name']}`, {pad['presence']}{what}")
        lines += [caps] if caps not in shown and caps else []
        shown.setdefault(caps, pad["name"])
    return "\n".join(lines)


def describe_type(p):
    kind = TYPES.get(p["type"], p["type"])
    if "min" not in p:
        return kind
    if p["max"] == UNLIMITED.get(kind):
        return f"{kind}, {p['min']} or more"
    return f"{kind}, {p['min']} to {p['max']}"


def describe_state(p):
    if not p["writable"]:
        return "to read"
    only = "" if p["readable"] else ", to write only"
    controlled = ", controllable" if p["controllable"] else ""
    return STATES[p["state"]] + controlled + only


def describe_property(p):
    bar = r"\|"  # also in code, since this is a table
    default = f"`{p['default'].replace('|', bar)}`" if p["default"] else "none"
    meaning = escape(p["blurb"])
    if p["choices"]:
        meaning += ". " + "; ".join(f"`{c['nick']}`: {escape(c['blurb'])}"
                                    for c in p["choices"])
    default = "" if not p["writable"] else default
    return (f"| `{p['name']}` | {describe_type(p)} | {default} | "
            f"{describe_state(p)} | {meaning} |")


def describe_properties(element):
    return "\n".join(["| property | type | default | may be set | meaning |",
                      "|---|---|---|---|---|",
                      *map(describe_property, element["properties"])])


def describe_signal(signal, sources):
    name = signal["name"]
    comment = re.search(SIGNAL.format(name), sources, re.DOTALL | re.MULTILINE)
    assert comment, f"the signal {name} has no comment Gst...::{name}"
    text = re.sub(r"^\s*\* ?", "", comment[1], flags=re.MULTILINE)
    kind = "action signal" if signal["action"] else "signal"
    parameters = PARAMETER.findall(text)
    assert len(parameters) == len(signal["takes"]), f"parameters of {name}"
    yield fill(f"`{name}`, {kind}, returns {signal['returns']}", "* ", "  ")
    for (parameter, meaning), kind in zip(parameters, signal["takes"]):
        yield fill(f"`{parameter}`, {kind}: {to_markdown(meaning)}", "  * ", "    ")
    for block in to_blocks(comment[1]):
        yield "\n" + fill(block, "  ")


def describe(name, element, comment, sources):
    """The element's part of the document."""
    parts = [f"## {name}", fill(f"{element['description']}. "
                                f"`{element['type']}`, a `{element['parent']}`, "
                                f"{element['klass']}.")]
    parts += list(to_blocks(re.sub(r"^ \* @\w+: .*\n(?: \*     .*\n)*", "", comment,
                                   flags=re.MULTILINE)))
    parts += ["### Pads", describe_pads(element),
              "### Properties", describe_properties(element)]
    if element["parent"] not in ("GstElement", "GstObject"):
        parts.append("Those of its parent class are there besides.")
    if element["signals"]:
        parts += ["### Signals", "\n".join(
            line for signal in element["signals"]
            for line in describe_signal(signal, sources))]
    return "\n\n".join(parts) + "\n"


# ---- The document ---------------------------------------------------------

def split(document):
    """element -> its part; "" -> the head"""
    parts = re.split(r"^(?=## )", document, flags=re.MULTILINE)
    return {"": parts[0].rstrip("\n") + "\n"} | {
        re.match(r"## (\w+)", part)[1]: part.rstrip("\n") + "\n"
        for part in parts[1:]}


def show_difference(shown, real):
    print(f"# docs/elements.md is out of date; {RENEW}")
    for line in list(difflib.unified_diff(shown.split("\n"), real.split("\n"),
                                          "document", "element", lineterm=""))[:40]:
        print(f"# {line}")


def find_untold_fields(sources, parts):
    code = re.sub(r"//.*", "", (sources / MESSAGES).read_text())
    told = parts["peinference"] or ""
    return [name for name in sorted(set(FIELD.findall(code)))
            if f"`{name}`" not in told]


def check(path, sources, parts, facts):
    shown = split(path.read_text()) if path.exists() else {}
    has_cuda = facts[""] is not None
    print(f"1..{len(parts) + 2}")
    failed = list(shown) != list(parts)
    print(f"{'not ok' if failed else 'ok'} 1 - has_every_element")
    if failed:
        print(f"# {list(shown)}, not {list(parts)}; {RENEW}")
    untold = find_untold_fields(sources, parts)
    print(f"{'not ok' if untold else 'ok'} 2 - tells_every_field_of_messages")
    if untold:
        print(f"# the comment of peinference does not have {', '.join(untold)}")
    failed |= bool(untold)
    for number, (name, real) in enumerate(parts.items(), 3):
        title = name or "head"
        if real is None:
            print(f"ok {number} - {title} # SKIP not in this build")
            continue
        is_there = shown.get(name, "")
        is_there = is_there if has_cuda else CUDA.sub("", is_there)
        wrong = is_there != real
        if wrong:
            show_difference(is_there, real)
        failed |= wrong
        print(f"{'not ok' if wrong else 'ok'} {number} - {title}")
    return failed


def update(path, _, parts, facts):
    missing = [name for name, part in parts.items() if part is None]
    if facts[""] is None:
        missing.append("frames in CUDA memory")
    if missing:
        sys.exit(f"{path} is not written: this build has no {', '.join(missing)}")
    path.write_text("\n".join(parts.values()))
    return 0


def main():
    is_update = sys.argv[1] == "--update"
    path, sources, program = map(pathlib.Path, sys.argv[1 + is_update:])
    comments, texts = read_comments(sources)
    listed = subprocess.run([program, *sorted(comments)], check=True,
                            capture_output=True, text=True, timeout=60).stdout
    facts = json.loads(listed)
    parts = {"": HEAD} | {name: facts[name] and describe(name, facts[name], comment,
                                                         texts)
                          for name, comment in sorted(comments.items())}
    return (update if is_update else check)(path, sources, parts, facts)


if __name__ == "__main__":
    sys.exit(main())
