#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How fast PyTorch runs the PE image towers on this machine: what we have to beat.

    torch_pe.py --device cuda --models B L G --batches 36 1 --modes compile eager \\
        --out torch_pe.json
    torch_pe.py --device cpu --models B --batches 1 8 --dtypes fp32 bf16

The towers are timm's, with random weights that are distributed as those of our
tests/gpu/measure.c: multiplying zeros needs less power and is faster. "compile"
compiles one block and uses it for all layers (a stack of equal blocks has nothing
more to offer, and the whole takes minutes), then records the tower as a CUDA graph.
Two clocks, in milliseconds, median and 95th percentile: "gpu_ms" is between two of
the device's events around the call, "wall_ms" what a caller waits for the embeddings
on the host in f32. Both are without the copy of the pixels, which are there already.

On CUDA the program measures two ceilings last: the bf16 product at 8192^3 and a copy
on the device. --out is written anew after every number. Status 77: there is no
PyTorch or no timm.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time

try:
    import timm
    import torch
    import torch._dynamo.utils
except ImportError as e:
    print(f"{e.name} is not installed")
    sys.exit(77)

TIMM = {"T": "vit_pe_core_tiny_patch16_384", "S": "vit_pe_core_small_patch16_384",
        "B": "vit_pe_core_base_patch16_224", "L": "vit_pe_core_large_patch14_336",
        "G": "vit_pe_core_gigantic_patch14_448"}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MOST_RUNS = 400


class Report:
    """What has been measured so far, in a file that is whole at any time."""

    def __init__(self, path, **head):
        self.path, self.data = path, {**head, "ceilings": {}, "rows": []}

    def save(self):
        if not self.path:
            return
        with open(self.path + ".new", "w") as f:
            json.dump(self.data, f, indent=1)
        os.replace(self.path + ".new", self.path)


def summarize(times):
    times.sort()
    last = len(times) - 1
    return [statistics.median(times), times[min(last, len(times) * 95 // 100)]]


def event_ms(call):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def wall_ms(call):
    start = time.perf_counter()
    result = call()
    if result is not None:
        result.float().cpu()
    return (time.perf_counter() - start) * 1e3


def repeat(measure, call, seconds):
    call()
    call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or (time.perf_counter() < end and len(times) < MOST_RUNS):
        times.append(measure(call))
    return summarize(times)


def measure_ceilings(report, seconds):
    x, w = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
            for _ in range(2))
    ms = repeat(event_ms, lambda: torch.nn.functional.linear(x, w), seconds)[0]
    report.data["ceilings"]["gemm_8192_bf16_tflops"] = 2 * 8192 ** 3 / ms * 1e-9
    report.save()
    a, b = (torch.empty(1 << 31, dtype=torch.uint8, device="cuda") for _ in range(2))
    ms = repeat(event_ms, lambda: a.copy_(b), seconds)[0]
    report.data["ceilings"]["copy_tb_per_s"] = 2 * a.numel() / ms * 1e-9
    report.save()


def make_tower(model, device, dtype):
    with torch.device(device):  # two billion random numbers take long on a CPU
        net = timm.create_model(TIMM[model], pretrained=False)
    for name, weight in net.named_parameters():
        is_norm = weight.ndim == 1 and name.endswith("weight")
        torch.nn.init.normal_(weight, 1 if is_norm else 0, 0.02)
    return net.eval().requires_grad_(False).to(device, dtype)


def record(net, x):
    """One call of the tower as a CUDA graph, always of the same pixels."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            net(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = net(x)

    def replay():
        graph.replay()
        return y
    return replay


def make_call(net, mode, batch, device, dtype):
    side = net.default_cfg["input_size"][-1]
    x = torch.randn(batch, 3, side, side, device=device, dtype=dtype)
    if mode == "compile" and device == "cuda":
        return record(net, x)
    return lambda: net(x)


def measure_row(report, net, model, dtype, mode, batch, args):
    """Where it fails, the row says why."""
    row = {"model": model, "dtype": dtype, "mode": mode, "batch": batch}
    report.data["rows"].append(row)
    compiled = torch._dynamo.utils.counters["stats"]
    before = compiled["unique_graphs"]
    try:
        start = time.perf_counter()
        call = make_call(net, mode, batch, args.device, DTYPES[dtype])
        wall_ms(call)
        row["first_call_s"] = time.perf_counter() - start
        # 1 where all blocks share what was compiled for this batch size.
        row["graphs"] = compiled["unique_graphs"] - before
        if args.device == "cuda":
            row["gpu_ms"] = repeat(event_ms, call, args.seconds)
            report.save()
        row["wall_ms"] = repeat(wall_ms, call, args.seconds)
        row["images_per_s"] = batch / row["wall_ms"][0] * 1e3
    except Exception as e:
        row["error"] = f"{type(e).__name__}: {str(e)[:200]}"
    report.save()
    print(json.dumps(row), flush=True)


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    has_cuda = torch.cuda.is_available()
    p.add_argument("--device", default="cuda" if has_cuda else "cpu",
                   choices=["cuda", "cpu"])
    p.add_argument("--models", nargs="+", default=["B"], choices=list(TIMM))
    p.add_argument("--batches", nargs="+", type=int, default=[8, 1])
    p.add_argument("--dtypes", nargs="+", default=["bf16"], choices=list(DTYPES))
    p.add_argument("--modes", nargs="+", default=["eager"],
                   choices=["eager", "compile"])
    p.add_argument("--seconds", type=float, default=1,
                   help="measuring time of one number")
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--out", default="")
    return p.parse_args()


def main():
    args = parse_arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    name = (torch.cuda.get_device_name() if args.device == "cuda"
            else platform.processor() or platform.machine())
    # Blocks that were not compiled would be measured as if they were.
    if hasattr(torch._dynamo.config, "fail_on_recompile_limit_hit"):
        torch._dynamo.config.fail_on_recompile_limit_hit = True
    report = Report(args.out, device=name, torch=torch.__version__,
                    timm=timm.__version__, threads=torch.get_num_threads())
    with torch.inference_mode():
        for model in args.models:
            for dtype in args.dtypes:
                for mode in args.modes:
                    net = make_tower(model, args.device, DTYPES[dtype])
                    for block in net.blocks if mode == "compile" else ():
                        block.compile(dynamic=False)
                    for batch in args.batches:
                        measure_row(report, net, model, dtype, mode, batch, args)
                    del net
        if args.device == "cuda":
            measure_ceilings(report, args.seconds / 2)
    report.save()
    return 1 if any("error" in r for r in report.data["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
