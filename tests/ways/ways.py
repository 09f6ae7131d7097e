# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of the ways to save a model: who writes a way enters it here."""

import pathlib
import re
import struct
import sys

import torch_files as tf
from torch_files import Tensor

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from safetensors_file import read_safetensors  # noqa: E402


class Model:
    """The weights that are saved, name -> (dtype, shape, bytes)."""

    def __init__(self, path):
        self.path = path
        self.weights = read_safetensors(path)[0]

    def state(self, prefix="", **how):
        return {prefix + name: Tensor(*weight, **how)
                for name, weight in self.weights.items()}

    def cast(self, dtype, code):
        """A state dictionary of other numbers."""
        state = {}
        for name, (_, shape, data) in self.weights.items():
            values = struct.unpack(f"<{len(data) // 4}f", data)
            if dtype == "BF16":
                data = b"".join(data[i + 2:i + 4]
                                for i in range(0, len(data), 4))
            else:
                data = struct.pack(f"<{len(values)}{code}", *values)
            state[name] = Tensor(dtype, shape, data)
        return state


class Way:
    def __init__(self, name, write, error=None, rounds=False):
        self.name, self.write = name, write
        self.error, self.rounds = error, rounds


WAYS = []


def pt(name, error=None, rounds=False, protocol=2, extra=()):
    """The function makes the object that torch.save() gets."""
    def add(make):
        def way(model):
            def write(folder):
                path = folder / (re.sub(r"\W+", "-", name) + ".pt")
                tf.save(make(model), path, protocol, extra)
                return path
            return Way(name, write, error, rounds)
        WAYS.append(way)
        return make
    return add


def file(name, error=None):
    """The function writes into the folder, and returns what to name."""
    def add(make):
        WAYS.append(lambda model: Way(
            name, lambda folder: make(model, folder), error))
        return make
    return add
