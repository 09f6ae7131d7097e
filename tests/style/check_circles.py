#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No circle between files, as a TAP test: check_circles.py ROOT

A file depends on the headers that it includes, and on the .c or .cu files that
define the functions and tables which it uses, whatever header declares them.
Static functions belong to nobody else. Two files that need each other are one
file, so there must be no circle.
"""

import pathlib
import re
import sys

FOLDERS = ("core", "cuda", "gst", "pipelines", "tools")
SUFFIXES = {".c", ".h", ".cu", ".cuh"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
# The format puts the name of a function that is defined in column 0.
FUNCTION = re.compile(r"^(?:PE_ISA_NAME\()?(\w+)\)?\(", re.MULTILINE)
# INLINE of simd.h is static, too.
STATIC = re.compile(r"\b(static|INLINE)\b")
TABLE = re.compile(r"^const \w+ (\w+) = \{", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


def definitions(text):
    """Names that a file defines for others."""
    names = set(TABLE.findall(text))
    for match in FUNCTION.finditer(text):
        head = text[:match.start()].rsplit("\n", 2)[-2]
        body = text.find("{", match.start())
        end = text.find(";", match.start())
        if not STATIC.search(head) and 0 <= body and not 0 <= end < body:
            names.add(match.group(1))
    return names


def resolve(root, path, name):
    for candidate in (path.parent / name, pathlib.Path(name)):
        if (root / candidate).is_file():
            return candidate
    return None


def read_files(root):
    """path -> (text without comments and strings, its includes)"""
    files = {}
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.*")):
            if file.suffix in SUFFIXES:
                text = COMMENT.sub("", file.read_text())
                files[file.relative_to(root)] = (STRING.sub('""', text),
                                                 INCLUDE.findall(text))
    return files


def find_edges(root, files):
    """path -> {path that it depends on: why}"""
    owners = {}
    for path, (text, _) in files.items():
        if path.suffix in (".c", ".cu"):
            for name in definitions(text):
                owners.setdefault(name, []).append(path)
    edges = {path: {} for path in files}
    for path, (text, includes) in files.items():
        for name in includes:
            target = resolve(root, path, name)
            if target in files:
                edges[path][target] = f'"{name}"'
        if path.suffix in (".h", ".cuh"):
            continue  # what a header declares, others define
        for word in set(re.findall(r"\b\w+\b", text)) & owners.keys():
            # Variants of one name are chosen by the build.
            if len(owners[word]) == 1 and owners[word] != [path]:
                edges[path][owners[word][0]] = word
    return edges


def find_circles(edges):
    """Strongly connected parts of more than one file (Tarjan)."""
    index, low, stack, circles = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            part = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(part) > 1:
                circles.append(sorted(part))

    for node in edges:
        if node not in index:
            visit(node)
    return circles


def main():
    root = pathlib.Path(sys.argv[1])
    edges = find_edges(root, read_files(root))
    circles = find_circles(edges)
    print("1..1")
    for part in circles:
        print(f"# a circle of {len(part)}:")
        for path in part:
            for target, why in edges[path].items():
                if target in part:
                    print(f"#   {path} -> {target} by {why}")
    print(f"{'not ok' if circles else 'ok'} 1 - no_circle_between_files")
    return bool(circles)


if __name__ == "__main__":
    sys.exit(main())
