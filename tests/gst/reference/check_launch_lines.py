#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every pipeline that a document shows can be parsed, as a TAP test:
check_launch_lines.py ROOT PROGRAM

These are the commands with gst-launch-1.0 in indented blocks, and parts of a
pipeline that begin with "…", which stands for a source. PROGRAM
(parse_pipelines.c) makes the elements, sets their properties and links them; it
runs nothing. A pipeline with an element that is not here is skipped.
"""

import pathlib
import re
import shlex
import subprocess
import sys

DOCUMENTS = ("*.md", "docs/*.md", "bench/results/*.md", "models/*/*.md")
BLOCK = re.compile(r"^\n((?: {4}.*\n)+)", re.MULTILINE)
COMMAND = re.compile(r"\bgst-launch-1\.0 (.*)")
PART = re.compile(r"^ *… !((?:.*!\n)*.*)", re.MULTILINE)
FEWEST = 10  # README has more; fewer are a sign that they are no longer found


def split_words(text):
    """What gst-launch-1.0 gets from a shell, without its own options."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|>&;")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words = []
    for word in lexer:
        if set(word) <= set("|>&;"):
            break
        words.append(word)
    while words and words[0].startswith("-"):
        words.pop(0)
    return words


def find_pipelines(path):
    """(line number, words) of each."""
    text = path.read_text()
    for block in BLOCK.finditer(text):
        # Joined lines keep the number of the first.
        joined = re.sub(r"\\\n", "  ", block[1])
        for found in COMMAND.finditer(joined):
            line = block[1][:found.start()].count("\n")
            yield text[:block.start(1)].count("\n") + line + 1, split_words(found[1])
        for found in PART.finditer(block[1]):
            line = text[:block.start(1) + found.start()].count("\n") + 1
            yield line, ["videotestsrc", "!", *split_words(found[1].replace("\n", " "))]


def main():
    root = pathlib.Path(sys.argv[1])
    pipelines = [(f"{path.relative_to(root)}:{line}", words)
                 for pattern in DOCUMENTS for path in sorted(root.glob(pattern))
                 for line, words in find_pipelines(path)]
    arguments = [word for _, words in pipelines for word in (*words, "--")]
    done = subprocess.run([sys.argv[2], *arguments], check=True, timeout=100,
                          capture_output=True, text=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(pipelines), (answers, done.stderr)
    print(f"1..{len(pipelines) + 1}")
    failed = len(pipelines) < FEWEST
    print(f"{'not ok' if failed else 'ok'} 1 - finds_{len(pipelines)}_pipelines")
    for number, ((where, words), answer) in enumerate(zip(pipelines, answers), 2):
        wrong = answer.startswith("error")
        if wrong:
            print(f"# {shlex.join(words)}\n# {answer}")
        skip = (f" # SKIP there is no element {answer.removeprefix('missing ')}"
                if answer.startswith("missing") else "")
        failed |= wrong
        print(f"{'not ok' if wrong else 'ok'} {number} - {where}{skip}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
