#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""README's tables of properties against the elements: check_readme.py README

Below a heading "### `element`" a table "property | default | meaning" lists
every property of the element, with the default that gst-inspect-1.0 shows.
Where that is null, the table says in words what happens. Speaks TAP.
"""

import pathlib
import re
import shutil
import subprocess
import sys

SECTION = re.compile(r"^### `(\w+)`$(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (`[^|]*`) \| (.*?) \|", re.MULTILINE)
INSPECTED = re.compile(r"^  ([\w-]+) *: .*\n +flags: .*\n(.*)$", re.MULTILINE)
DEFAULT = re.compile(r'Default: +(?:-?(?:0x)?[0-9a-f]+, )?"?(.*?)"? *$')
OF_EVERY_OBJECT = {"name", "parent"}
OF_EVERY_SINK = {"async", "blocksize", "enable-last-sample", "last-sample",
                 "max-bitrate", "max-lateness", "processing-deadline", "qos",
                 "render-delay", "sync", "throttle-time", "ts-offset"}
OPTIONAL = {"peoverlay", "pemqttsink", "pekafkasink"}  # not in every build


def inspect(element):
    """property -> default as text; None: null, or not to be set"""
    text = subprocess.run(["gst-inspect-1.0", "--no-colors", element],
                          capture_output=True, text=True, check=True).stdout
    properties = {}
    for name, details in INSPECTED.findall(text):
        default = DEFAULT.search(details)
        value = default[1] if default else None
        properties[name] = (None if value in ("null", "", "null Write only")
                            else value)
    return properties


def is_missing(element):
    return subprocess.run(["gst-inspect-1.0", element], check=False,
                          stdout=subprocess.DEVNULL).returncode != 0


def read_rows(section):
    """property -> what the table says about its default"""
    return {name: default.strip().strip("`")
            for names, default in ROW.findall(section)
            for name in re.findall(r"`([\w-]+)`", names)}


def compare(element, section):
    shown, real = read_rows(section), inspect(element)
    of_others = OF_EVERY_OBJECT | (OF_EVERY_SINK if "async" in real else set())
    for name in sorted(real.keys() - shown.keys() - of_others):
        yield f"{element} has {name}, which the table lacks"
    for name in sorted(shown.keys() - real.keys()):
        yield f"{element} has no {name}"
    for name in sorted(shown.keys() & real.keys()):
        if real[name] is not None and shown[name] != real[name]:
            yield (f"{element}: {name} defaults to {real[name]}, not to "
                   f"{shown[name]}")


def main():
    if not shutil.which("gst-inspect-1.0"):
        print("1..0 # SKIP no gst-inspect-1.0")
        return 0
    sections = SECTION.findall(pathlib.Path(sys.argv[1]).read_text())
    sections = [s for s in sections if "| property | default |" in s[1]
                and not (s[0] in OPTIONAL and is_missing(s[0]))]
    print(f"1..{len(sections)}")
    failed = not sections
    for number, (element, section) in enumerate(sections, 1):
        wrong = list(compare(element, section))
        for line in wrong:
            print(f"# {line}")
        failed |= bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {element}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
