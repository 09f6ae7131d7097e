#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a few examples bring to labels in other words: few_examples.py PE_EMBED

The demo model looks for 12 drawn things, which are asked for in 9 other wordings,
in both modes. Each label gets what pe-calibrate fits to 5 + 20 pictures, in 5 draws
of them, and is then asked about fresh ones: 200 of its thing and 200 of each other.
The error is the mean of missed and false alarms at a score of 0.5. Three ways are
compared: the offset alone, the label's vector moved towards the examples without an
offset, and both, which is pe-calibrate --class-vector. It is a drawn domain: the
order is evidence, the digits are not PE-Core's. Needs NumPy.
"""

import argparse
import pathlib
import random
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "tools"))

from eval_data import NAMES, draw, embed, write_png  # noqa: E402

SCALE = 29.511076  # of the demo model
NEGATIVES = ["a white screen", "a star", "a forest"]
WORDINGS = ["{c} {s}", "a large {s} of {c}", "something {c}, maybe a {s}", "{s}",
            "the {s} is {c}", "{c} shape with the form of a {s}", "{c} thing",
            "a picture with a {s} that is {c}", "one {c} {s} on the left"]
OTHER_WORDINGS = ["{s}, {c}", "an object: {c} {s}", "a {c} sign like a {s}",
                  "two {c} {s}s", "a {c} {s} in the corner", "a {s} in {c}",
                  "there is a {c} {s} here", "{c} coloured {s}",
                  "I see a {s}, it looks {c}"]
SHOWN, OTHERS = 5, 20  # examples
POOL = 60              # pictures of each thing, of which examples are drawn
SHARES = [.05, .1, .15, .2, .25]
WAYS = ["offset", "vector", "both"]


# ---- The fit of pe-calibrate -----------------------------------------------

def logistic(x):
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))


def fit(evidence, counts):
    """Where lines cross 0, of many fits at once: see tools/calibrate/fit.h.

    evidence [n, examples], the first SHOWN of which are positive; counts [n,
    examples] has 0 for examples that are left out and 1 for the others
    """
    y = np.where(np.arange(evidence.shape[1]) < SHOWN, 1., -1.)
    sides = [np.where(y == s, counts, 0) for s in (1, -1)]
    w = sum(s * counts.sum(1, keepdims=True) / 2 / s.sum(1, keepdims=True)
            for s in sides)

    def cost(r, q):
        loss = np.logaddexp(0, -y * (r[:, None] * evidence + q[:, None]))
        return q * q / 200 + (r - 1) ** 2 / 20 + (w * loss).sum(1)
    r, q = np.ones(len(evidence)), np.zeros(len(evidence))
    least = cost(r, q)
    for _ in range(100):
        p = logistic(r[:, None] * evidence + q[:, None])
        slack, curve = w * (p - (y > 0)), w * p * (1 - p)
        g_r = (r - 1) / 10 + (slack * evidence).sum(1)
        g_q = q / 100 + slack.sum(1)
        h_r = .1 + (curve * evidence ** 2).sum(1)
        h_q, h = .01 + curve.sum(1), (curve * evidence).sum(1)
        det = h_r * h_q - h * h
        d_r, d_q = (h_q * g_r - h * g_q) / det, (h_r * g_q - h * g_r) / det
        for _ in range(30):
            worse = cost(r - d_r, q - d_q) > least
            if not worse.any():
                break
            d_r, d_q = np.where(worse, d_r / 2, d_r), np.where(worse, d_q / 2, d_q)
        better = cost(r - d_r, q - d_q) <= least
        r, q = np.where(better, r - d_r, r), np.where(better, q - d_q, q)
        least = np.minimum(least, cost(r, q))
        if max(abs(d_r * better).max(), abs(d_q * better).max()) < 1e-9:
            break
    return q / np.maximum(r, .05)


class Draws:
    """One label's examples, some draws of them at once."""

    def __init__(self, label, evidence, pictures):
        """label [dim]; evidence [draws, examples]; pictures [draws, examples,
        dim]"""
        self.label, self.evidence, self.pictures = label, evidence, pictures
        m = 1 / (1 / SHOWN + 1 / OTHERS)
        self.trust = m / (m + 4)
        self.offsets = fit(evidence, np.ones_like(evidence))
        self.left_out = self.leave_one_out(0, True)  # with the offset alone

    def move(self, share, without=None):
        """The label's vectors [draws, dim] and what examples get from them."""
        sums = self.pictures[:, :SHOWN].sum(1)
        if without is not None and without < SHOWN:
            sums = sums - self.pictures[:, without]
        means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        moved = (1 - share) * self.label + share * means
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        change = np.einsum("dek,dk->de", self.pictures, moved - self.label)
        return moved, self.evidence + SCALE * change

    def leave_one_out(self, share, with_offset):
        """What each example gets from the others [draws, examples]."""
        n = self.evidence.shape[1]
        out = np.empty_like(self.evidence)
        rows, counts = [], []
        for i in range(n):
            out[:, i] = self.move(self.trust * share, i)[1][:, i]
            rows.append(self.move(share, i)[1])
            counts.append(np.tile(np.arange(n) != i, (len(out), 1)))
        if with_offset:
            offsets = fit(np.concatenate(rows), np.concatenate(counts) * 1.)
            out += self.trust * offsets.reshape(n, -1).T
        return out

    def fit_offset(self):
        """The part of the offset that counts, and what each example gets by
        leave-one-out [draws, examples]."""
        ok = self.is_better(self.left_out)
        full = (self.left_out - self.evidence) / self.trust
        further = (1 + self.trust) / 2
        more = self.evidence + further * full
        step, error = self.compare(self.left_out, more)
        goes_on = ok & (step > error) & (step >= .01)
        return (np.where(goes_on, further, np.where(ok, self.trust, 0)),
                np.where(goes_on[:, None], more, self.left_out))

    def lose(self, evidence):
        """The expected error of each example."""
        y = np.where(np.arange(evidence.shape[1]) < SHOWN, 1, -1)
        return logistic(-y * evidence)

    def compare(self, before, after):
        """The gain and its standard error."""
        gains = self.lose(before) - self.lose(after)
        sides = gains[:, :SHOWN], gains[:, SHOWN:]
        return (sum(s.mean(1) for s in sides) / 2,
                sum(s.var(1, ddof=1) / s.shape[1] for s in sides) ** .5 / 2)

    def is_better(self, evidence):
        gain, error = self.compare(self.evidence, evidence)
        return gain > error

    def choose(self, with_offset, otherwise, left_out_then):
        """(share, offset) of each draw, with the best share.

        otherwise: the same, where none is better, and what examples get then
        """
        zero = self.left_out if with_offset else self.evidence
        best, evidence = np.zeros(len(zero)), zero
        offsets = self.offsets if with_offset else np.zeros(len(zero))
        for share in SHARES:
            left_out = self.leave_one_out(share, with_offset)
            less = self.compare(evidence, left_out)[0] > 0
            best = np.where(less, share, best)
            evidence = np.where(less[:, None], left_out, evidence)
            if with_offset:
                moved = self.move(share)[1]
                offsets = np.where(less, fit(moved, np.ones_like(moved)), offsets)
        use = ((best > 0) & self.is_better(evidence)
               & (self.compare(left_out_then, evidence)[0] > 0))
        return (np.where(use, self.trust * best, otherwise[0]),
                np.where(use, self.trust * offsets, otherwise[1]))

    def fit_all(self):
        """way -> (share, offset) of each draw, as pe-calibrate writes them."""
        none = np.zeros(len(self.evidence))
        part, left_out = self.fit_offset()
        alone = none, part * self.offsets
        return {"offset": alone,
                "vector": self.choose(False, (none, none), self.evidence),
                "both": self.choose(True, alone, left_out)}


