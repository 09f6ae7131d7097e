#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pipelines/slurm/tag-shards on a Slurm of four nodes on this machine, as a TAP
test: check_slurm.py PE_TAG SCRIPT

The nodes are four slurmd with ports of their own, and a munged has a key of its
own. Needs root, as slurmd does.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import sharding
from sharding import SLOW, VideoServer
from tagging import folder, run_tests, skip

PROGRAM, SCRIPT = sys.argv[1:3]
PATIENCE = 400  # s; a node is given up after some, and its job waits for more

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
MpiDefault=none
NodeName=n[1-4] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=1
PartitionName=all Nodes=n[1-4] Default=YES MaxTime=INFINITE State=UP
"""


def find_ports(n):
    """The first of n free ones in a row."""
    for first in range(20000 + os.getpid() % 9000, 32000, n):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + n):
                    stack.enter_context(socket.socket()).bind(
                        ("127.0.0.1", port))
            except OSError:
                continue
            return first
    return skip("there are no free ports")


class Slurm:
    """A cluster; what it has started ends with it."""

    def __init__(self, place):
        self.folder, self.started, self.nodes = pathlib.Path(place), [], {}
        port, host = find_ports(5), socket.gethostname().partition(".")[0]
        for name in ("state", "munge"):
            (self.folder / name).mkdir(mode=0o700)
        config = self.folder / "slurm.conf"
        config.write_text(CONFIG.format(host=host, port=port, first=port + 1,
                                        last=port + 4, folder=place))
        self.env = sharding.environment(SLURM_CONF=str(config), PE_TAG=PROGRAM)

    def start(self, *args):
        with open(self.folder / "output", "ab") as out:
            self.started.append(subprocess.Popen(
                [*map(str, args)], env=self.env, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out))
        return self.started[-1]

    def __enter__(self):
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(1024))
        (munge / "key").chmod(0o600)
        self.start("munged", "--foreground", "--force", "--socket",
                   munge / "socket", "--key-file", munge / "key", "--log-file",
                   munge / "log", "--pid-file", munge / "pid", "--seed-file",
                   munge / "seed")
        wait_for("a socket of munged", (munge / "socket").exists)
        self.start("slurmctld", "-D")
        for name in ("n1", "n2", "n3", "n4"):
            (self.folder / f"spool-{name}").mkdir()
            self.nodes[name] = self.start("slurmd", "-D", "-N", name)
        try:
            wait_for("four idle nodes", lambda: self.ask(
                "sinfo", "-h", "-o", "%D %t", check=False).strip() == "4 idle",
                     60)
        except AssertionError:
            log = (self.folder / "output").read_text(errors="replace")
            self.__exit__()
            skip(f"Slurm does not start here: {log.strip()[-300:]!r}")
        return self

    def __exit__(self, *args):
        for process in reversed(self.started):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, *args, check=True):
        return subprocess.run([*map(str, args)], env=self.env, text=True,
                              check=check, capture_output=True,
                              timeout=PATIENCE).stdout

    def submit(self, *args):
        return self.ask("sbatch", "--parsable", "--output",
                        self.folder / "job-%A-%a.log", *args).strip()

    def fail_node(self, name):
        """As when its power goes: the daemon, its steps and their programs."""
        steps = list_on_node(name)
        for pid in [self.nodes[name].pid, *steps]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.nodes[name].wait()
        assert steps, "nothing was on the node"


def wait_for(what, is_there, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not is_there():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(.1)


def read(pid, name):
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc", str(pid), name).read_bytes()
    return b""


def list_on_node(name):
    """slurmstepd first, so that it tells nobody that what it watches has ended."""
    own = f"\0SLURMD_NODENAME={name}\0".encode()
    jobs = [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*")
            if own in b"\0" + read(path.name, "environ")
            and PROGRAM.encode() in read(path.name, "cmdline")
            or own in b"\0" + read(path.name, "environ")
            and b"slurm_script" in read(path.name, "cmdline")]
    steps = {int(read(pid, "stat").rpartition(b") ")[2].split()[1] or 0)
             for pid in jobs}
    steps = {pid for pid in steps if b"slurmstepd" in read(pid, "cmdline")}
    return [*steps, *jobs]


def find_held(plan):
    """The node whose pe-tag is the only one still at work."""
    nodes = set()
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        words = read(path.name, "cmdline").split(b"\0")
        if words[0] == PROGRAM.encode() and os.fsencode(plan) in words:
            found = re.search(rb"\0SLURMD_NODENAME=(\w+)\0",
                              b"\0" + read(path.name, "environ"))
            nodes |= {found[1].decode()} if found else set()
    return nodes.pop() if len(nodes) == 1 else None


def need_slurm():
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch")
               if not shutil.which(name)]
    if missing:
        skip(f"there is no {missing[0]}")
    if os.geteuid() != 0:
        skip("slurmd needs root")


def run_array(slurm, server, out, interrupt):
    """What an array of four and its merge make, when interrupt() has done its
    worst to the task that is in the middle of a file.
    """
    plan = out + "/plan.tsv"
    server.hold_longest()
    job = slurm.submit("--array=0-3", SCRIPT, plan, out + "/s", 4, *SLOW)
    merged = slurm.submit(f"--dependency=afterok:{job}", "--wrap",
                          f"{PROGRAM} merge {out}/s/[0-3] --out {out}/m")
    server.wait_held()
    wait_for("the other tasks", lambda: find_held(plan) and len(
        list(pathlib.Path(out).glob("s/*/DONE"))) == 3)
    interrupt(job, find_held(plan))
    wait_for("the queue to be empty", lambda: slurm.ask(
        "squeue", "-h", "-j", f"{job},{merged}", check=False).strip() == "")
    logs = "".join(path.read_text() for path in slurm.folder.glob("job-*.log"))
    assert pathlib.Path(out, "m").exists(), logs
    folders = [f"{out}/s/{i}" for i in range(4)]
    shutil.rmtree(out + "/m")
    return sharding.merge(PROGRAM, folders, out + "/m"), logs


def merges_the_same_after_a_node_failed_in_a_file():
    need_slurm()
    with VideoServer(8) as server, folder() as out, folder() as place:
        expected = sharding.merge_alone(PROGRAM, server, out + "/plan.tsv", out)
        with Slurm(place) as slurm:
            def interrupt(_, node):
                slurm.fail_node(node)
                server.release()
            found, logs = run_array(slurm, server, out, interrupt)
        assert found == expected, logs


def queues_again_what_was_told_to_end():
    need_slurm()
    with VideoServer(8) as server, folder() as out, folder() as place:
        expected = sharding.merge_alone(PROGRAM, server, out + "/plan.tsv", out)
        with Slurm(place) as slurm:
            def interrupt(job, _):
                # As --signal=B:USR1@60 does before the time is over, and again
                # until the file in work is given up.
                def is_queued():
                    slurm.ask("scancel", "--batch", "--signal=USR1", job,
                              check=False)
                    return any("queued again" in path.read_text()
                               for path in slurm.folder.glob("job-*.log"))
                wait_for("the task to be queued again", is_queued)
                server.release()
            found, logs = run_array(slurm, server, out, interrupt)
        assert found == expected, logs
        assert "queued again" in logs, logs


TESTS = [
    merges_the_same_after_a_node_failed_in_a_file,
    queues_again_what_was_told_to_end,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
