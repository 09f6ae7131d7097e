#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-labels against vectors from pe-embed and clips from peinference, as a TAP
test: check_pe_labels.py PE_LABELS PE_EMBED SCHEMA
"""

import gzip
import json
import math
import pathlib
import subprocess
import sys

from eval_data import dot, draw, embed, new_rng, write_avi, write_png

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from json_schema import find_unseen, is_valid  # noqa: E402
from tap import Folder, need_elements, run_tests  # noqa: E402

PE_LABELS, PE_EMBED = sys.argv[1:3]
SCHEMA = json.loads(pathlib.Path(sys.argv[3]).read_text())
SCALE = 29.511076  # of the demo model


def run(*args):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([PE_LABELS, *map(str, args)], check=False,
                          capture_output=True, text=True)
    # Of the system's picture loader, where it may not make a sandbox.
    errors = "".join(line for line in done.stderr.splitlines(keepends=True)
                     if not line.startswith("WARNING: Glycin"))
    return done.returncode, done.stdout, errors


def check_file(folder, labels, *args, status=0):
    """The report about a labels file with that content."""
    path = folder / "labels.json"
    path.write_text(labels if isinstance(labels, str) else json.dumps(labels))
    found, out, err = run("check", path, "--json", *args)
    assert found == status, (found, err)
    assert not err, err
    report = json.loads(out)
    assert is_valid(SCHEMA, report)
    assert report["errors"] == len(find(report, level="error"))
    assert report["warnings"] == len(find(report, level="warning"))
    return report


def find(report, **wanted):
    """Findings with these members."""
    return [f for f in report["findings"]
            if all(f.get(key) == value for key, value in wanted.items())]


def find_pairs(report, kind):
    return {(f["label"], f["other"]) for f in find(report, kind=kind)}


# ---- Texts -----------------------------------------------------------------

def finds_labels_that_are_the_same(folder):
    labels = ["a red circle", "a boat at sea", "a  RED circle",
              {"name": "boat", "prompts": ["a boat at sea"]}, "a beach"]
    report = check_file(folder, {"labels": labels, "templates": ["{}"],
                                 "negatives": ["a  beach", "a forest"]})
    assert find_pairs(report, "equal-labels") == {
        ("a red circle", "a  RED circle"), ("a boat at sea", "boat")}
    assert find_pairs(report, "label-equals-negative") == {
        ("a beach", "a  beach")}
    assert all(f["level"] == "error" for kind in (
        "equal-labels", "label-equals-negative")
        for f in find(report, kind=kind))
    # A template makes the name another text than the prompt.
    report = check_file(folder, {"labels": labels,
                                 "templates": ["a photo of {}."]})
    assert find_pairs(report, "equal-labels") == {
        ("a red circle", "a  RED circle")}


def says_what_is_cut(folder):
    words = "a red circle and a blue square " * 5
    report = check_file(folder, {"labels": [words + "and a yellow star",
                                            "a red circle"],
                                 "templates": ["{}"]})
    cut, = find(report, kind="cut-text")
    assert cut["level"] == "warning" and cut["label"].startswith(words)
    lost, = cut["texts"]
    assert lost.endswith("and a yellow star"), lost
    assert not find(check_file(folder, ["a red circle", "a blue square"]),
                    kind="cut-text")


def reads_what_the_library_reads(folder):
    labels = {"labels": ["a red circle", "a  RED circle"], "templates": ["{}"]}
    path = folder / "packed.json"
    path.write_bytes(gzip.compress(json.dumps(labels).encode()))
    found, out, err = run("check", path, "--json")
    assert found == 0, (found, err)
    assert find_pairs(json.loads(out), "equal-labels") == {
        ("a red circle", "a  RED circle")}


# ---- Vectors ---------------------------------------------------------------

def finds_what_is_near_by_the_vectors_of_pe_embed(folder):
    names = ["a red circle", "a disc of red", "fog", "a boat at sea",
             "a sailing boat on the water", "a house in a meadow"]
    negatives = ["foggy", "a ship at sea", "a black screen"]
    vectors = embed(PE_EMBED, texts=names + negatives)
    report = check_file(folder, {"labels": names, "negatives": negatives,
                                 "templates": ["{}"]})
    cosines = {(a, b): dot(vectors["text", a], vectors["text", b])
               for a in names for b in names + negatives if a != b}
    near = {pair for pair, c in cosines.items()
            if c > .95 and pair[1] in names
            and names.index(pair[0]) < names.index(pair[1])}
    assert near and find_pairs(report, "look-alikes") == near, near
    for f in find(report, kind="look-alikes"):
        assert abs(f["cosine"] - cosines[f["label"], f["other"]]) < 1e-4, f
    nearest = {b: max(names, key=lambda a: cosines[a, b]) for b in negatives}
    near = {(a, b) for b, a in nearest.items() if cosines[a, b] >= .9}
    assert near and find_pairs(report, "near-negative") == near, near
    # The default negatives are nobody's mistake.
    report = check_file(folder, {"labels": ["an object", "a forest"],
                                 "templates": ["{}"]})
    assert not find(report, level="warning") and report["default-negatives"]


def reads_labels_that_are_shown_by_pictures(folder):
    rng, pictures = new_rng(8), {}
    for name in ("red circle", "green square", "blue triangle"):
        pictures[name] = folder / f"{name}.png"
        write_png(pictures[name], draw(name, rng))
    shown = [{"name": "mine", "images": ["red circle.png"]},
             {"name": "again", "images": ["red circle.png"]},
             {"name": "a square", "images": ["green square.png"],
              "image-weight": .2},
             {"name": "yours", "images": ["blue triangle.png"]}]
    report = check_file(folder, {
        "labels": shown, "templates": ["{}"],
        "negatives": [{"name": "not mine", "images": ["blue triangle.png"]}]})
    # Names do not count for what pictures alone show, and pictures do.
    assert not find(report, level="error"), report["findings"]
    assert find_pairs(report, "look-alikes") == {("mine", "again")}
    assert find_pairs(report, "near-negative") == {("yours", "not mine")}
    # A word that is blended with a picture still has its tokens.
    long = "a green square and a red circle and a blue star " * 4
    report = check_file(folder, {"labels": [
        {"name": long, "images": ["green square.png"]},
        {"name": long, "images": ["green square.png"], "image-weight": .1}],
        "templates": ["{}"]})
    assert len(find(report, kind="cut-text")) == 1, report["findings"]
    bad = {"labels": [{"name": "a", "images": ["nowhere.png"]}, "b"]}
    (folder / "bad.json").write_text(json.dumps(bad))
    status, out, err = run("check", folder / "bad.json")
    assert (status, out) == (1, "") and "nowhere.png" in err, err


def says_what_a_label_alone_is_worth(folder):
    assert find(check_file(folder, {"labels": ["a cat"], "negatives": []}),
                kind="alone")
    assert not find(check_file(folder, ["a cat"]), kind="alone")


def lists_what_is_left_out_of_a_bank(folder):
    (folder / "bank.txt").write_text("# a comment\na ship at sea\na forest\n")
    labels = {"labels": ["a boat at sea", "a beach"], "bank": "bank.txt",
              "templates": ["{}"]}
    hidden, = find(check_file(folder, labels), kind="bank")
    assert hidden["texts"] == ["a ship at sea"], hidden
    assert "1 of 2" in hidden["message"]


def separation(vectors):
    return sum(1 - max(dot(v, w) for w in vectors if w is not v)
               for v in vectors) / len(vectors)


def proposes_a_template_only_where_it_is_better(folder):
    names = ["red circle", "green square", "blue triangle", "yellow star",
             "white cross", "orange ring", "purple heart", "black crescent"]
    wordy = ("a photo of a red circle and a blue square and a house with "
             "{} in a video")
    report = check_file(folder, {"labels": names, "templates": [wordy]})
    advice, = find(report, kind="caption")
    captions = {tuple(c["templates"]): c for c in report["captions"]}
    vectors = embed(PE_EMBED, texts=[t[0].replace("{}", n)
                                     for t in captions for n in names])
    for (template,), caption in captions.items():
        expected = separation([vectors["text", template.replace("{}", n)]
                               for n in names])
        print(f"# {template}: {caption['separation']}, expected {expected}")
        assert abs(caption["separation"] - expected) < 1e-4, template
        assert caption["current"] == (template == wordy)
        assert caption["margin"] is None
    best = max(captions, key=lambda t: captions[t]["separation"])
    assert tuple(advice["texts"]) == best != (wordy,)
    # What is proposed is as good as the others, then.
    report = check_file(folder, {"labels": names, "templates": list(best)})
    assert not find(report, kind="caption"), report["captions"]


def proposes_negatives_that_are_near_but_not_the_label(folder):
    labels = {"labels": ["a boat at sea", "a forest"], "templates": ["{}"]}
    advice, = find(check_file(folder, labels), kind="negatives")
    vectors = embed(PE_EMBED, texts=labels["labels"] + advice["texts"])
    for text in advice["texts"]:
        cosines = [dot(vectors["text", label], vectors["text", text])
                   for label in labels["labels"]]
        print(f"# {text}: {cosines}")
        assert .2 < max(cosines) < .9, text
    # What is there already is not proposed again.
    again = check_file(folder, {**labels, "negatives": advice["texts"]})
    assert not {t for f in find(again, kind="negatives") for t in f["texts"]
                } & set(advice["texts"])


# ---- Clips -----------------------------------------------------------------

LABELS = ["a red circle", "a green triangle", "a blue square"]


def score(vector, labels, negatives):
    """Of each label in exclusive mode: MODEL.md, section 8."""
    logits = [SCALE * dot(vector, v) for v in labels + negatives]
    powers = [math.exp(x - max(logits)) for x in logits]
    return [p / math.fsum(powers) for p in powers[:len(labels)]]


def counts_how_often_each_label_fires(folder):
    rng, negatives = new_rng(3), ["a forest", "a black screen"]
    pictures = []
    for i, name in enumerate(["red circle"] * 5 + ["green triangle"] * 2
                             + ["nothing"] * 3):
        pictures.append(folder / f"{i}.png")
        write_png(pictures[-1], bytes(48 * 48 * 3) if name == "nothing"
                  else draw(name, rng))
    labels = [{"name": LABELS[0], "threshold": .9}, *LABELS[1:]]
    args = [a for p in pictures for a in ("--picture", p)]
    report = check_file(folder, {"labels": labels, "negatives": negatives,
                                 "templates": ["{}"]}, *args)
    vectors = embed(PE_EMBED, texts=LABELS + negatives, images=pictures)
    texts = [vectors["text", t] for t in LABELS + negatives]
    scores = [score(vectors["image", str(p)], texts[:3], texts[3:])
              for p in pictures]
    bounds = [.9, .5, .5]
    assert report["clips"] == len(pictures) and report["threshold"] == .5
    for k, fires in enumerate(report["fires"]):
        assert all(abs(s[k] - bounds[k]) > 1e-3 for s in scores), "ambiguous"
        expected = sum(s[k] >= bounds[k] for s in scores)
        print(f"# {fires}, expected {expected}")
        assert fires == {"label": LABELS[k], "own-threshold": k == 0,
                         "clips": expected}
    silent = [all(x < b for x, b in zip(s, bounds)) or sum(s) <= .5
              for s in scores]
    assert report["unknown"] == sum(silent) > 0, silent
    assert report["fires"][0]["clips"] > 0
    # With a threshold of 0, everything fires.
    report = check_file(folder, {"labels": LABELS, "negatives": negatives,
                                 "templates": ["{}"]},
                        *args, "--threshold", "0")
    assert [f["clips"] for f in report["fires"]] == [10] * 3
    assert find_pairs_often(report) == set(LABELS)
    # And margins are measured.
    expected = sum(a - b for a, b in (sorted(
        [SCALE * dot(vectors["image", str(p)], t) for t in texts[:3]],
        reverse=True)[:2] for p in pictures)) / len(pictures)
    assert abs(report["captions"][0]["margin"] - expected) < 1e-3


def find_pairs_often(report):
    return {f["label"] for f in find(report, kind="fires-often")}


def makes_the_clips_of_peinference(folder):
    need_elements("peinference", "pemetaconvert", "decodebin", "avidemux")
    rng = new_rng(5)
    shown = ["red circle"] * 47 + ["green triangle"] * 38  # at 10 a second
    video, lines = folder / "video.avi", folder / "lines"
    write_avi(video, [draw(name, rng) for name in shown])
    labels = {"labels": LABELS, "templates": ["{}"]}
    report = check_file(folder, labels, "--video", video, "--threshold", ".3")
    subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={video}", "!",
         "decodebin", "!", "peinference", "device=cpu", "top-k=3",
         f"labels-file={folder / 'labels.json'}", "!", "pemetaconvert", "!",
         "filesink", f"location={lines}"], check=True)
    clips = [json.loads(line) for line in lines.read_text().splitlines()]
    clips = [c for c in clips if c["type"] == "clip"]
    print(f"# {len(clips)} clips of peinference, {report['clips']} here")
    assert report["clips"] == len(clips) == 3
    for fires in report["fires"]:
        expected = sum(label["score"] >= .3 for c in clips
                       for label in c["labels"]
                       if label["label"] == fires["label"])
        assert fires["clips"] == expected, (fires, expected)


def says_what_else_is_there(folder):
    rng = new_rng(6)
    args = []
    for i in range(4):
        path = folder / f"{i}.png"
        write_png(path, bytes(48 * 48 * 3))
        args += ["--picture", path]
    report = check_file(folder, {"labels": LABELS}, *args)
    seen, = find(report, kind="scene")
    print(f"# {seen['texts']}")
    assert "a black screen" in seen["texts"], seen
    assert "4 clips" in seen["message"]
    path = folder / "circle.png"
    write_png(path, draw("red circle", rng))
    report = check_file(folder, {"labels": LABELS}, "--picture", path)
    assert not find(report, kind="scene"), "a label fires"


# ---- The program -----------------------------------------------------------

def has_strict_and_readable_answers(folder):
    path = folder / "labels.txt"
    path.write_text("# pets\na cat\na CAT\na dog\n")
    status, out, err = run("check", path)
    assert status == 0 and not err, err
    lines = out.splitlines()
    assert sum(line.startswith("error: equal-labels: ") for line in lines) == 1
    assert lines[-1].startswith("3 labels, 3 negatives (the default ones): 1 "
                                "errors"), lines[-1]
    assert run("check", path, "--strict")[0] == 1
    path.write_text("a cat\na dog\n")
    assert run("check", path, "--strict")[0] == 0


def tells_usage_apart_from_failure(folder):
    path = folder / "labels.txt"
    path.write_text("a cat\na dog\n")
    for args in [(), ("check",), ("frob", path), ("check", path, path),
                 ("check", path, "--threshold", "2"),
                 ("check", path, "--frob")]:
        status, out, err = run(*args)
        assert (status, out) == (2, ""), (args, status, out)
        assert "--help" in err, err
    bad = folder / "bad.png"
    bad.write_text("no picture")
    empty = folder / "empty.txt"
    empty.write_text("")
    for words, args in [(["nowhere.json"], (folder / "nowhere.json",)),
                        (["empty.txt", "no labels"], (empty,)),
                        (["bad.png"], (path, "--picture", bad)),
                        (["nothing.avi", "no such file"],
                         (path, "--video", folder / "nothing.avi")),
                        (["nothing.pt"], (path, "-m", folder / "nothing.pt"))]:
        status, out, err = run("check", *args)
        assert (status, out) == (1, ""), (args, status, out)
        for word in words:
            assert word in err, (word, err)


def says_nothing_that_is_never_said(_):
    unseen = list(find_unseen(SCHEMA))
    assert not unseen, unseen


if __name__ == "__main__":
    sys.exit(run_tests([
        finds_labels_that_are_the_same, says_what_is_cut,
        reads_what_the_library_reads,
        finds_what_is_near_by_the_vectors_of_pe_embed,
        reads_labels_that_are_shown_by_pictures,
        says_what_a_label_alone_is_worth, lists_what_is_left_out_of_a_bank,
        proposes_a_template_only_where_it_is_better,
        proposes_negatives_that_are_near_but_not_the_label,
        counts_how_often_each_label_fires, makes_the_clips_of_peinference,
        says_what_else_is_there, has_strict_and_readable_answers,
        tells_usage_apart_from_failure, says_nothing_that_is_never_said,
    ], Folder))