# ---- Fresh pictures --------------------------------------------------------

def count_wrong(shown, others):
    """The error of evidence for fresh pictures, and which are wrong."""
    missed, false = shown < 0, others >= 0
    return (missed.mean() + false.mean()) / 2, (missed, false)


def differ(wrong, now_wrong):
    """The standard error of how the error changed, on the same pictures."""
    return .5 * sum((b.astype(float) - a).var() / len(a)
                    for a, b in zip(wrong, now_wrong)) ** .5


def weigh(logits, label, mode):
    """The evidence for a label [pictures]; logits [pictures, texts]."""
    rest = np.delete(logits, label, 1)
    if mode == "independent":
        rest = rest[:, len(NAMES) - 1:]
    return logits[:, label] - np.logaddexp.reduce(rest, axis=1)


def ask(pictures, vector, evidence, label, rng, n_draws):
    """Rows (before, way -> (after, standard error of the change)).

    pictures [things, pictures, dim]; evidence [things, pictures]
    """
    others = np.arange(len(NAMES)) != label
    pools = [(x[label, :POOL], x[others, :POOL].reshape(-1, *x.shape[2:]))
             for x in (pictures, evidence)]
    drawn = [[rng.permutation(len(side))[:n] for _ in range(n_draws)]
             for side, n in zip(pools[0], (SHOWN, OTHERS))]
    examples = [np.concatenate([x[0][drawn[0]], x[1][drawn[1]]], 1)
                for x in pools]
    found = Draws(vector, examples[1], examples[0])
    fits = found.fit_all()
    fresh = [(x[label, POOL:], x[others, POOL:].reshape(-1, *x.shape[2:]))
             for x in (pictures, evidence)]
    before, wrong = count_wrong(*fresh[1])
    for i in range(n_draws):
        row = {}
        for way, (shares, offsets) in fits.items():
            step = SCALE * (found.move(shares[i])[0][i] - vector)
            after, now_wrong = count_wrong(*(
                e + v @ step + offsets[i] for v, e in zip(*fresh)))
            row[way] = after, differ(wrong, now_wrong)
        yield before, row


