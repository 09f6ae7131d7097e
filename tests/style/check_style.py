#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The house style that a program can see, as a TAP test: check_style.py ROOT

Looks at the files that git knows (or all, without git). The format is judged
by clang-format 14 alone, since each version formats differently; without it
that case is skipped.
"""

import pathlib
import re
import shutil
import subprocess
import sys

C_LIKE = {".c", ".h", ".cu", ".cuh"}
SCRIPTS = {".py", ".sh", ".build", ""}
MAX_LINES = 600
MAX_FUNCTION = 100
MAX_SHOWN = 20  # faults of one kind
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX)\b")


def list_files(root):
    try:
        out = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "-co", "--exclude-standard"],
            capture_output=True, check=True, text=True).stdout
        names = [n for n in out.split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        names = [p.relative_to(root).as_posix() for p in root.rglob("*")]
    skip = re.compile(r"(build|\.git/|\.venv/|__pycache__/)|.*\.pyc$")
    paths = [pathlib.Path(n) for n in sorted(names) if not skip.match(n)]
    return [p for p in paths if (root / p).is_file()]


def read_texts(root, paths):
    """path -> text of every file that is text and ours to style."""
    texts = {}
    for path in paths:
        data = (root / path).read_bytes()
        if b"\0" in data or path.name == "LICENSE" or path.suffix == ".csv":
            continue
        if {"data", "seeds", "debian"} & set(path.parts):
            continue  # debian/ has formats of its own
        try:
            texts[path] = data.decode()
        except UnicodeDecodeError:
            pass
    return texts


def is_source(path):
    return path.suffix in C_LIKE | SCRIPTS and not path.name.startswith(".")


def has_clean_blanks(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield f"{path}:{number}: blanks at the end of the line"
        if "\t" in line:
            yield f"{path}:{number}: a tab"
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield f"{path}: does not end with one newline"


def has_spdx_line(path, text):
    if is_source(path) and "SPDX-License-Identifier: LGPL-2.1-or-later" not in (
            "\n".join(text.split("\n")[:3])):
        yield f"{path}: no SPDX line at the top"


def is_short(path, text):
    lines = text.count("\n")
    if is_source(path) and lines > MAX_LINES:
        yield f"{path}: {lines} lines, limit {MAX_LINES}"


def has_short_functions(path, text):
    """By the format: a function is an unindented `{` to the next `}`."""
    if path.suffix not in C_LIKE:
        return
    start = None
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start - 1 > MAX_FUNCTION:
                yield (f"{path}:{start}: a function of {number - start - 1} "
                       f"lines, limit {MAX_FUNCTION}")
            start = None


def has_no_leftovers(path, text):
    if not is_source(path) or path.name == "check_style.py":
        return
    for number, line in enumerate(text.split("\n"), 1):
        if LEFTOVER.search(line):
            yield f"{path}:{number}: {line.strip()}"


def has_whole_headings(path, text):
    """A line that is too long is cut by clang-format."""
    lines = text.split("\n")
    for number, (line, behind) in enumerate(zip(lines, lines[1:]), 1):
        if line.startswith("// ---- ") and re.fullmatch("// -+", behind):
            yield f"{path}:{number}: the heading has a second line"


def find_clang_format():
    for name in ("clang-format-14", "clang-format"):
        if shutil.which(name):
            out = subprocess.run([name, "--version"], capture_output=True,
                                 text=True).stdout
            if " version 14." in out:
                return name
    return None


def check_format(root, paths):
    """None: cannot tell here."""
    tool = find_clang_format()
    if not tool:
        return None
    files = [p.as_posix() for p in paths if p.suffix in C_LIKE]
    run = subprocess.run([tool, "--dry-run", "-Werror", *files], cwd=root,
                         capture_output=True, text=True)
    return [line for line in run.stderr.split("\n") if ": error:" in line]


def main():
    root = pathlib.Path(sys.argv[1])
    paths = list_files(root)
    texts = read_texts(root, paths)
    checks = [has_clean_blanks, has_spdx_line, is_short, has_short_functions,
              has_no_leftovers, has_whole_headings]
    results = {c.__name__: [w for p, t in texts.items() for w in c(p, t)]
               for c in checks}
    results["is_formatted"] = check_format(root, paths)
    print(f"1..{len(results)}")
    for number, (name, wrong) in enumerate(results.items(), 1):
        for line in (wrong or [])[:MAX_SHOWN]:
            print(f"# {line}")
        if wrong and len(wrong) > MAX_SHOWN:
            print(f"# and {len(wrong) - MAX_SHOWN} more")
        verdict = "not ok" if wrong else "ok"
        skip = " # SKIP no clang-format 14" if wrong is None else ""
        print(f"{verdict} {number} - {name}{skip}")
    return any(results.values())


if __name__ == "__main__":
    sys.exit(main())
