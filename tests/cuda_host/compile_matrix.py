#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compiles every CUDA kernel for every architecture, as a TAP test:
compile_matrix.py ROOT [NVCC]

Fails on warnings, on spilled registers, on stack frames, on more registers than
a kernel's budget, and on products of warpgroups that wait for each other. Prints
the most registers that each kernel takes. Skips (77) where there is no nvcc.
Needs no GPU.
"""

import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ARCHITECTURES = ("75", "80", "86", "89", "90a", "100", "120")
BUDGETS = {  # registers
    "flash_kernel": 168,  # three blocks of 128 threads an SM
    "flash_kernel<64,64,2,4>": 255,  # two, with twice the queries
    "flash_kernel<96,32,2,4>": 255,
    "flash_kernel<96,32,1,4>": 184,  # three as above, or two on Turing
    "hopper_flash_kernel<64>": 96,  # five warps in each part of an SM
    "hopper_flash_kernel<96>": 128,  # four
    # Tiles of 64, 128, 256 columns: two blocks of 5 warps, two of 9, one of 9.
    "hopper_linear_kernel<64>": 96,
    "hopper_linear_kernel<128>": 96,
    "hopper_linear_kernel<256>": 168,
    "hopper_residual_kernel<64>": 96,
    "hopper_residual_kernel<128>": 96,
    "hopper_residual_kernel<256>": 168,
    "int8_linear_kernel": 128,  # two blocks of 256 threads, four of 128
    # Five blocks of 128 threads: 120 KiB of loads under way, where the fastest
    # memory needs 50 of each SM (8 TB/s for 0.9 us over 148).
    "layernorm_kernel": 96,
    "pool_scores_kernel": 128,  # four of them: many loads under way in each
}
BUDGET = 80
# GLib's headers name a printf format that nvcc does not know.
FLAGS = ["-std=c++17", "-O3", "-Xptxas=-v", "-Werror=all-warnings",
         "-diag-suppress=1217", "-cubin"]
WORKERS = 2

ENTRY = re.compile(r"Compiling entry function '(\S+)' for")
NAME = re.compile(r"^_Z(?:N\d+_GLOBAL__\w+)?(\d+)(\w+)$")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, "
                   r"(\d+) bytes spill loads")
# What ptxas says of wgmma whose registers it cannot leave alone (C7508-C7514).
SERIALIZED = "wgmma.mma_async instructions are serialized"
REGISTERS = re.compile(r"Used (\d+) registers")


def find_nvcc():
    if len(sys.argv) > 2:
        return sys.argv[2]
    return shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")


def kernel_name(mangled):
    """"flash_kernel<64,2>" of "_Z12flash_kernelI6PeBf16Li64ELi2EE...": types
    are not of interest."""
    match = NAME.match(mangled)
    if not match:
        return mangled
    numbers = re.findall(r"Li(\d+)E", mangled)
    return (match.group(2)[:int(match.group(1))] +
            (f"<{','.join(numbers)}>" if numbers else ""))


def budget_of(kernel):
    """That of exactly these numbers, of the name, or of all kernels."""
    return BUDGETS.get(kernel, BUDGETS.get(kernel.split("<")[0], BUDGET))


def read_report(text):
    """(kernel, registers, words on its stack or spills) of each entry."""
    for part in re.split(r"(?=ptxas info\s+: Compiling entry)", text):
        entry = ENTRY.search(part)
        if entry:
            yield (kernel_name(entry.group(1)),
                   int(REGISTERS.search(part).group(1)),
                   sum(map(int, FRAME.search(part).groups())))


class Compiler:
    def __init__(self, root, nvcc, folder):
        self.root, self.nvcc, self.folder = root, nvcc, folder
        self.cflags = subprocess.run(
            ["pkg-config", "--cflags", "glib-2.0"], check=True,
            capture_output=True, text=True).stdout.split()
        self.known = subprocess.run(
            [nvcc, "--list-gpu-code"], check=True, capture_output=True,
            text=True).stdout.split()

    def compile(self, job):
        """(job, what is wrong, the report); nothing wrong is None."""
        arch, source = job
        if f"sm_{arch}" not in self.known and f"sm_{arch[:-1]}" not in self.known:
            return job, "this nvcc does not know it", None
        run = subprocess.run(
            [self.nvcc, *FLAGS, f"-arch=sm_{arch}", f"-I{self.root}",
             *self.cflags, "-o",
             f"{self.folder}/{source.parent.name}_{source.stem}_{arch}.cubin",
             str(source)], capture_output=True, text=True)
        text = run.stdout + run.stderr
        if run.returncode:
            return job, text.strip(), None
        if SERIALIZED in text:
            return job, f"products wait for each other: {SERIALIZED}", None
        return job, None, list(read_report(text))


def judge(report):
    """What is wrong with the kernels of a file, a line each."""
    for kernel, registers, memory in report:
        budget = budget_of(kernel)
        if memory:
            yield f"{kernel}: {memory} bytes of stack frame and spills"
        if registers > budget:
            yield f"{kernel}: {registers} registers, budget {budget}"


def print_table(most):
    print("# most registers of a thread")
    print("# " + "kernel".ljust(24) + "".join(
        a.rjust(6) for a in ARCHITECTURES) + "budget".rjust(8))
    for kernel in sorted({k for k, _ in most}):
        cells = [str(most.get((kernel, a), "-")).rjust(6)
                 for a in ARCHITECTURES]
        print("# " + kernel.ljust(24) + "".join(cells) +
              str(budget_of(kernel)).rjust(8))


def main():
    root, nvcc = pathlib.Path(sys.argv[1]).resolve(), find_nvcc()
    if not nvcc:
        print("1..0 # SKIP there is no nvcc")
        return 77
    sources = sorted([*(root / "cuda").glob("*.cu"),
                      *(root / "cuda/int8").glob("*.cu")])
    jobs = [(a, s) for a in ARCHITECTURES for s in sources]
    jobs += [("90a", s) for s in sorted((root / "cuda/hopper").glob("*.cu"))]
    print(f"1..{len(jobs)}", flush=True)
    failures, most = 0, {}
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        compiler = Compiler(root, nvcc, folder)
        for number, (job, wrong, report) in enumerate(
                pool.map(compiler.compile, jobs), 1):
            arch, source = job
            skip = report is None and wrong.startswith("this nvcc")
            problems = list(judge(report)) if report else (
                [] if skip else wrong.split("\n"))
            failures += bool(problems)
            print(f"{'not ok' if problems else 'ok'} {number} - sm_{arch} "
                  f"{source.relative_to(root / 'cuda')}" +
                  (f" # SKIP {wrong}" if skip else ""),
                  flush=True)
            for line in problems:
                print(f"# {line}")
            for kernel, registers, _ in report or ():
                key = kernel, arch
                most[key] = max(registers, most.get(key, 0))
    print_table(most)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
