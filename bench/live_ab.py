#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bad cameras cost the others: bench/live_ab.py PE_LIVE

--streams RTSP cameras, each a server in a process of its own. Windows of two kinds
take turns in one run, so that what else the machine does is in both: in the one, all
cameras are well; in the other, one is stopped (SIGSTOP), one sends spoilt pictures,
and one is killed every five seconds and comes back. The results of those that are
well in both are compared: how many came, and the 99th percentile of how old they
were when they came. Another camera wants a password that pe-live does not have.

Printed are the bars, too. The exit status is 1 when one is missed, and 77 when there
is no RTSP server here. For instance

    bench/live_ab.py build/pipelines/pe-live --streams 32 --minutes 10 --json ab.json
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests" / "pipelines"), str(ROOT / "tests" / "support")]
from camera import Camera  # noqa: E402
from live import live, percentile, to_seconds  # noqa: E402
from tap import Skipped  # noqa: E402

KILL_PERIOD = 5  # s
WATCHDOG = 3
GROUP = 1  # s from a key frame to the next
WRONG = "viewer:Fa1sch.pw@"
MAX_RATIO, MAX_BACK, MAX_NOTICED, MAX_ATTEMPTS = (
    1.10, 2 + GROUP, WATCHDOG + 0.5, 10)


def parse(args):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--streams", type=int, default=32,
                        help="with the three that fail (default 32)")
    parser.add_argument("--minutes", type=float, default=10,
                        help="of windows, of both kinds together (default 10)")
    parser.add_argument("--window", type=float, default=10, help="s")
    parser.add_argument("--settle", type=float, default=5,
                        help="s before each window, which do not count")
    parser.add_argument("--size", default="320x240", help="of a picture")
    parser.add_argument("--rate", type=int, default=10, help="pictures a second")
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args(args)


class Bench:
    """Cameras, the program that watches them, and what was measured so far."""

    def __init__(self, program, servers, options):
        self.program, self.servers, self.options = program, servers, options
        self.windows = {False: [], True: []}
        self.killed, self.stopped = [], []  # times: (killed, back), stopped

    def find(self, name, begin, end=None, **fields):
        """The first line about a stream from then on, or None."""
        with self.program.changed:
            lines = list(self.program.lines)
        for line in lines:
            if (name in (line.get("stream"), line.get("source")) and
                    begin <= line["arrived"] <= (end or 1e18) and
                    all(line.get(k) == v for k, v in fields.items())):
                return line
        return None

    # ---- Faults -------------------------------------------------------------

    def replace(self, uri):
        """The stream that is spoilt, or well, from now on."""
        program = self.program
        assert program.ask({"command": "remove", "name": "spoilt"})["ok"]
        mark = program.mark()
        while not program.ask({"command": "add", "name": "spoilt",
                               "uri": uri})["ok"]:
            time.sleep(0.1)
        program.wait_status("spoilt", "running", mark)

    @contextlib.contextmanager
    def faults(self):
        stalls = self.servers["stalls"].process.pid
        self.stopped.append(time.monotonic())
        os.kill(stalls, signal.SIGSTOP)
        self.replace(self.servers["corrupt"].uri())
        yield
        os.kill(stalls, signal.SIGCONT)
        self.replace(self.servers["sound"].uri())
        for name in ("stalls", "flaps"):
            self.program.wait_result(name, self.program.mark())

    def kill(self):
        began = time.monotonic()
        self.servers["flaps"].kill()
        self.servers["flaps"].start()
        self.killed.append((began, time.monotonic()))

    def spend(self, seconds, kills):
        until = time.monotonic() + seconds
        while kills and until - time.monotonic() > KILL_PERIOD / 2:
            next_time = time.monotonic() + KILL_PERIOD
            self.kill()
            time.sleep(max(min(next_time, until) - time.monotonic(), 0))
        time.sleep(max(until - time.monotonic(), 0))

    # ---- Measures -----------------------------------------------------------

    def forget(self):
        """Clips that have been counted; nobody needs their lines."""
        with self.program.changed:
            self.program.lines[:] = [
                line if line["type"] == "status" else
                {"type": "old", "arrived": line["arrived"]}
                for line in self.program.lines]
            self.program.text.clear()

    def measure(self, kills):
        self.spend(self.options.settle, kills)
        begin = time.monotonic()
        self.spend(self.options.window, kills)
        end = time.monotonic()
        # A clip ends when its last picture has been shown.
        offset = time.time() - time.monotonic() + 1 / self.options.rate
        with self.program.changed:
            lines = [line for line in self.program.lines
                     if line["type"] == "clip" and
                     line["source"].startswith("well") and
                     begin <= line["arrived"] <= end]
        assert lines, "no result of those that are well"
        ages = [line["arrived"] + offset - to_seconds(line["clip"]["wall-end"])
                for line in lines]
        window = {"rate": len(lines) / (self.options.streams - 3) /
                  (end - begin), "p99": percentile(ages, 99)}
        self.windows[kills].append(window)
        self.forget()
        print(f"# {'faulty' if kills else 'well  '}: {window['rate']:.3f} "
              f"results a second, p99 of ages {1000 * window['p99']:.0f} ms",
              flush=True)

    def get_back(self):
        """Seconds from each return of the server to a picture; None: never."""
        ends = [began for began, _ in self.killed[1:]] + [time.monotonic()]
        back = []
        for (began, returned), end in zip(self.killed, ends):
            lost = self.find("flaps", began, end, type="status",
                             status="retrying")
            line = lost and self.find("flaps", lost["arrived"], end,
                                      type="status", status="running")
            back.append(max(line["arrived"] - returned, 0) if line else None)
        return back

    def get_noticed(self):
        noticed = []
        for stopped in self.stopped:
            line = self.find("stalls", stopped, type="status",
                             status="retrying")
            if line:
                noticed.append(line["arrived"] - stopped)
        return noticed

    def get_attempts(self):
        """The most with the wrong password in a minute."""
        with self.program.changed:
            times = [line["arrived"] for line in self.program.lines
                     if line["type"] == "status" and
                     (line["stream"], line["status"]) == ("locked", "retrying")]
        return max((sum(t <= u < t + 60 for u in times) for t in times),
                   default=0)

    def report(self):
        medians = {kind: {key: statistics.median(w[key] for w in windows)
                          for key in ("rate", "p99")}
                   for kind, windows in self.windows.items()}
        back, noticed = self.get_back(), self.get_noticed()
        known = [x for x in back if x is not None]
        return {
            "streams": self.options.streams, "size": self.options.size,
            "pictures-a-second": self.options.rate,
            "windows": len(self.windows[True]),
            "rate": {"well": medians[False]["rate"],
                     "faulty": medians[True]["rate"],
                     "ratio": medians[False]["rate"] / medians[True]["rate"]},
            "p99-age": {"well": medians[False]["p99"],
                        "faulty": medians[True]["p99"],
                        "ratio": medians[True]["p99"] / medians[False]["p99"]},
            "restarts": len(back), "not-back": len(back) - len(known),
            "back-median": statistics.median(known) if known else None,
            "back-p95": percentile(known, 95) if known else None,
            "back-max": max(known, default=None),
            "noticed-max": max(noticed, default=None),
            "attempts-a-minute": self.get_attempts(),
            "pairs": [{"well": w, "faulty": f} for w, f in
                      zip(self.windows[False], self.windows[True])],
        }


