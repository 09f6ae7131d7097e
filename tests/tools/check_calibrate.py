#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-calibrate against an independent fit: check_calibrate.py PE_CALIBRATE
PE_EMBED PE_MODEL

The log-odds are computed from the vectors that pe-embed prints, by the formulas
of MODEL.md, and the line by differences of its cost.
"""

import base64
import json
import math
import pathlib
import re
import statistics
import struct
import subprocess
import sys

from eval_data import (auroc, bins_of, dot, draw, embed, mean_unit, new_rng,
                       write_avi, write_png)

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import Folder, need_elements, run_tests  # noqa: E402

PE_CALIBRATE, PE_EMBED, PE_MODEL = sys.argv[1:4]
DEMO = pathlib.Path(__file__).parents[2] / "models/demo/pe-demo.safetensors"
SCALE = 29.511076  # of the demo model
LABELS = {"square thing": ["a square", "a box"], "a red circle": None}
NEGATIVES = ["a white screen", "a star"]
TEXT = """{
  "labels": [{"prompts": ["a square", "a box"], "name": " square thing ",
              "threshold": 0.3},
             "a red circle"],
  "templates": ["{}"],   "negatives": ["a white screen", "a star"]
}
"""


def run(*args):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([PE_CALIBRATE, *map(str, args)], check=False,
                          capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def draw_examples(folder, n=5, squares=("red square", "blue square"),
                  others=("red triangle", "green circle", "yellow triangle")):
    """Squares in one folder, others in another; some are hard to tell."""
    rng = new_rng(12)
    for kind, names in (("squares", squares), ("others", others)):
        for i in range(n * len(names)):
            write_png(folder / kind / f"{i}.png",
                      draw(names[i % len(names)], rng))
    return (sorted((folder / "squares").iterdir()),
            sorted((folder / "others").iterdir()))


def weigh(paths, label="square thing"):
    """The log-odds of the label."""
    texts = [t for name, prompts in LABELS.items() for t in prompts or [name]]
    vectors = embed(PE_EMBED, texts=texts + NEGATIVES, images=paths)
    of_labels = [mean_unit([vectors["text", t] for t in prompts or [name]])
                 for name, prompts in LABELS.items()]
    of_labels += [vectors["text", t] for t in NEGATIVES]
    number = list(LABELS).index(label)
    found = []
    for path in paths:
        logits = [SCALE * dot(vectors["image", str(path)], v)
                  for v in of_labels]
        own = logits.pop(number)
        found.append(own - math.log(math.fsum(map(math.exp, logits))))
    return found


def logistic(x):
    return 1 / (1 + math.exp(-x))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def fit_line(positives, negatives):
    """Slope and offset, where the derivatives of the cost are 0: steps of
    Newton from the line that changes nothing, shorter where they lead away."""
    n = len(positives) + len(negatives)
    sides = [(x, y, n / 2 / len(side)) for y, side in (
        (1, positives), (-1, negatives)) for x in side]

    def cost(slope, offset):
        return offset ** 2 / 200 + (slope - 1) ** 2 / 20 + math.fsum(
            w * softplus(-y * (slope * x + offset)) for x, y, w in sides)

    def differ(slope, offset, step=1e-4):
        """Gradient and Hessian, by differences."""
        def at(i, j):
            return cost(slope + i * step, offset + j * step)
        return ((at(1, 0) - at(-1, 0)) / 2 / step,
                (at(0, 1) - at(0, -1)) / 2 / step,
                (at(1, 0) + at(-1, 0) - 2 * at(0, 0)) / step ** 2,
                (at(0, 1) + at(0, -1) - 2 * at(0, 0)) / step ** 2,
                (at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1))
                / 4 / step ** 2)
    slope, offset = 1, 0
    for _ in range(40):
        g, h, gg, hh, gh = differ(slope, offset)
        size = 1 / (gg * hh - gh * gh)
        step = (size * (hh * g - gh * h), size * (gg * h - gh * g))
        while (abs(step[0]) + abs(step[1]) > 1e-9 and
               cost(slope - step[0], offset - step[1]) > cost(slope, offset)):
            step = (step[0] / 2, step[1] / 2)
        slope, offset = slope - step[0], offset - step[1]
    return slope, offset


def trust(positives, negatives):
    """The part of a fit that counts."""
    n = 1 / (1 / len(positives) + 1 / len(negatives))
    return n / (n + 4)


def fit(positives, negatives, part):
    """The offset of a label alone: part of the way to where the line crosses
    0."""
    slope, offset = fit_line(positives, negatives)
    return part * offset / max(slope, .05)


def measure(positives, negatives, threshold):
    chances = [logistic(x) for x in positives + negatives]
    right = [True] * len(positives) + [False] * len(negatives)
    weights = [.5 / len(positives if ok else negatives) for ok in right]
    gaps = {}
    for p, ok, w in zip(chances, right, weights):
        # the number of its bin
        at = [n for n, _, _ in bins_of([p], [ok])].index(1)
        gaps[at] = gaps.get(at, 0) + w * (ok - p)
    return {
        "auroc": auroc(positives, negatives),
        "log-loss": sum(w * softplus(-x if ok else x) for x, ok, w in zip(
            positives + negatives, right, weights)),
        "error": sum(w * logistic(-x if ok else x) for x, ok, w in zip(
            positives + negatives, right, weights)),
        "ece": sum(map(abs, gaps.values())),
        "found": sum(logistic(x) >= threshold for x in positives),
        "false-alarms": sum(logistic(x) >= threshold for x in negatives),
    }


def leave_one_out(positives, negatives, part):
    return ([x + fit(positives[:i] + positives[i + 1:], negatives, part)
             for i, x in enumerate(positives)],
            [x + fit(positives, negatives[:i] + negatives[i + 1:], part)
             for i, x in enumerate(negatives)])


def gain(before, after):
    """In expected error, and its standard error: [positives, negatives]."""
    sides = [[logistic(-s * b) - logistic(-s * a) for b, a in zip(*both)]
             for s, both in zip((1, -1), zip(before, after))]
    return (sum(map(statistics.mean, sides)) / 2,
            math.sqrt(sum(statistics.variance(s) / len(s) for s in sides)) / 2)


def choose(positives, negatives):
    """The part of a fit that counts, and what it gives by leave-one-out."""
    before = positives, negatives
    part = trust(*before)
    found = leave_one_out(*before, part)
    more = leave_one_out(*before, (1 + part) / 2)
    won, error = gain(before, found)
    further, of_further = gain(found, more)
    print(f"# gain {won:.4f} ± {error:.4f}, then {further:.4f} ± "
          f"{of_further:.4f}")
    if won > error and further > of_further and further >= .01:
        return (1 + part) / 2, more
    return part, found


def check_near(found, expected, what, limit):
    print(f"# {what}: {found}, expected {expected:.7g} within {limit}")
    assert abs(found - expected) <= limit, what


def fits_the_offset_that_python_fits(folder):
    squares, others = draw_examples(folder)
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    status, out, err = run(labels, "--label", "square thing", "--json",
                           "--positive", *squares, "--negative", *others)
    assert status == 0, err
    report = json.loads(out)
    both = [weigh(squares), weigh(others)]
    part, left_out = choose(*both)
    check_near(report["trust"], part, "trust", 1e-8)
    check_near(report["label-offset"], fit(*both, part), "offset", 1e-3)
    found = gain(both, left_out)
    check_near(report["gain"], found[0], "gain", 1e-3)
    check_near(report["gain-error"], found[1], "its standard error", 1e-3)
    assert found[0] > found[1]
    for key, sides in (("before", both), ("after", left_out)):
        for name, value in measure(*sides, .3).items():
            check_near(report[key][name], value, f"{key}, {name}", 1e-3)
    assert report["written"] and report["threshold"] == .3
    assert (report["positives"], report["negatives"]) == (10, 15)
    assert (report["slope"], report["offset"]) == (1, 0)


def goes_further_where_that_gains(folder):
    """Red squares are not meant: the offset is far."""
    squares, others = draw_examples(folder, 5, ["blue square", "yellow square"],
                                    ["red square", "green circle"])
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    status, out, err = run(labels, "--label", "square thing", "--json",
                           "--positive", *squares, "--negative", *others)
    assert status == 0, err
    report = json.loads(out)
    both = [weigh(squares), weigh(others)]
    part, left_out = choose(*both)
    assert part > trust(*both) + .1
    check_near(report["trust"], part, "trust", 1e-8)
    check_near(report["label-offset"], fit(*both, part), "offset", 1e-3)
    check_near(report["gain"], gain(both, left_out)[0], "gain", 1e-3)
    for name, value in measure(*left_out, .3).items():
        check_near(report["after"][name], value, name, 1e-3)


def leaves_what_gains_no_more_than_chance(folder):
    """A label that is not what its words say: the log loss is far less."""
    squares, others = draw_examples(folder, 3, ["green circle", "yellow square"],
                                    ["red square", "red triangle"])
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    status, out, err = run(labels, "--label", "square thing", "--json",
                           "--positive", *squares, "--negative", *others)
    report = json.loads(out)
    both = [weigh(squares), weigh(others)]
    _, left_out = choose(*both)
    won, error = gain(both, left_out)
    assert 0 < won < error, "the examples are of no use"
    assert (report["after"]["log-loss"] < report["before"]["log-loss"] - .01)
    check_near(report["gain"], won, "gain", 1e-3)
    check_near(report["gain-error"], error, "its standard error", 1e-3)
    assert status == 1 and "no better (expected error" in err, err
    assert not report["written"] and labels.read_text() == TEXT


def changes_nothing_else_in_the_file(folder):
    squares, others = draw_examples(folder)
    examples = ("--positive", folder / "squares", "--negative", *others)
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    labels.chmod(0o640)
    (folder / "link.json").symlink_to("labels.json")
    status, out, err = run(folder / "link.json", "--label", "square thing",
                           "--json", *examples)
    assert status == 0, err
    report = json.loads(out)
    assert (folder / "link.json").is_symlink()
    assert labels.stat().st_mode & 0o777 == 0o640
    text = labels.read_text()
    number = f'{report["label-offset"]:.9g}'
    calibration = (
        ', "calibration": {"slope": 1, "offset": 0, "model": '
        f'"{report["model-fingerprint"]}", "mode": "exclusive"}}')
    assert text == TEXT.replace(
        '"threshold": 0.3', f'"threshold": 0.3, "offset": {number}').replace(
        '"a star"]', f'"a star"]{calibration}'), text
    # A second run measures what the first has written, and gains nothing.
    status, out, err = run(labels, "--label", "square thing", "--json",
                           *examples)
    assert status == 1 and "no better" in err, err
    again = json.loads(out)
    assert again["label-offset"] == report["label-offset"]
    assert again["before"]["error"] < report["before"]["error"]
    assert not again["written"] and labels.read_text() == text
    # A name alone, in a list alone.
    labels.write_text('["a red circle",\n "a \\"box\\", a square" ]\n')
    status, out, err = run(labels, "--label", 'a "box", a square', *examples)
    assert status == 0, err
    assert re.fullmatch(
        r'\{"labels": \["a red circle",\n \{"name": "a \\"box\\", a square", '
        r'"offset": -?[\d.]+\} \],\n "calibration": \{[^{}]*\}\}\n',
        labels.read_text()), labels.read_text()


def fits_a_slope_only_from_twenty_on(folder):
    squares, others = draw_examples(folder)
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    args = (labels, "--label", "square thing", "--slope", "--json")
    status, out, err = run(*args, "--positive", *squares, "--negative",
                           *others[:9])
    assert status == 1 and "19 examples" in err and "20" in err, err
    assert labels.read_text() == TEXT
    status, out, err = run(*args, "--positive", *squares, "--negative",
                           *others, "--dry-run")
    report = json.loads(out)
    assert labels.read_text() == TEXT and not report["written"]
    assert report["slope"] != 1
    slope, offset = fit_line(weigh(squares), weigh(others))
    check_near(report["slope"], slope, "slope", 1e-3)
    check_near(report["label-offset"], offset, "offset", 1e-3)


def takes_videos(folder):
    need_elements("decodebin", "avidemux")
    squares, others = draw_examples(folder, 1)
    rng = new_rng(1)
    for i in range(2):
        write_avi(folder / "squares" / f"{i}.avi",
                  [draw("green square", rng)] * 3)
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    status, out, err = run(labels, "--label", "square thing", "--json",
                           "--dry-run", "--positive", folder / "squares",
                           "--negative", folder / "others")
    report = json.loads(out)
    assert (report["positives"], report["negatives"]) == (4, 3), (report, err)


def move(vector, mean, share):
    moved = [(1 - share) * a + share * b for a, b in zip(vector, mean)]
    length = math.sqrt(dot(moved, moved))
    return [x / length for x in moved]


class Moved:
    """The log-odds of the label with its vector moved towards examples."""

    def __init__(self, squares, others):
        self.plain = [weigh(squares), weigh(others)]
        found = embed(PE_EMBED, texts=LABELS["square thing"],
                      images=[*squares, *others])
        self.label = mean_unit([found["text", t]
                                for t in LABELS["square thing"]])
        self.images = [[found["image", str(p)] for p in paths]
                       for paths in (squares, others)]

    def weigh(self, share, without=None):
        mean = mean_unit([v for i, v in enumerate(self.images[0])
                          if i != without])
        moved = move(self.label, mean, share)
        return [[x + SCALE * (dot(moved, v) - dot(self.label, v))
                 for x, v in zip(*side)]
                for side in zip(self.plain, self.images)]

    def leave_one_out(self, share):
        """The line is that of the share, and counts in part, as the share."""
        sides = [[], []]
        part = trust(*self.plain)
        for kind in range(2):
            for i in range(len(self.images[kind])):
                without = i if kind == 0 else None
                both = self.weigh(share, without)
                both[kind].pop(i)
                own = self.weigh(part * share, without)[kind][i]
                sides[kind].append(own + fit(*both, part))
        return sides


def moves_the_vector_as_python_does(folder):
    squares, others = draw_examples(folder, 3)
    moved = Moved(squares, others)
    losses = {share: measure(*moved.leave_one_out(share), .3)["error"]
              for share in (0, .05, .1, .15, .2, .25)}
    print(f"# {losses}")
    share = min(losses, key=losses.get)
    assert share > 0, "the examples show nothing"
    part = trust(*moved.plain)
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    args = (labels, "--label", "square thing", "--json", "--positive",
            *squares, "--negative", *others)
    status, out, err = run(*args, "--class-vector")
    assert status == 0, err
    report = json.loads(out)
    check_near(report["image-weight"], part * share, "share", 1e-8)
    check_near(report["label-offset"], fit(*moved.weigh(share), part),
               "offset", 1e-3)
    for name, value in measure(*moved.leave_one_out(share), .3).items():
        check_near(report["after"][name], value, f"after, {name}", 1e-3)
    # The file has it, and everything else as it was.
    written = json.loads(labels.read_text())
    label = written["labels"][0]
    data = base64.b64decode(label.pop("vector"))
    for found, expected in zip(struct.unpack(f"<{len(data) // 4}f", data),
                               mean_unit(moved.images[0])):
        assert abs(found - expected) < 1e-5
    check_near(label.pop("image-weight"), part * share, "share", 1e-8)
    assert label.pop("offset") and written.pop("calibration")
    assert written.pop("model") == report["model-fingerprint"]
    assert written == json.loads(TEXT)
    # What the library makes of it is what was meant.
    again = json.loads(run(*args, "--dry-run")[1])
    offset = report["label-offset"]
    expected = measure(*[[x + offset for x in side]
                         for side in moved.weigh(part * share)], .3)
    for name, value in expected.items():
        check_near(again["before"][name], value, f"again, {name}", 1e-3)
    status, out, err = run(*args, "--class-vector")
    assert (status, out) == (1, "") and "has a vector" in err, err


def leaves_a_vector_that_gets_no_better(folder):
    """Without the option, and where the examples say nothing."""
    squares, others = draw_examples(folder, 2)
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    args = (labels, "--label", "square thing", "--json", "--dry-run")
    report = json.loads(run(*args, "--positive", *squares, "--negative",
                            *others)[1])
    assert report["image-weight"] == 0
    mixed = [*squares, *others]
    moved = Moved(mixed[::2], mixed[1::2])
    losses = [measure(*moved.leave_one_out(s), .3)["error"]
              for s in (0, .05, .1, .15, .2, .25)]
    print(f"# {losses}")
    status, out, err = run(*args, "--class-vector", "--positive", *mixed[::2],
                           "--negative", *mixed[1::2])
    assert status == 1, (out, err)
    if out:
        assert json.loads(out)["image-weight"] == 0


def takes_moments_of_videos(folder):
    """A clip that shows one picture all the time is that picture."""
    need_elements("decodebin", "avidemux")
    rng, kinds = new_rng(9), {"positive": ["red square", "blue square",
                                           "green square"],
                              "negative": ["red triangle", "green circle",
                                           "yellow triangle", "blue circle"]}
    pictures, moments, frames = {}, {}, []
    video = folder / "all@3.avi"
    for kind, names in kinds.items():
        pictures[kind], moments[kind] = [], []
        for name in names:
            pixels = draw(name, rng)
            pictures[kind].append(folder / f"{name}@7.png")
            write_png(pictures[kind][-1], pixels)
            # 5 s at 10 frames a second, of which a clip is 4
            middle = len(frames) / 10 + 2.5
            moments[kind].append(f"{video}@{middle:g}" if middle < 20 else
                                 f"{video}@0:{middle:04.1f}")
            frames += [pixels] * 50
    write_avi(video, frames)
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    reports = []
    for examples in (pictures, moments):
        _, out, err = run(labels, "--label", "square thing", "--json",
                          "--dry-run", "--positive", *examples["positive"],
                          "--negative", *examples["negative"])
        assert out, err
        reports.append(json.loads(out))
    of_pictures, of_moments = reports
    assert (of_moments["positives"], of_moments["negatives"]) == (3, 4)
    check_near(of_moments["label-offset"], of_pictures["label-offset"],
               "offset", 1e-3)
    for key in ("before", "after"):
        for name, value in of_pictures[key].items():
            check_near(of_moments[key][name], value, f"{key}, {name}", 1e-3)
    # The first sample shows a square: the time counts.
    args = (labels, "--label", "square thing", "--json", "--dry-run",
            "--negative")
    moved = json.loads(run(*args, f"{video}@16.6", *moments["negative"][1:],
                           "--positive", *moments["positive"])[1])
    moved = abs(moved["before"]["error"] - of_pictures["before"]["error"])
    print(f"# {moved} by one sample")
    assert moved > 2e-3
    args = (*args, *moments["negative"], "--positive")
    for words, positives in [
            (["all@3.avi", "2.500 and 6.000 s share frames", "4 s apart"],
             [f"{video}@2.5", f"{video}@6"]),
            (["all@3.avi", "a whole and at a time"], [f"{video}@2.5", video]),
            (["all@3.avi", "ends before 98", "1 of 6 examples"],
             [f"{video}@2.5", f"{video}@100"]),
            (["none.avi", "no such file"],
             [f"{video}@2.5", folder / "none.avi@1"]),
            (["all@3.avi@1:x: "],
             [f"{video}@2.5", f"{video}@1:x"])]:
        status, out, err = run(*args, *positives)
        assert (status, out) == (1, ""), (words, out)
        for word in words:
            assert word in err, (word, err)


def needs_no_texts_of_a_model_without_them(folder):
    squares, others = draw_examples(folder)
    model = folder / "eyes.safetensors"
    subprocess.run([PE_MODEL, "convert", DEMO, model, "--vision-only",
                    "--precision", "fp32"], check=True, capture_output=True)
    labels = folder / "labels.json"
    shown = {"labels": [{"name": "square thing",
                         "images": [str(p) for p in squares[::5]]}],
             "negatives": [{"name": "other", "images": [str(others[0])]}]}
    labels.write_text(json.dumps(shown))
    args = (labels, "--label", "square thing", "--json", "--dry-run",
            "--positive", *squares, "--negative", *others)
    with_texts, without = (json.loads(run(*more, *args)[1])
                           for more in ((), ("--model", model)))
    # The scale of its logits is another, and so all but what is only compared.
    for name in ("auroc", "found", "false-alarms"):
        check_near(without["before"][name], with_texts["before"][name], name,
                   1e-2)
    shown["negatives"].append("a wall")
    labels.write_text(json.dumps(shown))
    status, out, err = run("--model", model, *args)
    assert (status, out) == (1, ""), out
    assert 'the label "a wall" is a text' in err and "text tower" in err, err


def says_what_is_missing(folder):
    squares, others = draw_examples(folder)
    labels = folder / "labels.json"
    labels.write_text(TEXT)
    for args in [(), (labels,), (labels, "--label", "a"),
                 (labels, "--label", "a", "--positive", "b"),
                 (labels, "c", "--label", "a", "--positive", "b",
                  "--negative", "c"),
                 (labels, "--label", "a", "--positive", "b", "--negative", "c",
                  "--threshold", "1")]:
        status, out, err = run(*args)
        assert (status, out) == (2, ""), (args, status, out)
        assert "--help" in err, err
    bad = folder / "bad.png"
    bad.write_text("no picture")
    two, more = squares[:2], others[:2]
    for words, label, positives, negatives in [
            (["1 positive", "2 negative", "2 of each"], "square thing",
             squares[:1], more),
            (["2 positive", "1 negative"], "square thing", two, others[:1]),
            (["bad.png: ", "1 of 5 examples", "--skip-bad"], "square thing",
             [*two, bad], more),
            ([squares[0].name, "twice"], "square thing",
             [*two, squares[0]], more),
            ([squares[0].name, "twice"], "square thing", two,
             [*more, squares[0]]),
            (["labels.json", "a cow"], "a cow", two, more)]:
        status, out, err = run(labels, "--label", label, "--positive",
                               *positives, "--negative", *negatives)
        assert status == 1 and not out, (words, out, err)
        for word in words:
            assert word in err, (word, err)
        assert labels.read_text() == TEXT
    assert run(labels, "--label", "square thing", "--skip-bad", "--dry-run",
               "--positive", *two, bad, "--negative", *more)[1]
    (folder / "labels.txt").write_text("a square\na circle\n")
    status, _, err = run(folder / "labels.txt", "--label", "a square",
                         "--positive", *two, "--negative", *more)
    assert status == 1 and "is not JSON" in err, err


def refuses_a_calibration_of_another_model(folder):
    squares, others = draw_examples(folder)
    labels = folder / "labels.json"
    other = TEXT.replace('"a red circle"]', (
        '{"name": "a red circle", "offset": 2.5}],\n "calibration": '
        '{"slope": 3, "offset": 1, "model": "0123456789abcdef"}'))
    labels.write_text(other)
    args = (labels, "--label", "square thing", "--json", "--positive",
            *squares, "--negative", *others)
    status, out, err = run(*args)
    assert status == 1 and "another model" in err and "--fresh" in err, err
    assert labels.read_text() == other
    status, out, err = run(*args, "--fresh")
    assert status == 0, err
    both = [weigh(squares), weigh(others)]
    check_near(json.loads(out)["label-offset"], fit(*both, choose(*both)[0]),
               "offset", 1e-3)
    found = json.loads(labels.read_text())
    assert found["labels"][1]["offset"] == 0
    assert found["calibration"]["slope"] == 1


if __name__ == "__main__":
    sys.exit(run_tests([
        fits_the_offset_that_python_fits, goes_further_where_that_gains,
        leaves_what_gains_no_more_than_chance, changes_nothing_else_in_the_file,
        fits_a_slope_only_from_twenty_on, takes_videos,
        takes_moments_of_videos, moves_the_vector_as_python_does,
        leaves_a_vector_that_gets_no_better,
        needs_no_texts_of_a_model_without_them, says_what_is_missing,
        refuses_a_calibration_of_another_model,
    ], Folder))