# ---- Report ----------------------------------------------------------------

def summarize(before, after, errors):
    """Of a case: before, after [labels, draws], in percent."""
    change = after - before
    means = change.mean(1)
    return {"after": after.mean(),
            "error": means.std(ddof=1) / len(means) ** .5,
            "less": 1 - after.mean() / before.mean(),
            "worst": change.max(), "worst_label": means.max(),
            "worse": int((change > 1).sum()),
            "surely": int((change - 1.645 * errors > 1).sum())}


def print_case(name, before, found):
    cells = [f"{s['after']:.2f} ± {s['error']:.2f} | {100 * s['less']:.0f} % | "
             f"{s['worst']:+.1f} | {s['worse']}" for s in found.values()]
    print(f"| {name} | {before:.2f} | " + " | ".join(cells) + " |", flush=True)


def print_sums(cases, n_fits):
    print("\n| | " + " | ".join(WAYS) + " |\n|---" + "|--:" * 3 + "|")
    lines = {
        f"wordings and modes of {len(cases)} with 30 % less error":
            lambda s: sum(x["less"] >= .3 for x in s),
        "with more error, beyond 1 point":
            lambda s: sum(x["less"] < 0 and x["after"] - x["after"] / (
                1 - x["less"]) > 1 for x in s),
        "mean of less error": lambda s: "{:.0f} %".format(
            100 * np.mean([x["less"] for x in s])),
        f"fits of {n_fits} that lost more than 1 point":
            lambda s: sum(x["worse"] for x in s),
        "of these, beyond what fresh pictures can err":
            lambda s: sum(x["surely"] for x in s),
        "worst fit, points": lambda s: f"{max(x['worst'] for x in s):+.1f}",
        "worst label, mean of its draws":
            lambda s: f"{max(x['worst_label'] for x in s):+.2f}",
    }
    for name, count in lines.items():
        print(f"| {name} | " + " | ".join(
            str(count([case[way] for case in cases])) for way in WAYS) + " |")


def make_pictures(pe_embed, seed, n_fresh):
    """[things, pictures, dim]"""
    rng, n = random.Random(seed), POOL + n_fresh
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            paths = [pathlib.Path(folder) / f"{name}-{i}.png" for i in range(n)]
            for path in paths:
                write_png(path, draw(name, rng))
            vectors = embed(pe_embed, images=paths)
            found.append([vectors["image", str(p)] for p in paths])
    return np.array(found, float)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("pe_embed")
    parser.add_argument("--draws", type=int, default=5, help="of the examples")
    parser.add_argument("--fresh", type=int, default=200,
                        help="pictures of each thing that are asked about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--other-wordings", action="store_true",
                        help="9 others, of which 5 decided nothing")
    args = parser.parse_args()
    pictures = make_pictures(args.pe_embed, args.seed, args.fresh)
    flat = pictures.reshape(-1, pictures.shape[2])
    print("| wording | mode | before | " + " | ".join(
        f"{way} | less | worst | > 1" for way in WAYS) + " |")
    print("|---|---" + "|--:" * (1 + 4 * len(WAYS)) + "|")
    cases = []
    for wording in OTHER_WORDINGS if args.other_wordings else WORDINGS:
        texts = [wording.format(c=n.split()[0], s=n.split()[1]) for n in NAMES]
        found = embed(args.pe_embed, texts=texts + NEGATIVES)
        vectors = np.array([found["text", t] for t in texts + NEGATIVES], float)
        logits = SCALE * flat @ vectors.T
        for mode in ("exclusive", "independent"):
            rows = [list(ask(
                pictures, vectors[k], weigh(logits, k, mode).reshape(
                    pictures.shape[:2]), k, np.random.default_rng(
                        [args.seed, k]), args.draws)) for k in range(len(NAMES))]
            before = 100 * np.array([[b for b, _ in row] for row in rows])
            case = {}
            for way in WAYS:
                after, errors = 100 * np.array(
                    [[r[way] for _, r in row] for row in rows]).transpose(2, 0, 1)
                case[way] = summarize(before, after, errors)
            print_case(f"{wording} | {mode}", before.mean(), case)
            cases.append(case)
    print_sums(cases, len(cases) * len(NAMES) * args.draws)


if __name__ == "__main__":
    main()
