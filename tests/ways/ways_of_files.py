# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files and folders that torch.save() did not write, and broken ones."""

import gzip
import io
import json
import pickle
import re
import zipfile

import torch_files as tf
from ways import file


def beside(m, kind):
    return m.path.with_name(m.path.name.replace(".meta.", f".{kind}."))


def copy_to(path, m):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(m.path.read_bytes())


file("safetensors")(lambda m, folder: m.path)
file("timm's safetensors")(lambda m, folder: beside(m, "timm"))
file("open_clip's safetensors")(lambda m, folder: beside(m, "open_clip"))


@file("safetensors with float8 beside")
def _(m, folder):
    path = folder / "float8.safetensors"
    tf.write_safetensors(path, {**m.weights,
                                "scale": ("F8_E4M3", [2], b"\0\0")})
    return path


@file("safetensors with a weight in float8", error="float8|F8_E4M3")
def _(m, folder):
    path = folder / "float8-weight.safetensors"
    _, shape, data = m.weights["visual.proj"]
    tf.write_safetensors(path, {**m.weights, "visual.proj": (
        "F8_E4M3", shape, data[:len(data) // 4])})
    return path


@file("a folder")
def _(m, folder):
    copy_to(folder / "one" / "model.safetensors", m)
    return folder / "one"


@file("safetensors in several files")
def _(m, folder):
    folder = folder / "shards"
    folder.mkdir()
    names, where = list(m.weights), {}
    for i in range(3):
        file_name = f"model-{i + 1:05}-of-00003.safetensors"
        tf.write_safetensors(folder / file_name,
                             {name: m.weights[name] for name in names[i::3]})
        where.update({name: file_name for name in names[i::3]})
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": where}))
    return folder


@file("the name of a repository in the hub's cache")
def _(m, folder):
    entry = folder / "cache" / "models--facebook--PE-Core-B16-224"
    copy_to(entry / "snapshots" / "0123abcd" / "PE-Core-B16-224.safetensors",
            m)
    (entry / "refs").mkdir()
    (entry / "refs" / "main").write_text("0123abcd")
    return "facebook/PE-Core-B16-224"


file("an entry of the hub's cache")(
    lambda m, folder: folder / "cache" / "models--facebook--PE-Core-B16-224")
file("a name that is not in the cache", error="hf download nobody/nothing")(
    lambda m, folder: "nobody/nothing")


def other_file(name, error, make):
    def write(m, folder):
        path = folder / (re.sub(r"\W+", "-", name) + ".pt")
        path.write_bytes(make(m))
        return path
    file(name, error)(write)


def npz(m):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("visual.proj.npy", b"\x93NUMPY")
    return data.getvalue()


other_file("torch's old format", "old format.*torch.save",
           lambda m: pickle.dumps(0x1950a86a20f9469cfc6c, 2))
other_file("a pickle", "bare pickle.*torch.save", lambda m: pickle.dumps({}))
other_file("gzip", "gzip.*unpack", lambda m: gzip.compress(
    m.path.read_bytes()))
other_file("a pointer of git-lfs", "git lfs pull", lambda m:
           b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
other_file("a web page", "download", lambda m: b"<!DOCTYPE html><html>")
other_file("GGUF", "safetensors", lambda m: b"GGUF\3\0\0\0")
other_file("HDF5", "safetensors", lambda m: b"\x89HDF\r\n\x1a\n")
other_file("arrays of NumPy", "not one of torch.save", npz)
other_file("half a file", "cut short|outside|no entry|directory",
           lambda m: m.path.read_bytes()[:9000])
other_file("nothing", "empty|neither", lambda m: b"")