def list_bars(report):
    """[(what, value, limit)]"""
    return [
        ("rate of results, well : faulty", report["rate"]["ratio"], MAX_RATIO),
        ("p99 of ages, faulty : well", report["p99-age"]["ratio"], MAX_RATIO),
        ("back after its server, s, 95 %", report["back-p95"], MAX_BACK),
        ("a stopped server noticed, s", report["noticed-max"], MAX_NOTICED),
        ("attempts a minute with a wrong password",
         report["attempts-a-minute"], MAX_ATTEMPTS)]


def run(options):
    """The report of windows in pairs, at least one, for options.minutes."""
    with contextlib.ExitStack() as stack:
        well = [f"well{i}" for i in range(options.streams - 3)]
        kinds = {name: "good" for name in well + ["stalls", "flaps", "sound"]}
        kinds.update(corrupt="corrupt", locked="login")
        servers = {}
        for name, kind in kinds.items():
            servers[name] = Camera(kind, options.size, options.rate)
            stack.callback(servers[name].kill)
        streams = [f"{name}={servers[name].uri()}"
                   for name in well + ["stalls", "flaps"]]
        program = stack.enter_context(live(
            options.program, *streams, f"spoilt={servers['sound'].uri()}",
            f"locked={servers['locked'].uri(WRONG)}",
            "--set", f"watchdog={WATCHDOG}"))
        for name in well + ["stalls", "flaps", "spoilt"]:
            program.wait_result(name)
        bench = Bench(program, servers, options)
        until = time.monotonic() + 60 * options.minutes
        while True:
            bench.measure(False)
            with bench.faults():
                bench.measure(True)
            if time.monotonic() >= until:
                break
        report = bench.report()
        assert program.end()[0] == 0
    return report


def main():
    options = parse(sys.argv[1:])
    try:
        report = run(options)
    except Skipped as why:
        print(f"not here: {why}")
        return 77
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n",
                                encoding="utf-8")
    for key in ("rate", "p99-age", "restarts", "not-back", "back-median",
                "back-max"):
        print(f"{key}: {report[key]}")
    missed = 0
    for what, value, limit in list_bars(report):
        good = value is not None and value <= limit
        missed += not good
        print(f"{what}: {value if value is None else round(value, 3)}, "
              f"limit {limit}{'' if good else ': MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
