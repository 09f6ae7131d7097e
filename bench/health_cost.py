#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pehealth costs of one core: bench/health_cost.py BUILD

Pushes pictures of noise through a pehealth as it is, through one that does not look
for flicker and hunting, and through no element, in turn, and reads the processor time
of the thread that pushes. The last of the three is subtracted. Each round is of
--seconds of a stream; a row has medians of the rounds, and the ratio is the median of
theirs. Needs Python's gi.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

# Bytes of two pixels, with rows that need no padding.
FORMATS = {"I420": 3, "NV12": 3, "P010_10LE": 6, "RGB": 6}
VARIANTS = {  # element: properties
    "none": None,
    "without": "flicker-above=0 hunting-above=0",
    "with": "",
}
PICTURES = 8  # that are not alike
WARM_UP = 13  # s: as many as hunting looks back on, and one


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--size", default="1920x1080",
                        help="width a multiple of 4, height of 2")
    parser.add_argument("--rate", type=int, default=25, help="frames a second")
    parser.add_argument("--seconds", type=int, default=20, help="of a round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    for name in options.formats.split(","):
        if name not in FORMATS:
            parser.error(f"{name} is none of {', '.join(FORMATS)}")
    return options


class Stream:
    """Pictures go through an element into a sink, in the thread that pushes."""

    def __init__(self, properties, caps, rate):
        line = "" if properties is None else f"pehealth {properties} ! "
        self.bin = Gst.parse_bin_from_description(
            line + "fakesink sync=false async=false", True)
        self.pad = Gst.Pad.new("src", Gst.PadDirection.SRC)
        self.pad.link(self.bin.get_static_pad("sink"))
        self.bin.set_state(Gst.State.PLAYING)
        self.pad.set_active(True)
        segment = Gst.Segment()
        segment.init(Gst.Format.TIME)
        for event in (Gst.Event.new_stream_start("camera"),
                      Gst.Event.new_caps(Gst.Caps.from_string(caps)),
                      Gst.Event.new_segment(segment)):
            self.pad.push_event(event)
        self.rate = rate
        self.n = 0

    def push(self, pictures, seconds):
        """Processor time that so many seconds of the stream took, s."""
        frames = Gst.BufferList.new()
        for _ in range(seconds * self.rate):
            frame = Gst.Buffer.new()
            frame.append_memory(pictures[self.n % len(pictures)])
            frame.pts = self.n * Gst.SECOND // self.rate
            frame.duration = Gst.SECOND // self.rate
            frames.insert(-1, frame)
            self.n += 1
        start = time.thread_time()
        if self.pad.push_list(frames) != Gst.FlowReturn.OK:
            sys.exit("a picture was refused")
        return time.thread_time() - start

    def stop(self):
        self.bin.set_state(Gst.State.NULL)


def measure(options, name):
    """A list for each variant of what a second of the stream took, ms."""
    width, height = map(int, options.size.split("x"))
    size = width * height * FORMATS[name] // 2
    pictures = [Gst.Buffer.new_wrapped(os.urandom(size)).get_all_memory()
                for _ in range(PICTURES)]
    caps = (f"video/x-raw,format={name},width={width},height={height},"
            f"framerate={options.rate}/1")
    streams = {variant: Stream(properties, caps, options.rate)
               for variant, properties in VARIANTS.items()}
    for stream in streams.values():
        stream.push(pictures, WARM_UP)
    took = {variant: [] for variant in streams}
    for _ in range(options.rounds):
        for variant, stream in streams.items():
            took[variant].append(1000 * stream.push(pictures, options.seconds)
                                 / options.seconds)
    for stream in streams.values():
        stream.stop()
    return took


def main():
    options = parse()
    os.environ["GST_PLUGIN_PATH"] = str(options.build.resolve() / "gst")
    Gst.init(None)
    if not Gst.ElementFactory.find("pehealth"):
        sys.exit(f"there is no pehealth in {options.build}/gst")
    print(f"ms of a core for a second of {options.size} at {options.rate} frames "
          f"a second; {options.rounds} rounds\n\n"
          "| format | without flicker and hunting | with them | ratio |\n"
          "|---|--:|--:|--:|")
    for name in options.formats.split(","):
        took = measure(options, name)
        looks, all_of_it = ([a - b for a, b in zip(took[variant], took["none"])]
                            for variant in ("without", "with"))
        ratio = statistics.median(a / b for a, b in zip(all_of_it, looks))
        print(f"| {name} | {statistics.median(looks):.2f} | "
              f"{statistics.median(all_of_it):.2f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
