# SPDX-License-Identifier: LGPL-2.1-or-later
"""Batches for training: pictures with light changes, captions and their truth."""

from __future__ import annotations

import queue
import random
import threading
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import captions as cp
from vocab import Tokenizer

MAX_SHIFT = 5  # pixels


def normalise(images: Tensor) -> Tensor:
    """uint8 [n, h, w, 3] to the model's input [n, 3, h, w] in [-1, 1]."""
    return (images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


def augment(pixels: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, tint and grain: less than what would change a caption's truth.

    `noise` is a bank of normal noise [n, 3, h, w], dealt out anew each time.
    """
    n, size = len(pixels), pixels.shape[-1]
    padded = F.pad(pixels, [MAX_SHIFT] * 4, mode="replicate")
    shift = torch.randint(0, 2 * MAX_SHIFT + 1, (n, 2), generator=generator).tolist()
    out = torch.stack([p[:, y : y + size, x : x + size] for p, (y, x) in zip(padded, shift)])
    gain = 1 + 0.06 * (2 * torch.rand(n, 3, 1, 1, generator=generator) - 1)
    grain = 0.06 * torch.rand(n, 1, 1, 1, generator=generator) ** 2
    dealt = noise[torch.randperm(n, generator=generator)]
    return ((out + 1) * gain - 1).addcmul_(grain, dealt).clamp_(-1, 1)


class Batches:
    """Endless batches, every picture once an epoch, in an order set by the seed."""

    def __init__(
        self, folder: Path, tokenizer: Tokenizer, context: int, size: int, per_image: int, seed: int
    ) -> None:
        self.images = np.load(folder / "images.npy", mmap_mode="r")
        self.attrs = np.load(folder / "attrs.npy")
        self.tokenizer, self.context = tokenizer, context
        self.size, self.per_image = size, per_image
        self.numpy = np.random.default_rng(seed)
        self.python = random.Random(seed)
        self.torch = torch.Generator().manual_seed(seed)
        self.noise = torch.randn(size, 3, *self.images.shape[1:3], generator=self.torch)
        self.order = np.zeros(0, np.int64)

    def indices(self) -> np.ndarray:
        if len(self.order) < self.size:
            self.order = self.numpy.permutation(len(self.images))
        picked, self.order = self.order[: self.size], self.order[self.size :]
        return np.sort(picked)

    def next(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Pixels [b, 3, s, s], ids [t, context], truth and unknown [b, t] bool,
        attributes [b, a].

        Texts are distinct; a caption may be true of several pictures.
        """
        index = self.indices()
        attrs = self.attrs[index]
        claims: dict[str, cp.Claim] = {}
        for row in attrs.tolist():
            for _ in range(self.per_image):
                text, claim = cp.caption(self.python, row)
                claims[text] = claim
        ids = torch.from_numpy(self.tokenizer.batch(list(claims), self.context))
        rows = np.array(list(claims.values()), np.uint8)
        truth = torch.from_numpy(cp.truth(rows, attrs))
        unknown = torch.from_numpy(cp.unknown(rows, attrs))
        pixels = augment(normalise(torch.from_numpy(self.images[index])), self.noise, self.torch)
        return pixels, ids, truth, unknown, torch.from_numpy(attrs).long()

    def __iter__(self):
        """Batches made ahead by a thread, in the order of next()."""
        ready: queue.Queue = queue.Queue(maxsize=3)

        def work() -> None:
            while True:
                ready.put(self.next())

        threading.Thread(target=work, daemon=True).start()
        while True:
            yield ready.get()
