#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our image tower on the CPU beside the runtimes that a user would take instead:

    python3 -m venv peers && peers/bin/pip install numpy onnx onnxruntime openvino
    peers/bin/python bench/cpu_peers.py build/tools --model B16 --batch 1

All run the same random weights on --threads threads, in turn, --rounds times for
--seconds each; a ratio is that of two neighbours in one round, and its median is
printed. Before that, each peer's embedding of one picture is compared with ours in
fp32: below a cosine of 0.9999 it computes something else and the program fails. A peer
that is not installed, or has no such precision, is skipped with the reason. Peers:
onnxruntime, openvino, torch (eager) and torch-compile, which also need timm.

--precision is that of both sides; our own cosine to fp32 is printed too, and nobody's
ends the program where it isn't fp32. int8 is what each peer documents: onnxruntime
quantizes the weights by column and the rows as they come, openvino is calibrated by
nncf with 16 random pictures.

--start measures how long it takes until the first embedding is there, and the most
memory that was resident: each starts anew in every round, --rounds times. Ours is the
whole run of pe-embed, which also decodes the picture and writes a file; of a peer it
is loading the library and the model and the first run, without the start of Python.
"""

import argparse
import json
import multiprocessing
import os
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
    parser.add_argument("--precision", choices=["fp32", "bf16", "int8"],
                        default="fp32")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--start", action="store_true",
                        help="measure the start and memory, and nothing else")
    parser.add_argument("--json", help="write the figures of all rounds here")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args(args)


# ---- A peer, in a process of its own ------------------------------------------


def load_onnxruntime(options):
    import onnxruntime
    model = options.folder / "model.onnx"
    if options.precision == "bf16":
        raise ImportError("its CPU provider computes no bf16")
    if options.precision == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic
        full, model = model, options.folder / "model-int8.onnx"
        quantize_dynamic(full, model, per_channel=True, weight_type=QuantType.QInt8)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(
        model, settings, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda x: session.run(None, {"pixels": x})[0]


def load_openvino(options):
    import openvino
    model = openvino.Core().read_model(options.folder / "model.onnx")
    if options.precision == "int8":
        import nncf
        random = np.random.default_rng(3)
        shape = np.load(options.folder / "pixels.npy").shape
        pictures = [random.uniform(-1, 1, shape).astype(np.float32)
                    for _ in range(16)]
        model = nncf.quantize(model, nncf.Dataset(pictures),
                              model_type=nncf.ModelType.TRANSFORMER)
    model = openvino.compile_model(
        model, "CPU",
        {"INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY",
         "INFERENCE_PRECISION_HINT":
         "bf16" if options.precision == "bf16" else "f32"})
    return openvino.__version__.split("-")[0], lambda x: model(x)[0]


def load_torch(options, compiled=False):
    import timm
    import torch
    if options.precision == "int8":
        raise ImportError("it has no int8 of its own for this model")
    torch.set_num_threads(options.threads)
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    net = timm.create_model(TIMM[options.model], pretrained=False).eval()
    weights = {key: torch.from_numpy(value) for key, value
               in peer_model.random_weights(options.model).items()}
    wrong = net.load_state_dict(weights, strict=False)
    if set(wrong.missing_keys) - {"head.bias"} or wrong.unexpected_keys:
        raise ImportError(f"timm {timm.__version__} names weights otherwise: {wrong}")
    if "head.bias" in wrong.missing_keys:
        torch.nn.init.zeros_(net.head.bias)
    net = net.to(dtype)
    if compiled:
        net = torch.compile(net, dynamic=False)

    def run(x):
        with torch.inference_mode():
            return net(torch.from_numpy(x).to(dtype)).float().numpy()
    return f"{torch.__version__}, timm {timm.__version__}", run


LOADERS = {"onnxruntime": load_onnxruntime, "openvino": load_openvino,
           "torch": load_torch,
           "torch-compile": lambda options: load_torch(options, compiled=True)}


def work(options):
    """A line for every line that is read: who we are, then seconds a batch."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(**values):
        print(json.dumps(values), file=answers, flush=True)

    start = time.perf_counter()
    try:
        version, run = LOADERS[options.worker](options)
    except ImportError as error:
        answer(skip=str(error))
        return
    pixels = np.load(options.folder / "pixels.npy")
    y = run(pixels)
    answer(version=version, y=y[0].tolist(), start_s=time.perf_counter() - start)
    run(pixels)
    for _ in sys.stdin:
        times, end = [], time.perf_counter() + options.seconds
        while len(times) < 3 or time.perf_counter() < end:
            begin = time.perf_counter()
            run(pixels)
            times.append(time.perf_counter() - begin)
        answer(seconds=statistics.median(times))


