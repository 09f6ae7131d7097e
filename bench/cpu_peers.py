#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our image tower on the CPU beside the runtimes that a user would take instead:

    python3 -m venv peers && peers/bin/pip install numpy onnx onnxruntime openvino
    peers/bin/python bench/cpu_peers.py build/tools --model B16 --batch 1

All run the same random weights in fp32 on --threads threads, in turn, --rounds times
for --seconds each; a ratio is that of two neighbours in one round, and its median is
printed. Before that, each peer's embedding of one picture is compared with ours: below
a cosine of 0.9999 it computes something else and the program fails. A peer that is
not installed is skipped with the reason. Peers: onnxruntime, openvino, torch (eager)
and torch-compile, which also need timm.
"""

import argparse
import json
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

import numpy as np

import peer_model

PEERS = ["onnxruntime", "openvino", "torch", "torch-compile"]
TIMM = {"T16": "vit_pe_core_tiny_patch16_384", "S16": "vit_pe_core_small_patch16_384",
        "B16": "vit_pe_core_base_patch16_224", "L14": "vit_pe_core_large_patch14_336"}
MIN_COSINE = 0.9999


def parse(args):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tools", help="the folder with pe-bench and pe-embed")
    parser.add_argument("--model", choices=list(peer_model.SHAPES), default="B16")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--json", help="write the figures of all rounds here")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args(args)


# ---- A peer, in a process of its own ------------------------------------------


def load_onnxruntime(options):
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(
        options.folder / "model.onnx", settings, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda x: session.run(None, {"pixels": x})[0]


def load_openvino(options):
    import openvino
    model = openvino.compile_model(
        options.folder / "model.onnx", "CPU",
        {"INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY",
         "INFERENCE_PRECISION_HINT": "f32"})
    return openvino.__version__.split("-")[0], lambda x: model(x)[0]


def load_torch(options, compiled=False):
    import timm
    import torch
    torch.set_num_threads(options.threads)
    net = timm.create_model(TIMM[options.model], pretrained=False).eval()
    weights = {key: torch.from_numpy(value) for key, value
               in peer_model.random_weights(options.model).items()}
    wrong = net.load_state_dict(weights, strict=False)
    if set(wrong.missing_keys) - {"head.bias"} or wrong.unexpected_keys:
        raise ImportError(f"timm {timm.__version__} names weights otherwise: {wrong}")
    if "head.bias" in wrong.missing_keys:
        torch.nn.init.zeros_(net.head.bias)
    if compiled:
        net = torch.compile(net, dynamic=False)

    def run(x):
        with torch.inference_mode():
            return net(torch.from_numpy(x)).numpy()
    return f"{torch.__version__}, timm {timm.__version__}", run


LOADERS = {"onnxruntime": load_onnxruntime, "openvino": load_openvino,
           "torch": load_torch,
           "torch-compile": lambda options: load_torch(options, compiled=True)}


def work(options):
    """A line for every line that is read: who we are, then seconds a batch."""
    start = time.perf_counter()
    try:
        version, run = LOADERS[options.worker](options)
    except ImportError as error:
        print(json.dumps({"skip": str(error)}), flush=True)
        return
    pixels = np.load(options.folder / "pixels.npy")
    y = run(pixels)
    print(json.dumps({"version": version, "y": y[0].tolist(),
                      "start_s": time.perf_counter() - start}), flush=True)
    run(pixels)
    for _ in sys.stdin:
        times, end = [], time.perf_counter() + options.seconds
        while len(times) < 3 or time.perf_counter() < end:
            begin = time.perf_counter()
            run(pixels)
            times.append(time.perf_counter() - begin)
        print(json.dumps({"seconds": statistics.median(times)}), flush=True)


class Peer:
    def __init__(self, name, options, folder):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, __file__, options.tools, "--worker", name,
             "--folder", folder, "--model", options.model,
             "--threads", str(options.threads), "--seconds", str(options.seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with {self.process.wait()}")
        return json.loads(line)

    def measure(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---- Ours -----------------------------------------------------------------------


def write_png(path, rgb):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(
            ">I", zlib.crc32(body))
    height, width, _ = rgb.shape
    lines = np.pad(rgb.reshape(height, -1), ((0, 0), (1, 0)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
        ">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(
            b"IDAT", zlib.compress(lines.tobytes())) + chunk(b"IEND", b""))


def our_command(program, options, folder):
    return [f"{options.tools}/{program}", "--model", folder / "model.safetensors",
            "--device", "cpu", "--precision", "fp32",
            "--threads", str(options.threads)]


def our_embedding(options, folder):
    subprocess.run(our_command("pe-embed", options, folder) + [
        "--image", folder / "picture.png", "--out", folder / "out.safetensors"],
        check=True, stdout=subprocess.DEVNULL)
    data = (folder / "out.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = json.loads(data[8:8 + size])
    tensors.pop("__metadata__", None)
    begin, end = next(iter(tensors.values()))["data_offsets"]
    return np.frombuffer(data[8 + size:][begin:end], np.float32)


def measure_ours(options, folder):
    """Seconds a batch, and what pe-bench says besides."""
    out = subprocess.run(our_command("pe-bench", options, folder) + [
        "--batch", str(options.batch), "--seconds", str(options.seconds), "--json"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    report = json.loads(out.splitlines()[-1])
    return report["p50_ms"] / 1000, report


# ---- The comparison -------------------------------------------------------------


def write_inputs(options, folder):
    weights = peer_model.random_weights(options.model)
    peer_model.write_safetensors(folder / "model.safetensors", weights)
    peer_model.write_onnx(folder / "model.onnx", options.model, weights,
                          options.batch)
    side = peer_model.SHAPES[options.model][0]
    rgb = np.random.default_rng(2).integers(0, 256, (side, side, 3), np.uint8)
    write_png(folder / "picture.png", rgb)
    pixels = (rgb.transpose(2, 0, 1).astype(np.float32) / 255 - 0.5) / 0.5
    np.save(folder / "pixels.npy", np.repeat(pixels[None], options.batch, axis=0))


def open_peers(options, folder):
    ours = our_embedding(options, folder)
    peers = []
    for name in options.peers:
        peer = Peer(name, options, folder)
        if "skip" in peer.about:
            print(f"{name}: skipped, {peer.about['skip']}")
            peer.close()
            continue
        y = np.array(peer.about["y"])
        cosine = float(y @ ours / np.linalg.norm(y) / np.linalg.norm(ours))
        print(f"{name} {peer.about['version']}: cosine to ours {cosine:.7f}")
        if not cosine >= MIN_COSINE:
            sys.exit(f"{name} computes something else")
        peers.append(peer)
    return peers


def run_rounds(options, folder, peers):
    """One entry a round: name to seconds a batch, ours before every peer."""
    rounds = []
    for i in range(options.rounds):
        entry = {}
        for peer in peers:
            ours, report = measure_ours(options, folder)
            entry[peer.name] = {"ours": ours, "peer": peer.measure()}
            entry[peer.name]["ratio"] = entry[peer.name]["peer"] / ours
            entry[peer.name]["peak_fraction"] = report.get("fraction_of_peak")
        rounds.append(entry)
        print(f"round {i + 1}: " + ", ".join(
            f"{name} {e['ratio']:.3f}" for name, e in entry.items()), flush=True)
    return rounds


def report(options, peers, rounds):
    print(f"PE-Core {options.model}, batch {options.batch}, {options.threads} threads,"
          f" fp32, {options.rounds} rounds")
    print(f"{'peer':14} {'ours/s':>8} {'peer/s':>8} {'ratio':>7}  min .. max")
    for peer in peers:
        entries = [entry[peer.name] for entry in rounds]
        ours, theirs = (options.batch / statistics.median(e[key] for e in entries)
                        for key in ("ours", "peer"))
        ratios = [e["ratio"] for e in entries]
        print(f"{peer.name:14} {ours:8.3f} {theirs:8.3f} "
              f"{statistics.median(ratios):7.3f}  {min(ratios):.3f} .. "
              f"{max(ratios):.3f}")


def main():
    options = parse(sys.argv[1:])
    if options.worker:
        work(options)
        return
    with tempfile.TemporaryDirectory(prefix="pe-peers-") as name:
        folder = pathlib.Path(name)
        write_inputs(options, folder)
        peers = open_peers(options, folder)
        rounds = run_rounds(options, folder, peers)
        for peer in peers:
            peer.close()
    report(options, peers, rounds)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    main()
