# SPDX-License-Identifier: LGPL-2.1-or-later
"""Safetensors files, for tests in Python."""

import json
import pathlib
import struct


def read_safetensors(path):
    """name -> (dtype, shape, bytes), and the metadata. Between tensors must be
    nothing."""
    data = pathlib.Path(path).read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    body = data[8 + size:]
    end = 0
    tensors = {}
    for name, entry in header.items():
        begin, stop = entry["data_offsets"]
        assert begin == end, f"{name}: a hole before it"
        end = stop
        tensors[name] = (entry["dtype"], entry["shape"], body[begin:stop])
    assert end == len(body), "bytes behind the last tensor"
    return tensors, metadata
