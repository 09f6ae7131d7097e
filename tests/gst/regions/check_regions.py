#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Regions as a user meets them, as a TAP test:
check_regions.py README DEMO PE_EMBED

The command of README's section "Regions" is run on the demo video, and the
embedding of a region is compared with what pe-embed says of a picture that was
cut out. DEMO is the folder of the demo model.
"""

import base64
import json
import math
import pathlib
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile

WIDTH, HEIGHT = 160, 120
PLACES = ((13, 7, 101, 83), (0, 0, 55, 120), (77, 31, 83, 89))
LEAST = 0.9999


def have(*elements):
    return shutil.which("gst-inspect-1.0") and all(
        subprocess.run(["gst-inspect-1.0", "--exists", e]).returncode == 0
        for e in elements)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        for line in (done.stdout + done.stderr).splitlines():
            print(f"# {line}")
        raise RuntimeError(f"{command[0]} failed")
    return done.stdout


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# ---- README ---------------------------------------------------------------

def find_command(readme):
    """The indented command below "#### Regions" that sets regions."""
    section = re.search(r"^#### Regions$(.*?)^#", readme.read_text(),
                        re.MULTILINE | re.DOTALL)[1]
    blocks = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    block = next(b for b in blocks if "gst-launch" in b and "regions=" in b)
    return shlex.split(block.replace("\\\n", " "))


def runs_the_command(readme, demo, folder):
    out = folder / "gate.jsonl"
    swaps = {"location=yard.mp4": f"location={demo / 'demo.mp4'}",
             "location=gate.jsonl": f"location={out}"}
    command = find_command(readme)
    if not set(swaps) <= set(command):
        raise RuntimeError(f"README has another command: {command}")
    model = f"model={demo / 'pe-demo.safetensors'}"
    run(*[model if word.startswith("model=") else swaps.get(word, word)
          for word in command])
    lines = read_lines(out)
    names = {line["region"]["name"] for line in lines}
    labels = {label["label"] for line in lines for label in line["labels"]}
    print(f"# {len(lines)} lines, regions {names}, labels {labels}")
    return (len(lines) == 40 and names == {"gate"} and
            labels == {"an open gate", "a closed gate"})


def knows_the_scenes(demo, folder):
    out = folder / "scenes.jsonl"
    labels = "colour bars|fog|a black screen"
    run("gst-launch-1.0", "-q", "filesrc", f"location={demo / 'demo.mp4'}",
        "!", "decodebin", "!", "peinference",
        f"model={demo / 'pe-demo.safetensors'}",
        f"regions=all=0,0,100%,100%;{labels};on-change=4", "!",
        "pemetaconvert", "!", "filesink", f"location={out}")
    wrong = 0
    scenes = json.loads((demo / "demo.json").read_text())
    for line in read_lines(out):
        middle = (line["clip"]["start"] + line["clip"]["end"]) / 2e9
        scene = next(s for s in scenes if s["start"] <= middle < s["end"])
        if scene["label"] in labels.split("|"):
            wrong += line["labels"][0]["label"] != scene["label"]
    print(f"# {wrong} samples of the three scenes have the wrong label")
    return wrong == 0


# ---- The same as a picture that was cut out -------------------------------

def make_picture(image):
    """Smooth, so that it is nearly the same in every format."""
    picture = image.new("RGB", (WIDTH, HEIGHT))
    picture.putdata([
        (int(127 + 100 * math.sin(x / 31)), int(127 + 100 * math.cos(y / 23)),
         int(127 + 100 * math.sin((x + y) / 41)))
        for y in range(HEIGHT) for x in range(WIDTH)])
    return picture


def embed_regions(demo, folder, picture, layout):
    """The embedding of each place, in this format."""
    raw, out = folder / "picture.rgb", folder / "regions.jsonl"
    raw.write_bytes(picture.tobytes())
    regions = ";;".join(f"r{i}={','.join(map(str, p))}"
                        for i, p in enumerate(PLACES))
    run("gst-launch-1.0", "-q", "filesrc", f"location={raw}",
        f"blocksize={WIDTH * HEIGHT * 3}", "!", "rawvideoparse", "format=rgb",
        f"width={WIDTH}", f"height={HEIGHT}", "framerate=1/1", "!",
        "videoconvert", "!", f"video/x-raw,format={layout}", "!",
        "peinference", f"model={demo / 'pe-demo.safetensors'}",
        f"regions={regions}", "!", "pemetaconvert", "embedding=base64", "!",
        "filesink", f"location={out}")
    return {line["region"]["name"]: decode(line["embedding"])
            for line in read_lines(out)}


def decode(text):
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // 4}f", data)


def embed_cut(demo, folder, program, picture, place):
    x, y, width, height = place
    path = folder / "cut.png"
    picture.crop((x, y, x + width, y + height)).save(path)
    line = json.loads(run(program, "--model", demo / "pe-demo.safetensors",
                          "--precision", "fp32", "--image", path))
    found = line["embedding"]
    return decode(found) if isinstance(found, str) else found


def compare(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def equals_a_cut_picture(demo, folder, program, layout):
    from PIL import Image
    picture = make_picture(Image)
    regions = embed_regions(demo, folder, picture, layout)
    worst = min(compare(regions[f"r{i}"],
                        embed_cut(demo, folder, program, picture, place))
                for i, place in enumerate(PLACES))
    print(f"# {layout}: cosine {worst:.7f}, least {LEAST}")
    return worst >= LEAST


def have_pillow():
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        return False
    return True


def main():
    readme, demo, program = map(pathlib.Path, sys.argv[1:])
    video = have("qtdemux", "avdec_h264", "decodebin", "filesrc", "filesink")
    raw = have("rawvideoparse", "videoconvert", "filesrc") and have_pillow()
    cases = [
        ("runs_the_command_of_readme", video,
         lambda f: runs_the_command(readme, demo, f)),
        ("knows_the_scenes", video, lambda f: knows_the_scenes(demo, f)),
    ] + [
        (f"equals_a_cut_picture_in_{layout}", raw,
         lambda f, layout=layout: equals_a_cut_picture(demo, f, program,
                                                       layout))
        for layout in ("RGB", "NV12", "I420")]
    print(f"1..{len(cases)}")
    failed = False
    for number, (name, possible, case) in enumerate(cases, 1):
        if not possible:
            print(f"ok {number} - {name} # SKIP an element or Pillow is missing")
            continue
        with tempfile.TemporaryDirectory() as folder:
            ok = case(pathlib.Path(folder))
        failed |= not ok
        print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
