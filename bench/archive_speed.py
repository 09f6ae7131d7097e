#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much longer pe-tag takes than decoding: bench/archive_speed.py PE_TAG

An archive of --files H.264 videos with sound is brought in, and the same files are
decoded by as many pipelines of uridecodebin at a time, in turn, --rounds times. What
pe-tag does besides decoding (reading files for their identity, scaling, embedding,
thumbnails, the index) is in the ratio. The pictures are moving test patterns;
--sources videos are encoded, and the others are these with another title, which makes
them other files.
"""

import argparse
import concurrent.futures
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

PATTERNS = ["smpte", "ball", "zone-plate", "pinwheel", "spokes", "gradient",
            "checkers-8", "circular"]


def parse(args):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--sources", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=10, help="of a video")
    parser.add_argument("--size", default="1280x720", help="of its pictures")
    parser.add_argument("--rate", type=int, default=25, help="pictures a second")
    parser.add_argument("--jobs", type=int, default=4, help="files at a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", help="default: the demo model")
    return parser.parse_args(args)


def play(description):
    pipeline = Gst.parse_launch(description)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        sys.exit(f"{description}: {message.parse_error().gerror.message}")


def make_files(folder, options):
    width, height = options.size.split("x")
    sources = folder / "sources"
    sources.mkdir()
    for i in range(options.sources):
        frames = options.seconds * options.rate
        play(f"videotestsrc pattern={PATTERNS[i % len(PATTERNS)]} "
             f"num-buffers={frames} horizontal-speed={1 + i} ! "
             f"video/x-raw,format=I420,width={width},height={height},"
             f"framerate={options.rate}/1 ! videoconvert ! "
             "x264enc key-int-max=50 speed-preset=veryfast ! h264parse ! "
             f"mp4mux name=m ! filesink location={sources}/{i}.mp4 "
             f"audiotestsrc wave=ticks num-buffers={options.seconds * 47} ! "
             "audio/x-raw,rate=48000,channels=2 ! opusenc ! m.")
    videos = folder / "videos"
    videos.mkdir()
    for i in range(options.files):
        play(f"filesrc location={sources}/{i % options.sources}.mp4 ! qtdemux ! "
             f"h264parse ! taginject tags=title=\"video-{i}\" ! mp4mux ! "
             f"filesink location={videos}/{i:04}.mp4")
    return videos


def decode(videos, options):
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(
            lambda path: play(f"uridecodebin uri={path.as_uri()} "
                              "caps=video/x-raw ! fakesink sync=false"),
            sorted(videos.iterdir())))
    return time.monotonic() - start


def tag(videos, options, out):
    start = time.monotonic()
    command = [options.program, videos, "--out", out, "--jobs", options.jobs]
    command += ["--model", options.model] if options.model else []
    subprocess.run([str(word) for word in command], check=True,
                   stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def main():
    options = parse(sys.argv[1:])
    Gst.init(None)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        videos = make_files(folder, options)
        total = options.files * options.seconds
        print(f"{options.files} videos of {options.seconds} s, {options.size}, "
              f"{options.jobs} at a time")
        print("| round | decoding | pe-tag | ratio | x real time |")
        print("|--:|--:|--:|--:|--:|")
        ratios = []
        for i in range(options.rounds):
            alone = decode(videos, options)
            tagged = tag(videos, options, folder / f"archive-{i}")
            ratios.append(tagged / alone)
            print(f"| {i + 1} | {alone:.2f} s | {tagged:.2f} s | "
                  f"{ratios[-1]:.3f} | {total / tagged:.1f} |", flush=True)
        print(f"\nmedian of the ratios: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
