#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ways in which people save a model, as a TAP test:
check_ways_to_save.py PE_EMBED MODEL

MODEL is saved again in each way. The file then gives the same embedding of a
picture, to the bit where the numbers are the same, or an error that says what to
do. With PE_WAYS_KEEP=FOLDER in the environment the files stay there.
"""

import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib

import ways_of_files  # noqa: F401: they enter their ways
import ways_of_torch  # noqa: F401
from ways import WAYS, Model

EMBED, MODEL = sys.argv[1], pathlib.Path(sys.argv[2])


def write_picture(path):
    """A PNG of colours that go across and down."""
    def chunk(kind, data):
        body = kind + data
        return (struct.pack(">I", len(data)) + body
                + struct.pack(">I", zlib.crc32(body)))
    rows = b"".join(
        b"\0" + b"".join(bytes((4 * x % 256, 3 * y % 256, (x * y) % 256))
                         for x in range(80)) for y in range(60))
    path.write_bytes(b"\x89PNG\r\n\x1a\n"
                     + chunk(b"IHDR", struct.pack(">2I5B", 80, 60, 8, 2, 0, 0,
                                                  0))
                     + chunk(b"IDAT", zlib.compress(rows))
                     + chunk(b"IEND", b""))


def embed(model, picture, cache):
    """(embedding as floats, or None; what went wrong)"""
    done = subprocess.run(
        [EMBED, "-d", "cpu", "-p", "fp32", "--threads", "1", "-m", str(model),
         "-i", str(picture)], capture_output=True, text=True, check=False,
        env={**os.environ, "HF_HUB_CACHE": str(cache)})
    if done.returncode != 0:
        assert done.returncode == 1, f"exit status {done.returncode}"
        return None, done.stderr.strip()
    result = json.loads(done.stdout.splitlines()[0])
    return result["embedding"], ""


def check(way, folder, picture, expected):
    """What is wrong, "" when nothing is; and a remark."""
    path = way.write(folder)
    got, error = embed(path, picture, folder / "cache")
    if way.error:
        if got:
            return "is read, but its weights are not ours to know", ""
        if not re.search(way.error, error):
            return f"says {error!r}, expected {way.error!r}", ""
        return "", error.replace(str(folder) + "/", "")
    if got is None:
        return error, ""
    cosine = sum(a * b for a, b in zip(got, expected))
    if way.rounds:
        good = cosine > 0.999
    else:
        good = got == expected
    return ("" if good else f"another embedding, cosine {cosine:.6f}",
            f"cosine {cosine:.6f}")


def main():
    kept = os.environ.get("PE_WAYS_KEEP")
    failed = 0
    print(f"1..{len(WAYS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(kept or temporary)
        picture = folder / "picture.png"
        write_picture(picture)
        expected, error = embed(MODEL, picture, folder)
        assert expected, error
        model = Model(MODEL)
        for number, make in enumerate(WAYS, 1):
            way = make(model)
            wrong, remark = check(way, folder, picture, expected)
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {way.name}")
            print(f"# {wrong or remark}")
    return failed > 0


sys.exit(main())
