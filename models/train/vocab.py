# SPDX-License-Identifier: LGPL-2.1-or-later
"""A byte-level BPE vocabulary in the CLIP text format: trained here, read here.

usage: python3 vocab.py --out FILE.txt [--captions N] [--seed N]

The file has one header line, then one merge "left right" a line. Ids: 256 byte
symbols, the same ended by </w>, one per merge, <start_of_text>, <end_of_text>.
Captions here are plain ASCII, so the cleaning of other scripts is left out.
"""

from __future__ import annotations

import argparse
import collections
import random
import re
from pathlib import Path

import numpy as np

import sampler
from captions import caption

HEADER = "#version: gst-perception-encoder demo vocabulary"
WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


def byte_symbols() -> list[str]:
    """The symbol of each id 0..255, in the order of the CLIP vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + k) for k in range(len(others))]


def pieces(text: str) -> list[str]:
    return WORD.findall(" ".join(text.lower().split()))


def train_merges(counts: dict[str, int], least: int = 2) -> list[tuple[str, str]]:
    """Merge the most frequent pair until no pair occurs `least` times."""
    words = {word: [*word[:-1], word[-1] + "</w>"] for word in counts}
    merges: list[tuple[str, str]] = []
    while True:
        pairs: collections.Counter = collections.Counter()
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            return merges
        # Ties by text, so that the vocabulary does not depend on hash order.
        best, count = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        if count < least:
            return merges
        merges.append(best)
        words = {word: merge_pair(symbols, best) for word, symbols in words.items()}


def merge_pair(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    k = 0
    while k < len(symbols):
        if tuple(symbols[k : k + 2]) == pair:
            out.append(symbols[k] + symbols[k + 1])
            k += 2
        else:
            out.append(symbols[k])
            k += 1
    return out


class Tokenizer:
    def __init__(self, path: str | Path) -> None:
        lines = Path(path).read_text().rstrip("\n").split("\n")
        merges = [tuple(line.split(" ")) for line in lines[1:]]
        symbols = byte_symbols()
        symbols += [s + "</w>" for s in symbols] + ["".join(merge) for merge in merges]
        symbols += ["<start_of_text>", "<end_of_text>"]
        self.ids = {symbol: k for k, symbol in enumerate(symbols)}
        self.rank = {merge: k for k, merge in enumerate(merges)}
        self.size = len(symbols)
        self.start, self.end = self.size - 2, self.size - 1
        self.cache: dict[str, list[int]] = {}

    def piece(self, word: str) -> list[int]:
        if word not in self.cache:
            symbols = [*word[:-1], word[-1] + "</w>"]
            while len(symbols) > 1:
                best = min(
                    zip(symbols, symbols[1:]), key=lambda pair: self.rank.get(pair, len(self.rank))
                )
                if best not in self.rank:
                    break
                symbols = merge_pair(symbols, best)
            self.cache[word] = [self.ids[symbol] for symbol in symbols]
        return self.cache[word]

    def encode(self, text: str, context: int) -> list[int]:
        ids = [self.start, *(i for word in pieces(text) for i in self.piece(word)), self.end][
            :context
        ]
        ids[-1] = self.end
        return ids + [0] * (context - len(ids))

    def batch(self, texts: list[str], context: int) -> np.ndarray:
        return np.array([self.encode(text, context) for text in texts], np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--captions", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng, counts = random.Random(args.seed), collections.Counter()
    draw = np.random.default_rng(args.seed)
    attrs = [sampler.sample(draw, (32, 32))[1] for _ in range(args.captions // 20)]
    for k in range(args.captions):
        counts.update(pieces(caption(rng, attrs[k % len(attrs)])[0]))
    merges = train_merges(counts)
    args.out.write_text("\n".join([HEADER, *(" ".join(merge) for merge in merges)]) + "\n")
    print(f"{args.out}: {len(counts)} words, {len(merges)} merges, {512 + len(merges) + 2} tokens")


if __name__ == "__main__":
    main()
