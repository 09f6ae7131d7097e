#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether decoding and inference share the cores: bench/pipeline_cpu.py BUILD

A file of --seconds of H.264 is decoded and embedded by peinference, two pictures a
second, in one pipeline on all cores of this process (taskset restricts it). Before
that, in each of --rounds, the same file is decoded on one core, and as many pictures
of its size are embedded on one core. Nothing is lost when the pipeline takes as long
as both together, divided by the cores:

    ratio = pipeline x cores / (decoding + inference)

Weights are random. Needs numpy, gst-launch-1.0 with x264enc and avdec_h264, and the
plugin of BUILD.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import peer_model

RATE = 2  # pictures a second that are embedded


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--model", default="B16", choices=peer_model.SHAPES)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--rate", type=int, default=25, help="frames a second")
    parser.add_argument("--seconds", type=int, default=60, help="of video")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def launch(pipeline, cores):
    """Seconds that the pipeline took, on these cores alone."""
    start = time.monotonic()
    subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True,
                   stdout=subprocess.DEVNULL,
                   preexec_fn=lambda: os.sched_setaffinity(0, cores))
    return time.monotonic() - start


def make_video(path, options, cores):
    width, height = options.size.split("x")
    launch(f"videotestsrc pattern=pinwheel num-buffers="
           f"{options.seconds * options.rate} ! video/x-raw,format=I420,"
           f"width={width},height={height},framerate={options.rate}/1 ! "
           "x264enc key-int-max=50 speed-preset=veryfast ! h264parse ! mp4mux "
           f"! filesink location={path}", cores)


def main():
    options = parse()
    os.environ["GST_PLUGIN_PATH"] = str(
        pathlib.Path(options.build).resolve() / "gst")
    cores = os.sched_getaffinity(0)
    one = {min(cores)}
    width, height = options.size.split("x")
    with tempfile.TemporaryDirectory() as folder:
        video, model = f"{folder}/video.mp4", f"{folder}/model.safetensors"
        peer_model.write_safetensors(
            model, peer_model.random_weights(options.model))
        make_video(video, options, cores)
        decoding = (f"filesrc location={video} ! qtdemux ! h264parse ! "
                    "avdec_h264 ! ")
        inference = (f"peinference model={model} device=cpu mode=exact "
                     f"precision={options.precision} frame-rate={RATE}/1 "
                     "post-messages=false ! fakesink sync=false")
        raw = (f"videotestsrc pattern=pinwheel num-buffers="
               f"{options.seconds * RATE} ! video/x-raw,format=I420,"
               f"width={width},height={height},framerate={RATE}/1 ! ")
        print("| round | decoding, one core | inference, one core | pipeline, "
              f"{len(cores)} cores | ratio |\n|--:|--:|--:|--:|--:|")
        ratios = []
        for i in range(options.rounds):
            apart = [launch(decoding + "fakesink sync=false", one),
                     launch(raw + inference, one)]
            both = launch(decoding + inference, cores)
            ratios.append(both * len(cores) / sum(apart))
            print(f"| {i + 1} | {apart[0]:.1f} s | {apart[1]:.1f} s | "
                  f"{both:.1f} s | {ratios[-1]:.3f} |", flush=True)
        print(f"\nmedian of the ratios: {statistics.median(ratios):.3f} "
              "(wanted: 1.05)")


if __name__ == "__main__":
    main()
