#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pemetaconvert and pe-embed write against the JSON Schema that users are
given, as a TAP test: check_schema.py SCHEMA MODEL PE_EMBED WRITE_RESULT

Understands those keywords that the schema uses, and no others, so that it needs
no module that is not there. Stricter than the schema, it refuses keys that the
schema does not name: what is written is documented.
"""

import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool,
         "integer": int, "number": (int, float), "null": type(None)}
SEEN = set()  # (definition, key) of the values that were checked


class Refused(Exception):
    pass


def has_type(value, name):
    if isinstance(value, bool) and name in ("integer", "number"):
        return False
    return isinstance(value, TYPES[name])


def check_object(root, names, value, where):
    for key, item in value.items():
        if key not in names:
            raise Refused(f"{where}: {key} is not in the schema")
        SEEN.add((id(names), key))
        check(root, names[key], item, f"{where}.{key}")


def check_one_of(root, choices, value, where):
    reasons = []
    for choice in choices:
        try:
            check(root, choice, value, where)
        except Refused as reason:
            reasons.append(str(reason))
    if len(reasons) != len(choices) - 1:
        raise Refused(f"{where} is {len(choices) - len(reasons)} of the "
                      f"choices: {'; '.join(reasons)[:300]}")


def check_keyword(root, schema, keyword, value, where):
    """Whether value meets one keyword of the schema."""
    wanted = schema[keyword]
    if keyword == "type":
        names = wanted if isinstance(wanted, list) else [wanted]
        return any(has_type(value, name) for name in names)
    if keyword == "const":
        return value == wanted
    if keyword == "enum":
        return value in wanted
    if keyword == "pattern":
        return re.search(wanted, value, re.ASCII) is not None
    if keyword in ("minimum", "maximum"):
        return value is None or (value >= wanted if keyword == "minimum"
                                 else value <= wanted)
    if keyword == "required":
        return all(key in value for key in wanted)
    if keyword == "properties":
        check_object(root, wanted, value, where)
    elif keyword == "items":
        for number, item in enumerate(value):
            check(root, wanted, item, f"{where}[{number}]")
    elif keyword == "oneOf":
        check_one_of(root, wanted, value, where)
    elif keyword == "$ref":
        check(root, root["$defs"][wanted.removeprefix("#/$defs/")], value, where)
    elif keyword not in ("$schema", "$defs", "title", "description"):
        raise KeyError(f"{keyword} is not understood here")
    return True


def check(root, schema, value, where="line"):
    for keyword in schema:
        if not check_keyword(root, schema, keyword, value, where):
            raise Refused(f"{where}: {keyword} is {schema[keyword]}, "
                          f"not {json.dumps(value)[:80]}")


def is_valid(schema, value):
    try:
        check(schema, schema, value)
    except Refused as reason:
        print(f"# {reason}")
        return False
    return True


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
        picture = pathlib.Path(folder) / "one.y4m"
        video = pathlib.Path(folder) / "nine.y4m"
        for path, n in ((picture, 1), (video, 9)):
            subprocess.run(
                ["gst-launch-1.0", "-q", *f"videotestsrc num-buffers={n} ! "
                 "video/x-raw,format=I420,width=64,height=64 ! "
                 f"y4menc ! filesink location={path}".split()], check=True)
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


def find_unseen(schema):
    """Keys of the schema that no line had."""
    for name, part in schema["$defs"].items():
        names = part.get("properties", {})
        for key in names:
            if (id(names), key) not in SEEN:
                yield f"{name}.{key}"


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
