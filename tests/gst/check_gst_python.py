#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labels read from Python through GIR, as a TAP test: check_gst_python.py MODEL

Skipped without PyGObject, the typelib or videotestsrc.
"""

import struct
import sys

try:
    import gi
    gi.require_version("Gst", "1.0")
    gi.require_version("GstPeMeta", "1.0")
    from gi.repository import Gst, GstPeMeta
except (ImportError, ValueError) as error:
    print(f"1..0 # SKIP {error}")
    sys.exit(0)

RESULTS = []
EVENTS = []


def look_at_buffer(pad, info):
    meta = GstPeMeta.buffer_get_pe_meta(info.get_buffer())
    if meta:
        result = meta.get_result()
        names = [result.get_label(i) for i in range(result.get_n_labels())]
        data = result.get_embedding().get_data()
        vector = struct.unpack(f"<{result.get_dim()}f", data)
        RESULTS.append((result, names, vector, meta.get_age()))
    return Gst.PadProbeReturn.OK


def look_at_event(pad, info):
    result = GstPeMeta.event_get_pe_result(info.get_event())
    if result:
        EVENTS.append(result)
    return Gst.PadProbeReturn.OK


def run(model):
    pipeline = Gst.parse_launch(
        "videotestsrc num-buffers=10 ! video/x-raw,width=64,height=64 ! "
        f"peinference model={model} device=cpu labels=dog|cat clip-length=4 ! "
        "fakesink name=sink")
    pad = pipeline.get_by_name("sink").get_static_pad("sink")
    pad.add_probe(Gst.PadProbeType.BUFFER, look_at_buffer)
    pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, look_at_event)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    return message and message.type == Gst.MessageType.EOS


def main():
    Gst.init(None)
    if not Gst.ElementFactory.find("videotestsrc"):
        print("1..0 # SKIP no videotestsrc")
        return 0
    ended = run(sys.argv[1])
    checks = [
        ("plays_to_the_end", ended),
        ("sees_two_results", len(RESULTS) == 2),
        ("reads_labels", all(sorted(names) == ["cat", "dog"]
                             for _, names, _, _ in RESULTS)),
        ("reads_scores", all(abs(sum(r.get_score(i) for i in range(2)) -
                                 1) < 1e-5 for r, _, _, _ in RESULTS)),
        ("reads_unit_vectors", all(abs(sum(x * x for x in v) - 1) < 1e-5
                                   for _, _, v, _ in RESULTS)),
        ("reads_ages", all(age == 0 for _, _, _, age in RESULTS)),
        ("reads_results_of_events", [r.is_partial() for r in EVENTS] == [True]),
    ]
    print(f"1..{len(checks)}")
    for number, (name, ok) in enumerate(checks, 1):
        print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    return not all(ok for _, ok in checks)


if __name__ == "__main__":
    sys.exit(main())
