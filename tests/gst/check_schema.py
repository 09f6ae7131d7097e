#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pemetaconvert and pe-embed write against the JSON Schema that users are
given, as a TAP test: check_schema.py SCHEMA MODEL PE_EMBED WRITE_RESULT
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from json_schema import find_unseen, is_valid  # noqa: E402


def read_lines(*command):
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def launch(*pipeline):
    """The lines that a pipeline of gst-launch writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "lines"
        subprocess.run(["gst-launch-1.0", "-q", *" ! ".join(
            [*pipeline, f"filesink location={path}"]).split()], check=True)
        return [json.loads(line) for line in path.read_text().splitlines()]


def run_element(model, *properties):
    return launch("videotestsrc num-buffers=7", "video/x-raw,width=64,height=64",
                  f"peinference model={model} device=cpu clip-length=4 "
                  f"frame-rate=0/1 source-id=test labels=dog|cat",
                  f"pemetaconvert {' '.join(properties)}")


def embed_files(program, model):
    with tempfile.TemporaryDirectory() as folder:
        picture = pathlib.Path(folder) / "one.png"
        video = pathlib.Path(folder) / "nine.avi"
        for path, n, kind in ((picture, 1, "RGB ! pngenc"),
                              (video, 9, "I420 ! avimux")):
            width = "video/x-raw,width=64,height=64,format="
            subprocess.run(
                ["gst-launch-1.0", "-q", *f"videotestsrc num-buffers={n} ! "
                 f"{width}{kind} ! filesink location={path}".split()],
                check=True)
        return read_lines(program, "-m", model, "-d", "cpu", "-t", "a dog",
                          "-i", picture, "-v", video, "-n", "3")


def spoil(line):
    """Lines that are not valid any more."""
    for key in ("schema", "type", "sequence", "clip", "labels"):
        yield {k: v for k, v in line.items() if k != key}
    for path, value in ((("clip", "reason"), "tired"), (("clip", "start"), -1),
                        (("labels", 0, "score"), 1.5), (("sequence",), "7"),
                        (("wall-clock",), "2023-11-14"), (("type",), "clap"),
                        (("model-fingerprint",), "0x12"), (("dim",), True)):
        spoiled = copy.deepcopy(line)
        inner = spoiled
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        yield spoiled


def main():
    path, model, pe_embed, write_result = sys.argv[1:]
    schema = json.loads(pathlib.Path(path).read_text())
    clips = run_element(model, "embedding=array", "add-empty-results=true")
    full = read_lines(write_result, "none") + read_lines(write_result, "base64")
    embeddings = embed_files(pe_embed, model)
    whole = read_lines(write_result, "array")
    checks = [
        ("writes_clips_and_frames",
         [line["type"] for line in clips] ==
         ["frame"] * 3 + ["clip"] + ["frame"] * 3 + ["clip"]),
        ("writes_what_the_schema_says",
         all([is_valid(schema, line) for line in clips])),
        ("writes_everything_so", all([is_valid(schema, line)
                                      for line in full + whole])),
        ("embeds_text_image_and_video",
         [line["type"] for line in embeddings] == ["text", "image", "video"]),
        ("embeds_what_the_schema_says",
         all([is_valid(schema, line) for line in embeddings])),
        ("says_nothing_that_is_never_written",
         not [print(f"# {key}") for key in find_unseen(schema)]),
        ("refuses_other_lines",
         not any([is_valid(schema, line) for line in spoil(whole[0])])),
    ]
    print(f"1..{len(checks)}")
    for number, (name, ok) in enumerate(checks, 1):
        print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    return not all(ok for _, ok in checks)


if __name__ == "__main__":
    sys.exit(main())
