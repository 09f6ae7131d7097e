#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the documents show is what is there, as a TAP test: check_docs.py ROOT

A path in backticks names something that exists. A fenced block follows a line
that names a file in backticks, and shows that file without its licence line.
Comments name files that exist, and the first of a source names the source. The
tables of folders in CONTRIBUTING are the rules of check_layers.py. Variables of
the environment that sources read are in a document or a manual page, and those
in manual pages are read.
"""

import pathlib
import re
import sys

from check_layers import LAYERS, ROOMS

FOLDERS = ("bench", "core", "cuda", "docs", "gst", "models", "pipelines", "scripts",
           "tests", "tools", r"\.ci")
# `core/pe.h`, `models/demo/`, `tests/gpu/run build`; no patterns.
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)[`\s]")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w./-]+)`")
# In sources; upstream's own paths are none of ours.
MENTIONED = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]+\.(?:cu?|h|py|cpp)\b")
UPSTREAM = re.compile(r"core/vision_encoder/|models/eva\.py")
SOURCES = (".c", ".h", ".cu", ".cpp")
ROOM = re.compile(r"^\| `core/(\w+)/` \| [^|]* \|$", re.MULTILINE)
FOLDER = re.compile(r"^\| `([\w/]+)/` \| [^|]* \| (.*) \|$", re.MULTILINE)
READ = re.compile(r'getenv\("(\w+)"\)')
VARIABLES = re.compile(r"^\.BR? ((?:[A-Z_]{2,}(?:\W+|$))+)$", re.MULTILINE)
OF_GSTREAMER = {"GST_DEBUG", "GST_PLUGIN_PATH"}
LICENCE = re.compile(r"^(//|#) SPDX-License-Identifier: [^\n]*\n+")


def list_documents(root):
    folders = [root, root / "bench" / "results", root / "docs", root / "models"]
    found = [p for f in folders[:2] for p in f.glob("*.md")]
    return sorted(found + [p for f in folders[2:] for p in f.rglob("*.md")])


def find_missing_paths(root, path, text):
    for name in sorted(set(PATH.findall(text))):
        if not (root / name).exists() and not (path.parent / name).exists():
            yield f"{path.relative_to(root)}: there is no {name}"


def find_other_listings(root, path, text):
    for block in FENCE.finditer(text):
        where = f"{path.relative_to(root)}: the block of {block[1] or 'text'}"
        lines = text[:block.start()].rstrip().rsplit("\n", 1)
        names = NAMED.findall(lines[-1])
        if not names or not (root / names[-1]).is_file():
            yield f"{where} does not say which file it shows"
        elif LICENCE.sub("", (root / names[-1]).read_text()) != block[2]:
            yield f"{where} is not {names[-1]}"


def find_other_rules(root, path, text):
    """Of CONTRIBUTING: where it is not what the test of the layers says."""
    if path.name != "CONTRIBUTING.md":
        return
    if tuple(ROOM.findall(text)) != ROOMS:
        yield f"{path.name}: the rooms are {', '.join(ROOMS)}"
    rows = dict(FOLDER.findall(text))
    rooms = {"core"} | {f"core/{room}" for room in ROOMS}
    for folder, (allowed, _) in LAYERS.items():
        cell = rows.get(folder, "")
        same = re.fullmatch(r"the same as `([\w/]+)/`", cell)
        said = set(NAMED.findall(rows.get(same[1], "") if same else cell))
        if folder in rooms or not (root / folder).is_dir():
            continue
        if folder not in rows:
            yield f"{path.name}: {folder}/ is not in the table"
        elif said != allowed:
            yield (f"{path.name}: {folder}/ may include "
                   f"{', '.join(sorted(allowed)) or 'nothing'}")


def list_sources(root):
    return sorted(p for p in root.rglob("*.*") if p.suffix in SOURCES
                  and not re.match(r"build|\.", p.relative_to(root).as_posix()))


def find_stale_comments(root, path, text):
    """Of a source: files that its comments name and that are not there."""
    name = path.relative_to(root)
    for number, line in enumerate(text.split("\n"), 1):
        comment = line.partition("//")[2]
        for found in MENTIONED.findall(comment):
            if not UPSTREAM.match(found) and not (root / found).exists():
                yield f"{name}:{number}: there is no {found}"


def find_other_names(root, path, text):
    if f"\n// {path.name} - " not in text[:300]:
        yield f"{path.relative_to(root)}: does not begin with its own name"


def find_other_variables(root, path, text):
    """Of the folder of manual pages, and of what programs and elements read."""
    if path.name != "CONTRIBUTING.md":
        return
    pages = {p: p.read_text() for p in (root / "docs" / "man").glob("*.man")}
    told = "".join(pages.values()).replace("\\-", "-") + "".join(
        p.read_text() for p in list_documents(root))
    read = set()
    for source in list_sources(root):
        if source.relative_to(root).parts[0] in ("core", "gst", "pipelines", "tools"):
            read |= set(READ.findall(source.read_text()))
    for name in sorted(read):
        if not re.search(rf"\b{name}\b", told):
            yield f"the variable {name} is in no document"
    for page, source in pages.items():
        for names in VARIABLES.findall(source):
            for name in re.findall(r"[A-Z_]+", names):
                if name not in read | OF_GSTREAMER:
                    yield f"{page.relative_to(root)}: nothing reads {name}"


def main():
    root = pathlib.Path(sys.argv[1])
    documents = {p: p.read_text() for p in list_documents(root)}
    sources = {p: p.read_text() for p in list_sources(root)}
    checks = [(find_missing_paths, documents), (find_other_listings, documents),
              (find_other_rules, documents), (find_other_variables, documents),
              (find_stale_comments, sources), (find_other_names, sources)]
    print(f"1..{len(checks)}")
    failed = False
    for number, (check, texts) in enumerate(checks, 1):
        wrong = [w for p, t in texts.items() for w in check(root, p, t)]
        for line in wrong:
            print(f"# {line}")
        failed |= bool(wrong)
        name = check.__name__.replace("find", "has_no")
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