class Peer:
    def __init__(self, name, options, folder):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, __file__, options.tools, "--worker", name,
             "--folder", folder, "--model", options.model,
             "--precision", options.precision,
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


def our_command(program, options, folder, precision):
    return [f"{options.tools}/{program}", "--model", folder / "model.safetensors",
            "--device", "cpu", "--precision", precision,
            "--threads", str(options.threads)]


def our_embedding(options, folder, precision):
    subprocess.run(our_command("pe-embed", options, folder, precision) + [
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
    command = our_command("pe-bench", options, folder, options.precision)
    out = subprocess.run(command + [
        "--batch", str(options.batch), "--seconds", str(options.seconds), "--json"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    report = json.loads(out.splitlines()[-1])
    return report["p50_ms"] / 1000, report


# ---- The start ------------------------------------------------------------------


def peak_mib(process):
    """Waits for it to end."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{process.args} ended with {process.returncode}")
    return usage.ru_maxrss / 1024


def start_ours(options, folder):
    begin = time.perf_counter()
    process = subprocess.Popen(
        our_command("pe-embed", options, folder, options.precision) + [
            "--image", folder / "picture.png", "--out", folder / "out.safetensors"],
        stdout=subprocess.DEVNULL)
    memory = peak_mib(process)
    return time.perf_counter() - begin, memory


def start_peer(name, options, folder):
    peer = Peer(name, options, folder)
    if "skip" in peer.about:
        peer.close()
        return None
    peer.process.stdin.close()
    return peer.about["start_s"], peak_mib(peer.process)


def compare_starts(options, folder):
    names = list(options.peers)
    found = {"ours": []} | {name: [] for name in names}
    for _ in range(options.rounds):
        for name in list(names):
            value = start_peer(name, options, folder)
            if value is None:
                names.remove(name)
                continue
            found["ours"].append(start_ours(options, folder))
            found[name].append(value)
    print(f"PE-Core {options.model}, batch {options.batch}, {options.threads} threads,"
          f" {options.precision}, {options.rounds} rounds: start and peak memory")
    for name, values in found.items():
        if not values:
            print(f"{name:14} skipped")
            continue
        seconds, memory = ([v[i] for v in values] for i in (0, 1))
        print(f"{name:14} {statistics.median(seconds):6.2f} s "
              f"({min(seconds):.2f} .. {max(seconds):.2f}) "
              f"{statistics.median(memory):6.0f} MiB")


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


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def open_peers(options, folder):
    ours = our_embedding(options, folder, "fp32")
    if options.precision != "fp32":
        found = cosine(our_embedding(options, folder, options.precision), ours)
        print(f"ours, {options.precision}: cosine to fp32 {found:.7f}")
    peers = []
    for name in options.peers:
        peer = Peer(name, options, folder)
        if "skip" in peer.about:
            print(f"{name}: skipped, {peer.about['skip']}")
            peer.close()
            continue
        found = cosine(np.array(peer.about["y"]), ours)
        print(f"{name} {peer.about['version']}: cosine to ours {found:.7f}")
        if options.precision == "fp32" and not found >= MIN_COSINE:
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
          f" {options.precision}, {options.rounds} rounds")
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
        # In a process of its own: what this one holds would count for those that
        # it starts.
        writer = multiprocessing.Process(target=write_inputs,
                                         args=(options, folder))
        writer.start()
        writer.join()
        if options.start:
            compare_starts(options, folder)
            return
        peers = open_peers(options, folder)
        rounds = run_rounds(options, folder, peers)
        for peer in peers:
            peer.close()
    report(options, peers, rounds)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    main()
