#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Videos of every kind, tagged, as a TAP test:
check_pe_kinds.py PE_TAG [KIND...]
"""

import functools
import pathlib
import sys

import make_archive
import tagging
from make_archive import KINDS, RARE_KINDS, write_video
from tagging import LABELS, dump, folder, read_errors, run_tests, scenes, skip

tag = functools.partial(tagging.tag, sys.argv[1])
# One that is turned is another scene, and key frames come as often.
PARTS = [(label, 5) for label in ("a house in a meadow",
                                  "an upside-down picture", "a boat at sea")]


def find_scenes(line):
    return [(s["start"], s["end"], s["labels"][0]["label"])
            for s in line["segments"]]


def are_right(found, truth):
    return len(found) == len(truth) and all(
        a[2] == b[2] and abs(a[0] - b[0]) <= .5 and abs(a[1] - b[1]) <= .5
        for a, b in zip(found, truth))


def read_vectors(index):
    return [p.read_bytes() for p in sorted(pathlib.Path(index).glob("vectors/*"))]


def are_same_when_all_is_decoded(out, path):
    """What decoders are spared, samples and thumbnails do not need."""
    for rate in "1/3", "2":
        index = f"{out}/rate-{rate[0]}"
        for mode in (), ("--decode-all",):
            tag(index + "".join(mode), path, "--frame-rate", rate, *mode)
        both = [(dump(sys.argv[1], i), read_vectors(i))
                for i in (index, index + "--decode-all")]
        assert both[0] == both[1], (path, rate, both[0][0], both[1][0])


def find_in_kind(kind):
    if not make_archive.has_elements(kind):
        skip(f"an element of {(KINDS | RARE_KINDS)[kind]} is missing")
    with folder() as out:
        path = f"{out}/a.{kind}"
        truth = write_video(path, PARTS, scenes(), kind)
        for mode in (), ("--keyframes-only",):
            index = out + "/index" + "".join(mode)
            files, _ = tag(index, path, "--labels", LABELS, *mode)
            found = find_scenes(files[path])
            errors = read_errors(index)
            if mode and [e["reason"] for e in errors.values()] == ["undecoded"]:
                skip(str(errors))  # by the decoder, and it is told
            assert errors == {}, (mode, errors)
            assert are_right(found, truth), (mode, found, truth)
        are_same_when_all_is_decoded(out, path)


def make_test(kind):
    def test():
        find_in_kind(kind)
    test.__name__ = f"finds_the_scenes_of_{kind}"
    return test


if __name__ == "__main__":
    sys.exit(run_tests(list(map(
        make_test, sys.argv[2:] or KINDS | RARE_KINDS))))
