#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Videos with known scenes at known times, from the demo clip's:

    make_archive.py --out FOLDER [--files N] [--seed N]

writes N videos in several codecs and containers, and truth.json: what is seen
where and when. The tests import it.
"""

import argparse
import json
import pathlib
import random
import shutil
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "models" / "demo" / "demo.mp4"
WIDTH, HEIGHT, FPS = 320, 240, 10
FRAME = WIDTH * HEIGHT * 3
X264 = "x264enc key-int-max=50 speed-preset=ultrafast"
# Ending -> (what comes before the muxer, muxer). Key frames come every 5 s.
KINDS = {
    "h264.mp4": (X264, "mp4mux"),
    "bframes.mkv": ("x264enc key-int-max=50 bframes=2 speed-preset=veryfast",
                    "matroskamux"),
    "fragments.mp4": (X264, "mp4mux fragment-duration=1000"),
    "h264.ts": (f"{X264} ! h264parse", "mpegtsmux"),
    "h265.mp4": ("x265enc key-int-max=50 speed-preset=ultrafast ! h265parse",
                 "mp4mux"),
    "vp8.webm": ("vp8enc keyframe-max-dist=50 deadline=1 target-bitrate=800000",
                 "webmmux"),
    "vp9.webm": ("vp9enc keyframe-max-dist=50 deadline=1 cpu-used=8 "
                 "target-bitrate=800000", "webmmux"),
    "mpeg2.ts": ("videorate ! video/x-raw,framerate=25/1 ! mpeg2enc ! "
                 "mpegvideoparse", "mpegtsmux"),
    "mjpeg.avi": ("jpegenc", "avimux"),
    "mpeg4.avi": ("avenc_mpeg4 bitrate=2000000 gop-size=50", "avimux"),
}
AV1 = ("av1enc keyframe-max-dist=50 cpu-used=8 usage-profile=realtime "
       "lag-in-frames=0 target-bitrate=800 ! av1parse")
VP9_10_BITS = ("video/x-raw,format=I420_10LE ! vp9enc keyframe-max-dist=50 "
               "deadline=1 cpu-used=8 target-bitrate=800000")
# What the cameras and archives of this world have besides; a test of its own.
RARE_KINDS = {
    "av1.mp4": (AV1, "mp4mux"),
    "av1.webm": (AV1, "webmmux"),
    "right.mp4": (f"videoflip method=counterclockwise ! {X264} ! h264parse ! "
                  "taginject tags=image-orientation=rotate-90", "mp4mux"),
    "down.mp4": (f"videoflip method=rotate-180 ! {X264} ! h264parse ! "
                 "taginject tags=image-orientation=rotate-180", "mp4mux"),
    "irregular.mp4": (f"{X264} option-string=scenecut=40:min-keyint=1",
                      "mp4mux"),
    "irregular.mkv": (f"{X264} option-string=scenecut=40:min-keyint=1",
                      "matroskamux"),
    "open-gop.mp4": ("x264enc key-int-max=50 bframes=3 speed-preset=veryfast "
                     "option-string=open-gop=1", "mp4mux"),
    "open-gop.ts": ("x264enc key-int-max=50 bframes=3 speed-preset=veryfast "
                    "option-string=open-gop=1 ! h264parse", "mpegtsmux"),
    "interlaced.ts": ("videorate ! video/x-raw,framerate=20/1 ! "
                      "interlace field-pattern=1:1 ! x264enc interlaced=true "
                      "key-int-max=50 speed-preset=ultrafast ! h264parse",
                      "mpegtsmux"),
    "10-bits.mp4": ("video/x-raw,format=I420_10LE ! x265enc key-int-max=50 "
                    "speed-preset=ultrafast ! h265parse", "mp4mux"),
    "10-bits.mkv": (f"video/x-raw,format=I420_10LE ! {X264} ! h264parse",
                    "matroskamux"),
    "10-bits.webm": (VP9_10_BITS, "webmmux"),
    "4-2-2.mp4": (f"video/x-raw,format=Y42B ! {X264} ! h264parse", "mp4mux"),
    "4-2-2.avi": ("video/x-raw,format=Y42B ! jpegenc", "avimux"),
    "odd.webm": ("videoscale ! video/x-raw,width=321,height=241 ! vp8enc "
                 "keyframe-max-dist=50 deadline=1 target-bitrate=800000",
                 "webmmux"),
    "odd.avi": ("videoscale ! video/x-raw,width=317,height=243 ! jpegenc",
                "avimux"),
    "odd.mp4": (f"videoscale ! video/x-raw,width=318,height=242 ! {X264}",
                "mp4mux"),
    "live.mkv": (X264, "matroskamux streamable=true"),
    "live.webm": ("vp8enc keyframe-max-dist=50 deadline=1 "
                  "target-bitrate=800000", "webmmux streamable=true"),
    "fragments.mov": (f"{X264} ! h264parse", "qtmux fragment-duration=1000 "
                      "fragment-mode=dash-or-mss"),
    "faststart.mp4": (X264, "mp4mux faststart=true"),
}


def launch(pipeline, data=b""):
    return subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()],
                          input=data, capture_output=True, check=True).stdout


def has_elements(kind):
    words = " ! ".join((KINDS | RARE_KINDS)[kind]).split(" ! ")
    names = [word.split()[0] for word in words if "/" not in word]
    return all(subprocess.run(["gst-inspect-1.0", "--exists", name],
                              stderr=subprocess.DEVNULL,
                              check=False).returncode == 0 for name in names)


def read_scenes():
    """label -> its frames, each the bytes of an RGB picture."""
    raw = launch(f"filesrc location={DEMO} ! decodebin ! videoconvert ! "
                 "video/x-raw,format=RGB ! fdsink sync=false")
    frames = [raw[i:i + FRAME] for i in range(0, len(raw), FRAME)]
    truth = json.loads(DEMO.with_suffix(".json").read_text())
    return {row["label"]: frames[row["start"] * FPS:row["end"] * FPS]
            for row in truth}


def thin_out(stream):
    """Leaves four of seven frames, in no even rhythm, out of a stream of
    the GStreamer Data Protocol: a header of 62 bytes, with the type and length
    of what follows, before each frame, caps and event.
    """
    kept, at, frames = [], 0, 0
    while at < len(stream):
        kind, length = struct.unpack_from(">HI", stream, at + 4)
        end = at + 62 + length
        frames += kind == 1
        if kind != 1 or frames % 7 in (1, 2, 4):
            kept.append(stream[at:end])
        at = end
    return b"".join(kept)


def write_video(path, parts, scenes, kind=None):
    """parts: (label, seconds). Returns (start, end, label) of each."""
    encoder, muxer = (KINDS | RARE_KINDS)[kind or "h264.mp4"]
    frames, truth, start = [], [], 0
    for label, seconds in parts:
        scene = scenes[label]
        # To and fro, so that nothing jumps within a scene.
        cycle = scene + scene[-2:0:-1]
        frames += [cycle[i % len(cycle)] for i in range(int(seconds * FPS))]
        truth.append((start, start + seconds, label))
        start += seconds
    data = b"".join(frames)
    source = (f"fdsrc blocksize={FRAME} ! rawvideoparse format=rgb "
              f"width={WIDTH} height={HEIGHT} framerate={FPS}/1")
    if "irregular" in (kind or ""):
        data = thin_out(launch(f"{source} ! gdppay ! fdsink", data))
        source = "fdsrc ! gdpdepay"
    caps = "" if "format=" in encoder else "video/x-raw,format=I420 ! "
    launch(f"{source} ! videoconvert ! {caps}{encoder} ! {muxer} ! "
           f"filesink location={path}", data)
    return truth


def choose_parts(rng, labels, n):
    """n scenes, none twice, none of which lasts less than a key frame."""
    return [(label, rng.choice((3, 4, 5))) for label in rng.sample(labels, n)]


def make(folder, n_files, seed, kinds=None):
    """Returns the truth: rows of file, start, end and label."""
    rng, scenes = random.Random(seed), read_scenes()
    kinds = [k for k in kinds or KINDS if has_elements(k)]
    rows = []
    for i in range(n_files):
        kind = kinds[i % len(kinds)]
        path = pathlib.Path(folder, f"{i:03d}.{kind}")
        parts = choose_parts(rng, sorted(scenes), 4)
        for start, end, label in write_video(path, parts, scenes, kind):
            rows.append({"file": str(path), "start": start, "end": end,
                         "label": label})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not shutil.which("gst-launch-1.0"):
        parser.error("there is no gst-launch-1.0")
    args.out.mkdir(parents=True, exist_ok=True)
    rows = make(args.out, args.files, args.seed)
    (args.out / "truth.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{args.files} files, {len(rows)} scenes")


if __name__ == "__main__":
    main()
