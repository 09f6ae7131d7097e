#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure how fast PyTorch runs the PE vision towers on this machine: the baseline that we have to beat.

    torch_pe.py --device cuda --models B L G --batches 1 8 32 --modes eager compile --out torch_pe.json
    torch_pe.py --device cpu  --models B --batches 1 8 --dtypes fp32 bf16

The towers are timm's with random weights. On CUDA the program first measures the ceilings of the card: the bf16 matrix
product at 8192^3 and at the layer shapes of each tower, and a copy on the device. Inputs are random and rotate. A time is
the median, after a warm-up, of device events (CUDA) or of the clock (CPU).
Prints a short table and writes everything as JSON. Needs torch and timm, but no network and no weights.
"""
import argparse, json, os, platform, statistics, sys, time
import torch

TIMM = {"T": "vit_pe_core_tiny_patch16_384", "S": "vit_pe_core_small_patch16_384", "B": "vit_pe_core_base_patch16_224",
        "L": "vit_pe_core_large_patch14_336", "G": "vit_pe_core_gigantic_patch14_448"}
# image side, tokens, width, mlp, layers, GFLOP per image (2 x MAC, attention included)
SHAPE = {"T": (384, 577, 192, 768, 12, 9.5), "S": (384, 577, 384, 1536, 12, 31.3), "B": (224, 197, 768, 3072, 12, 35.6),
         "L": (336, 577, 1024, 4096, 24, 384.4), "G": (448, 1024, 1536, 8960, 50, 4118.6)}
DT = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def timed(fn, device, seconds, min_runs=5):
    """Median, p95 of fn() in seconds."""
    fn(); fn()
    t, end = [], time.perf_counter() + seconds
    if device == "cuda":
        torch.cuda.synchronize()
    while len(t) < min_runs or (time.perf_counter() < end and len(t) < 400):
        if device == "cuda":
            a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            a.record(); fn(); b.record(); b.synchronize()
            t.append(a.elapsed_time(b) / 1e3)
        else:
            s = time.perf_counter(); fn(); t.append(time.perf_counter() - s)
    t.sort()
    return statistics.median(t), t[min(len(t) - 1, int(len(t) * .95))]


def gemm_rate(m, k, n, device, dtype, seconds):
    x = [torch.randn(m, k, device=device, dtype=dtype) for _ in range(3)]
    w = [torch.randn(n, k, device=device, dtype=dtype) for _ in range(3)]
    i = [0]
    def go():
        i[0] += 1
        torch.nn.functional.linear(x[i[0] % 3], w[i[0] % 3])
    return 2e-12 * m * k * n / timed(go, device, seconds)[0]


def save(r, path):
    """After each row: whoever stops us keeps what there is."""
    if path:
        with open(path + ".new", "w") as f:
            json.dump(r, f, indent=1)
        os.replace(path + ".new", path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cuda", "cpu"])
    p.add_argument("--models", nargs="+", default=["B"], choices=list(TIMM))
    p.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    p.add_argument("--dtypes", nargs="+", default=["bf16"], choices=list(DT))
    p.add_argument("--modes", nargs="+", default=["eager"], choices=["eager", "compile"])
    p.add_argument("--compile-batches", nargs="+", type=int, help="for the mode compile, which takes minutes; default: all")
    p.add_argument("--seconds", type=float, default=1.5, help="measuring time per row")
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--out", default="")
    a = p.parse_args()
    import timm
    if a.threads:
        torch.set_num_threads(a.threads)
    name = torch.cuda.get_device_name() if a.device == "cuda" else platform.processor() or platform.machine()
    r = {"device": name, "torch": torch.__version__, "timm": timm.__version__, "threads": torch.get_num_threads(), "ceilings": {}, "rows": []}
    if a.device == "cuda":
        r["ceilings"]["gemm_8192_bf16_tflops"] = gemm_rate(8192, 8192, 8192, "cuda", torch.bfloat16, a.seconds)
        s, d = (torch.empty(1 << 31, dtype=torch.uint8, device="cuda") for _ in range(2))
        r["ceilings"]["copy_tb_per_s"] = 2 * s.numel() / timed(lambda: d.copy_(s), "cuda", a.seconds)[0] * 1e-12
        del s, d
    print(r, flush=True)
    for m in a.models:
        side, tok, w, mlp, _, gflop = SHAPE[m]
        for dt in a.dtypes:
            for b in a.batches:
                rows = b * tok
                rate = {f"{k}x{n}": round(gemm_rate(rows, k, n, a.device, DT[dt], a.seconds / 4), 3)
                        for k, n in ((w, 3 * w), (w, w), (w, mlp), (mlp, w))}
                r["ceilings"][f"{m} {dt} b{b} layer_gemm_tflops"] = rate
            with torch.device(a.device):  # random weights are made there, two billion take long on a CPU
                net = timm.create_model(TIMM[m], pretrained=False)
            net = net.eval().requires_grad_(False).to(a.device, DT[dt])
            for mode in a.modes:
                for b in (a.compile_batches or a.batches) if mode == "compile" else a.batches:
                    # Each batch size for itself: the second would otherwise be compiled for any, which is slower.
                    torch._dynamo.reset()
                    f = torch.compile(net, mode="max-autotune", dynamic=False) if mode == "compile" else net
                    x = [torch.randn(b, 3, side, side, device=a.device, dtype=DT[dt]) for _ in range(3)]
                    i = [0]
                    def go():
                        i[0] += 1
                        return f(x[i[0] % 3])
                    try:
                        with torch.inference_mode():
                            s = time.perf_counter(); go(); first = time.perf_counter() - s
                            med, p95 = timed(go, a.device, a.seconds)
                    except Exception as e:
                        print(f"{m} {dt} {mode} b{b}: {type(e).__name__}: {str(e)[:120]}", flush=True)
                        continue
                    row = dict(model=m, dtype=dt, mode=mode, batch=b, images_per_second=b / med, ms_median=med * 1e3, ms_p95=p95 * 1e3,
                               tflops=gflop * b / med * 1e-3, first_call_s=first)
                    r["rows"].append(row)
                    save(r, a.out)
                    print(f"{m} {dt:4} {mode:7} b{b:<4} {b / med:10.1f} img/s  {med * 1e3:9.3f} ms  p95 {p95 * 1e3:9.3f}  {row['tflops']:8.2f} TFLOP/s", flush=True)
            del net
    save(r, a.out)


if __name__ == "__main__":
    sys.exit(main())
