# SPDX-License-Identifier: LGPL-2.1-or-later
"""When a video shows what you ask for: read_result.py VIDEO "a boat at sea" """

import sys

import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstPeMeta", "1.0")
from gi.repository import Gst, GstPeMeta

Gst.init(None)
encoder = GstPeMeta.TextEncoder.new(None, None, None, None)
query = encoder.encode(sys.argv[2])


def read_results(pad, info):
    buffer = info.get_buffer()
    for i in range(GstPeMeta.buffer_get_n_pe_metas(buffer)):
        result = GstPeMeta.buffer_get_nth_pe_meta(buffer, i).get_result()
        start = result.get_clip_stream_start() / Gst.SECOND
        similarity = query.get_similarity(result.get_embedding())
        print(f"{start:4.1f} s  {similarity:5.2f}")
    return Gst.PadProbeReturn.OK


pipeline = Gst.parse_launch(
    "filesrc name=file ! decodebin ! peinference clip-length=4 frame-rate=2/1 ! "
    "fakesink name=sink")
pipeline.get_by_name("file").set_property("location", sys.argv[1])
pad = pipeline.get_by_name("sink").get_static_pad("sink")
pad.add_probe(Gst.PadProbeType.BUFFER, read_results)
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(
    Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
pipeline.set_state(Gst.State.NULL)
sys.exit(message.type == Gst.MessageType.ERROR)
