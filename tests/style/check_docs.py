#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the documents show is what is there, as a TAP test: check_docs.py ROOT

A path in backticks names something that exists. A fenced block follows a line
that names a file in backticks, and shows that file without its licence line.
"""

import pathlib
import re
import sys

FOLDERS = ("bench", "core", "cuda", "docs", "gst", "models", "scripts", "tests",
           "tools", r"\.ci")
# `core/pe.h`, `models/demo/`, `tests/gpu/run build`; no patterns.
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)[`\s]")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w./-]+)`")
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


def main():
    root = pathlib.Path(sys.argv[1])
    texts = {p: p.read_text() for p in list_documents(root)}
    print("1..2")
    failed = False
    for number, check in enumerate([find_missing_paths, find_other_listings], 1):
        wrong = [w for p, t in texts.items() for w in check(root, p, t)]
        for line in wrong:
            print(f"# {line}")
        failed |= bool(wrong)
        name = check.__name__.replace("find", "has_no")
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
