#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tags the shards of a plan on a Ray cluster, and merges them:

    tag_shards.py --plan plan.tsv --shards 16 --out FOLDER [-- OPTION...]

Every node needs pe-tag and FOLDER, under the same paths. Options behind -- are
pe-tag's. Shards are in FOLDER/shards/, what they are merged into in
FOLDER/merged. What ends with "try again", and what a worker or a node takes down
with it, is tried again; "never" ends it all. The exit status is that of pe-tag: 0
done, 1 try again, 2 never.
"""

import argparse
import ctypes
import os
import pathlib
import signal
import subprocess
import sys

import ray

PR_SET_PDEATHSIG = 1  # of prctl(2)


class TryAgain(Exception):
    """pe-tag has not come to its end, and will go on where it was."""


class Never(Exception):
    """pe-tag says that the same will fail again."""


def end_with_parent():
    """A worker that is killed must not leave a pe-tag that has the archive."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(command, folder=None):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False,
                          errors="replace", preexec_fn=end_with_parent)
    if done.returncode == 0:
        return
    words = f"{' '.join(command[:6])}: {done.stderr.strip()[-2000:]}"
    raise Never(words) if done.returncode == 2 else TryAgain(words)


@ray.remote
def tag_shard(command, folder):
    """`folder`: where the driver is, which relative options mean."""
    run(command, folder if os.path.isdir(folder) else None)


def tag_all(args):
    """Starts a task for each shard and waits for all of them."""
    remote = tag_shard.options(max_retries=args.retries, num_cpus=args.cpus,
                               num_gpus=args.gpus, retry_exceptions=[TryAgain])
    tasks = {}
    for i in range(args.shards):
        command = [args.pe_tag, "--list", args.plan, "--shard",
                   f"{i}/{args.shards}", "--out", f"{args.out}/shards/{i}",
                   *args.options]
        tasks[remote.remote(command, os.getcwd())] = i
    left = list(tasks)
    while left:
        done, left = ray.wait(left)
        ray.get(done)
        print(f"shard {tasks[done[0]]}: done, {len(left)} left", flush=True)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", required=True, help="what pe-tag plan printed")
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--address", default="auto", help="of the cluster")
    parser.add_argument("--retries", type=int, default=20, help="of each shard")
    parser.add_argument("--cpus", type=float, default=1, help="of each shard")
    parser.add_argument("--gpus", type=float, default=0, help="of each shard")
    parser.add_argument("--pe-tag", default="pe-tag", help="the program")
    parser.add_argument("options", nargs="*", metavar="OPTION")
    args = parser.parse_args()
    # Workers have folders of their own.
    args.plan, args.out = (str(pathlib.Path(path).resolve())
                           for path in (args.plan, args.out))
    return args


def main():
    args = parse()
    ray.init(address=args.address, log_to_driver=False)
    try:
        tag_all(args)
        run([args.pe_tag, "merge", *(f"{args.out}/shards/{i}"
                                     for i in range(args.shards)),
             "--out", f"{args.out}/merged"])
    except Never as error:
        print(error, file=sys.stderr)
        return 2
    except (TryAgain, ray.exceptions.RayError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
