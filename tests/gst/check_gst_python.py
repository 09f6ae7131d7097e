#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Results read and texts embedded from Python through GIR, as a TAP test:
check_gst_python.py MODEL

Skipped without PyGObject, the typelib or videotestsrc.
"""

import concurrent.futures
import struct
import sys

try:
    import gi
    gi.require_version("Gst", "1.0")
    gi.require_version("GstPeMeta", "1.0")
    from gi.repository import GLib, Gst, GstPeMeta
except (ImportError, ValueError) as error:
    print(f"1..0 # SKIP {error}")
    sys.exit(0)

RESULTS = []
EVENTS = []


def look_at_buffer(pad, info):
    buffer = info.get_buffer()
    for i in range(GstPeMeta.buffer_get_n_pe_metas(buffer)):
        meta = GstPeMeta.buffer_get_nth_pe_meta(buffer, i)
        RESULTS.append((meta.get_result(), meta.get_age()))
    return Gst.PadProbeReturn.OK


def look_at_event(pad, info):
    result = GstPeMeta.event_get_pe_result(info.get_event())
    if result:
        EVENTS.append(result)
    return Gst.PadProbeReturn.OK


def read_labels(result):
    return [(result.get_label(i), result.get_score(i),
             result.get_similarity(i)) for i in range(result.get_n_labels())]


def is_unit_vector(result):
    embedding = result.get_embedding()
    values = embedding.to_floats()
    stored = struct.unpack(f"<{result.get_dim()}f",
                           embedding.get_data().get_data())
    return (tuple(values) == stored and
            embedding.get_kind() == GstPeMeta.VectorsKind.POOLED and
            embedding.get_dtype() == GstPeMeta.Dtype.F32 and
            abs(sum(x * x for x in values) - 1) < 1e-5)


def comes_back_from_bytes(result):
    copy = GstPeMeta.Result.new_from_bytes(result.to_bytes())
    return copy.is_same(result) and read_labels(copy) == read_labels(result)


def refuses_other_bytes():
    try:
        GstPeMeta.Result.new_from_bytes(GLib.Bytes.new(b"GPER and no more"))
    except GLib.Error as error:
        return error.matches(Gst.StreamError.quark(), Gst.StreamError.DECODE)
    return False


def run(model):
    pipeline = Gst.parse_launch(
        "videotestsrc num-buffers=10 ! video/x-raw,width=64,height=64 ! "
        f"peinference name=a model={model} device=cpu labels=dog|cat "
        "prompt-template={} precision=fp32 "
        "frame-rate=0/1 clip-length=4 ! "
        f"peinference name=b model={model} device=cpu frame-rate=0/1 "
        "clip-length=4 ! "
        "fakesink name=sink")
    pad = pipeline.get_by_name("sink").get_static_pad("sink")
    pad.add_probe(Gst.PadProbeType.BUFFER, look_at_buffer)
    pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, look_at_event)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    return message and message.type == Gst.MessageType.EOS


def embed_a_query(model):
    """What encode() says of a label is what the element said of it."""
    encoder = GstPeMeta.TextEncoder.new(model, None, "cpu", "fp32")
    query = encoder.encode("dog")
    result = next(r for r, _ in RESULTS if r.get_element() == "a")
    similarity = query.get_similarity(result.get_embedding())
    found = {name: value for name, _, value in read_labels(result)}
    print(f"# dog: {similarity:.6f} as a query, {found['dog']:.6f} as a label")
    return (abs(similarity - found["dog"]) < 1e-5 and
            abs(found["cat"] - found["dog"]) > 1e-4 and
            encoder.get_dim() == len(query.to_floats()) and
            encoder.get_model_fingerprint() == result.get_model_fingerprint())


def embed_from_threads(model):
    encoder = GstPeMeta.TextEncoder.new(model, None, "cpu", "fp32")
    texts = [f"{n} dogs" for n in range(8)]
    alone = [encoder.encode(text).to_floats() for text in texts]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda t: encoder.encode(t).to_floats(),
                                 texts))
    return together == alone and len(set(map(tuple, alone))) == len(texts)


def refuses(domain, code, *arguments):
    try:
        GstPeMeta.TextEncoder.new(*arguments)
    except GLib.Error as error:
        print(f"# {error.message}")
        return error.matches(domain.quark(), code)
    return False


def main():
    Gst.init(None)
    if not Gst.ElementFactory.find("videotestsrc"):
        print("1..0 # SKIP no videotestsrc")
        return 0
    ended = run(sys.argv[1])
    results = [result for result, _ in RESULTS]
    labelled = [r for r in results if r.get_element() == "a"]
    checks = [
        ("plays_to_the_end", ended),
        ("sees_every_result_of_a_buffer",
         [(r.get_element(), r.get_sequence()) for r in results] ==
         [("a", 0), ("b", 0), ("a", 1), ("b", 1)]),
        ("reads_labels", all(sorted(label for label, _, _ in read_labels(r)) ==
                             ["cat", "dog"] for r in labelled)),
        ("reads_scores", all(
            abs(sum(score for _, score, _ in read_labels(r)) - 1 +
                r.get_negative_mass()) < 1e-5 for r in labelled)),
        ("reads_probabilities", all(
            abs(r.get_probability(0) + r.get_probability(1) - 1) < 1e-5
            for r in labelled)),
        ("reads_the_verdict", all(
            r.is_unknown() == (r.get_negative_mass() >= 0.5) and
            r.get_calibration() == "none" for r in labelled)),
        ("reads_unit_vectors", all(map(is_unit_vector, results))),
        ("reads_clips", [r.get_clip_start() for r in labelled] ==
         [0, 4 * Gst.SECOND // 30]),
        ("reads_what_is_not_there",
         all(r.get_region() is None and r.get_window() is None and
             r.get_tokens() is None for r in results)),
        ("reads_ages", all(age == 0 for _, age in RESULTS)),
        ("reads_results_of_events",
         {r.get_element(): r.get_reason() for r in EVENTS} ==
         {name: GstPeMeta.Reason.EOS for name in "ab"}),
        ("names_reasons", [GstPeMeta.Reason.to_string(r) for r in
                           (GstPeMeta.Reason.NONE, GstPeMeta.Reason.JUMP)] ==
         ["none", "jump"]),
        ("reads_bytes", all(map(comes_back_from_bytes, results))),
        ("refuses_other_bytes", refuses_other_bytes()),
        ("embeds_a_query", embed_a_query(sys.argv[1])),
        ("embeds_from_threads", embed_from_threads(sys.argv[1])),
        ("says_that_there_is_no_model",
         refuses(Gst.ResourceError, Gst.ResourceError.NOT_FOUND,
                 "/no/such/model", None, "cpu", None)),
        ("says_that_it_is_no_model",
         refuses(Gst.StreamError, Gst.StreamError.FORMAT, __file__, None,
                 "cpu", None)),
        ("says_that_there_is_no_such_precision",
         refuses(Gst.LibraryError, Gst.LibraryError.SETTINGS, sys.argv[1],
                 None, "cpu", "fp3")),
    ]
    print(f"1..{len(checks)}")
    for number, (name, ok) in enumerate(checks, 1):
        print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    return not all(ok for _, ok in checks)


if __name__ == "__main__":
    sys.exit(main())
