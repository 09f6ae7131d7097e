#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pe-model from the outside, as a TAP test: check_pe_model.py PE_MODEL DATA

What it writes is read here by a reader of our own, as any other program that
knows safetensors and Meta's names would.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from safetensors_file import read_safetensors  # noqa: E402

PROGRAM, DATA = sys.argv[1], pathlib.Path(sys.argv[2])
TINY = DATA / "checkpoints"


def run(*args):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True,
                          text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def read_sorted(path):
    """The same from a file whose header is in another order than its data."""
    data = pathlib.Path(path).read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (e["dtype"], e["shape"],
                   data[8 + size:][slice(*e["data_offsets"])])
            for name, e in header.items()}


def to_bf16(data):
    """f32 bytes rounded to the nearest bf16, ties to even."""
    words = struct.unpack(f"<{len(data) // 4}I", data)
    return struct.pack(f"<{len(words)}H", *(
        (w + 0x7fff + (w >> 16 & 1)) >> 16 for w in words))


def tells_usage_apart_from_failure(_):
    for args in [(), ("frobnicate",), ("inspect",), ("inspect", "a", "b"),
                 ("inspect", "--frob", "a"), ("convert", "a"),
                 ("convert", "a", "b.pt"), ("check", "a", "-p", "fp7"),
                 ("convert", "a", "b.safetensors", "-p", "int8")]:
        status, out, err = run(*args)
        assert (status, out) == (2, ""), (args, status, out)
        assert "--help" in err, err
    for args in [("inspect", "/nowhere.pt"), ("check", "/nowhere.pt"),
                 ("convert", "/nowhere.pt", "/nowhere.safetensors")]:
        status, out, err = run(*args)
        assert (status, out) == (1, ""), (args, status, out)
        assert "/nowhere.pt" in err, err
    for args in [("--help",), ("inspect", "--help"), ("check", "-h")]:
        status, out, _ = run(*args)
        assert status == 0 and "pe-model" in out and "Exit status" in out


def inspects_a_checkpoint(_):
    status, out, _ = run("inspect", "--json",
                         TINY / "tiny_core_cls.open_clip.safetensors")
    found = json.loads(out)
    assert status == 0 and out.count("\n") == 1
    for key, value in {
            "format": "open_clip", "dtype": "f32", "image_size": 64,
            "layers": 2, "output_dim": 48, "cls_token": True,
            "text_tower": True, "text_context_length": 32,
            "parameters": 341505, "embeds_images": True}.items():
        assert found[key] == value, (key, found[key])
    status, out, _ = run("inspect", DATA / "tiny_lang_cls_ls.safetensors")
    assert status == 0 and "no embeddings" in out, out


def writes_metas_names_and_values(folder):
    expected = read_sorted(TINY / "tiny_core_cls.meta.safetensors")
    for source in ["meta.pt", "meta_nested.pt", "open_clip.safetensors"]:
        out = folder / "fp32.safetensors"
        status, _, err = run("convert", TINY / f"tiny_core_cls.{source}", out,
                             "--precision", "fp32")
        assert status == 0, err
        tensors, metadata = read_safetensors(out)
        assert set(tensors) == set(expected)
        for name, tensor in tensors.items():
            assert tensor == expected[name], name
        config = json.loads(metadata["config"])
        assert config["image_size"] == 64 and config["pool_type"] == "attn"
        assert json.loads(metadata["text"])["context_length"] == 32
        assert metadata["source"] == f"tiny_core_cls.{source}"
        assert metadata["format"] == "pt"


def rounds_to_bf16_and_drops_the_text(folder):
    expected = read_sorted(TINY / "tiny_core_cls.meta.safetensors")
    out = folder / "bf16.safetensors"
    status, text, err = run("convert", "--json", "--vision-only",
                            TINY / "tiny_core_cls.meta.pt", out)
    assert status == 0, err
    assert json.loads(text)["file_size"] == out.stat().st_size
    tensors, metadata = read_safetensors(out)
    assert set(tensors) == {n for n in expected if n.startswith("visual.")}
    assert "text" not in metadata
    for name, (dtype, shape, data) in tensors.items():
        assert (dtype, shape) == ("BF16", expected[name][1]), name
        assert data == to_bf16(expected[name][2]), name


def spares_the_file_that_it_reads(folder):
    model = folder / "model.safetensors"
    content = (TINY / "tiny_core_cls.meta.safetensors").read_bytes()
    model.write_bytes(content)
    (folder / "link.safetensors").symlink_to(model.name)
    (folder / "hard.safetensors").hardlink_to(model)
    (folder / "sub").mkdir()
    for name in ("model.safetensors", "./model.safetensors",
                 "sub/../model.safetensors", "link.safetensors",
                 "hard.safetensors"):
        out = f"{folder}/{name}"
        status, text, err = run("convert", model, out)
        assert (status, text) == (2, ""), (name, status, err)
        assert "same file" in err and str(model) in err and out in err, err
        assert model.read_bytes() == content
    status, _, err = run("convert", folder / "link.safetensors", model)
    assert status == 2 and "same file" in err, (status, err)


def says_when_nothing_becomes_smaller(folder):
    source = TINY / "tiny_core_cls.meta.safetensors"
    half, again = folder / "half.safetensors", folder / "again.safetensors"
    status, _, err = run("convert", source, half, "--precision", "fp16")
    assert status == 0 and "smaller" not in err, err
    status, _, err = run("convert", half, again)
    assert status == 0 and f"{half} was f16 already" in err, err
    assert "no smaller" in err, err
    status, _, err = run("convert", half, again, "--vision-only")
    assert status == 0 and "smaller" not in err, err


def checks_the_cpu(_):
    status, out, err = run("check", TINY / "tiny_core_cls.meta.pt", "--json",
                           "--device", "cpu", "--precision", "fp32")
    assert status == 0, err
    found = json.loads(out)
    assert found["ok"] is True and found["device"] == "cpu", out
    assert found["cosine_image"] > 0.9999 and found["cosine_text"] > 0.9999


TESTS = [tells_usage_apart_from_failure, inspects_a_checkpoint,
         writes_metas_names_and_values, rounds_to_bf16_and_drops_the_text,
         spares_the_file_that_it_reads, says_when_nothing_becomes_smaller,
         checks_the_cpu]


def main():
    """Run every test; the exit status is 1 when one failed."""
    failed = 0
    print(f"1..{len(TESTS)}")
    for number, test in enumerate(TESTS, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(pathlib.Path(folder))
                print(f"ok {number} - {test.__name__}")
            except AssertionError as error:
                failed = 1
                print(f"# {error}\nnot ok {number} - {test.__name__}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
