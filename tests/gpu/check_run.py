#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A rehearsal of tests/gpu/run, as a TAP test: check_run.py ROOT BUILD MODULE

Once with the real programs and the emulated device of MODULE, and then with
stand-ins for them, which are killed at every step.
"""

import contextlib
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT, BUILD, MODULE = (pathlib.Path(x).absolute() for x in sys.argv[1:4])
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/gpu"))

import decisions  # noqa: E402
import state  # noqa: E402
import table  # noqa: E402

DEADLINE = 240  # of whatever is waited for
PROGRAMS = ["check_towers", "check_ops", "gpu/measure", "gpu/time_preprocess",
            "cuda_host/check_backend", "cuda_host/check_contexts"]
CARD = "NVIDIA Stand-in"

# Says that it has begun, writes its first number, and either waits to be killed or
# says that it has ended.
STAND_IN = """#!/bin/sh
echo "$PE_STEP" >>"$CALLS/begun"
for word; do
    case $before in
    --out | --log-file) out=$word ;;
    esac
    case $word in
    *preprocess.json) out=$word ;;
    esac
    before=$word
done
if [ -n "$out" ]; then
    echo '{"batches": []}' >"$out.new"
    mv "$out.new" "$out"
fi
if grep -qxF "$PE_STEP" "$CALLS/hold"; then
    exec sleep 300
fi
echo "$PE_STEP" >>"$CALLS/ended"
"""

NVIDIA_SMI = f"""#!/bin/sh
case $* in
*--loop*) echo '1980, 650.5'; exec sleep 300 ;;
*compute_cap*) echo '9.0' ;;
*) echo '{CARD}, 580.1, 1980 MHz, 700.00 W' ;;
esac
"""

# What bench/torch_pe.py writes.
TORCH = """#!/usr/bin/env python3
import json, sys
args = sys.argv[1:]
rows = [{"model": args[args.index("--models") + 1], "dtype": "bf16", "mode": mode,
         "batch": batch, "gpu_ms": [0.5, 0.6], "wall_ms": [0.7, 0.8],
         "images_per_s": batch / 0.7e-3}
        for mode in ("eager", "compile") for batch in (1, 2)]
with open(args[args.index("--out") + 1], "w") as f:
    json.dump({"rows": rows}, f)
"""


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class Place:
    """A folder with a BUILD_DIR, RESULTS, and commands before those of PATH."""

    def __init__(self, folder, **env):
        self.folder = pathlib.Path(folder)
        self.bin, self.build = self.folder / "bin", self.folder / "build"
        self.results = self.folder / "results"
        write_program(self.bin / "nvidia-smi", NVIDIA_SMI)
        write_program(self.folder / "torch", TORCH)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PE_CUDA")}
        self.env |= {
            "PATH": f"{self.bin}:{os.environ['PATH']}", "BUILD_DIR": str(self.build),
            "RESULTS": str(self.results), "LOGS": str(self.folder / "logs"),
            "GST_PE_CUDA_MODULE": str(MODULE), "TORCH": str(self.folder / "torch"),
            "MODELS": f"L={ROOT}/tests/data/tiny_core_cls.safetensors",
            "BATCHES": "2 1", "SECONDS_EACH": "0.01", "HEIGHT": "32", "SLOWER": "40",
            "LIMIT": "5000", **env}

    def use_stand_ins(self):
        for name in PROGRAMS:
            write_program(self.build / "tests" / name, STAND_IN)
        for name in ("ninja", "ncu"):
            write_program(self.bin / name, STAND_IN)
        write_program(self.folder / "torch", STAND_IN)
        (self.build / "build.ninja").touch()
        self.hold("")
        self.env["CALLS"] = str(self.folder)

    def hold(self, step):
        (self.folder / "hold").write_text(step + "\n")

    def calls(self, what):
        try:
            return (self.folder / what).read_text().splitlines()
        except OSError:
            return []

    def start(self, *words, **env):
        log = (self.folder / "output").open("w")
        return subprocess.Popen([ROOT / "tests/gpu/run", *words], stdout=log,
                                stderr=log, env={**self.env, **env})

    def run(self, *words, **env):
        """Its status and what it printed."""
        status = self.start(*words, **env).wait(DEADLINE)
        return status, (self.folder / "output").read_text()

    def read(self):
        """The file, which must be valid at any time."""
        found = list(self.results.glob("*.json"))
        assert len(found) == 1, found
        return json.loads(found[0].read_text())


@contextlib.contextmanager
def new_place(**env):
    with tempfile.TemporaryDirectory() as folder:
        yield Place(folder, **env)


def states(data):
    return {s["name"]: s["state"] for s in data["steps"]}


def wait_for(condition, process):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, "the run has ended by itself"
        assert time.monotonic() < end, "it has not happened in time"
        time.sleep(0.05)


# ---- Cases ------------------------------------------------------------------

def a_whole_call_on_the_emulated_device():
    with new_place(PREBUILT="1", SKIP="check ops,check backend,check contexts,"
                                      "check towers fp") as place:
        place.build.mkdir()
        (place.build / "tests").symlink_to(BUILD / "tests")
        status, output = place.run()
        data = place.read()
        assert status == 0 and data["state"] == "finished", output
        assert data["card"] == CARD and data["driver"] == "580.1", data
        for step in data["steps"]:
            assert step["state"] == "done" or (
                step["state"] == "skipped" and step["reason"]), step
        done = {n for n, s in states(data).items() if s == "done"}
        assert done >= {"check towers bf16", "measure L bf16", "torch L",
                        "load L first", "load L again", "heuristic L bf16",
                        "plain L bf16", "dependent L bf16", "check dependent"}, done
        check_measured(data, output)
        check_parts(data)


def check_measured(data, output):
    run = decisions.Run(data)
    ours = run.measured()["L"]
    assert [r["batch"] for r in ours["batches"]] == [2, 1], ours
    for row in ours["batches"]:
        assert row["gpu_ms"][0] > 0 and row["wall_ms"][0] > 0, row
    assert "clocks" in next(s for s in data["steps"] if s["name"] == "torch L")
    for question, *_ in decisions.QUESTIONS:
        assert f"\n  {question} (" in output, question
    for answered in (decisions.ask_gelu, decisions.ask_residuals,
                     decisions.ask_torch, decisions.ask_clocks, decisions.ask_load,
                     decisions.ask_choices, decisions.ask_heuristic,
                     decisions.ask_dependent):
        assert answered(run), answered.__name__
    assert "\n  to do\n" in output and "took library" in output, output


def check_parts(data):
    """The tables can be printed of whatever has been measured by some time."""
    step = next(s for s in data["steps"] if s["name"] == "measure L bf16")
    keys = list(step["result"])
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "part.json"
        for n in range(len(keys)):
            part = {k: step["result"][k] for k in keys[:n]}
            path.write_text(json.dumps({**data, "steps": [
                {**step, "result": part}]}))
            with contextlib.redirect_stdout(io.StringIO()) as out:
                assert table.main(path) == 0
            assert "to do" in out.getvalue()


def without_time_every_step_says_so():
    with new_place() as place:
        place.use_stand_ins()
        status, output = place.run(LIMIT="1")
        data = place.read()
        assert status == 0 and data["state"] == "unfinished", output
        for step in data["steps"]:
            late = "s are left, it needs" in step["reason"]
            assert step["state"] == "skipped" and (
                late or " is skipped" in step["reason"]), step
        assert "0 s are left" in output and not place.calls("begun"), output


def a_step_has_a_deadline_and_keeps_its_numbers():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        out = folder / "out.json"
        s = state.State(folder / "run.json", {"card": "none"}, 500, folder)
        step = s.add("slow")
        s.run(step, ["sh", "-c", f"echo '{{\"a\": 1}}' >{out}; exec sleep 300"], 10,
              dict(os.environ), out)
        assert step["state"] == "stopped" and "it had 10 s" in step["reason"], step
        assert step["result"] == {"a": 1}, step
        assert json.loads((folder / "run.json").read_text())["steps"] == [step]


def a_failure_stops_only_what_needs_it():
    with new_place() as place:
        place.use_stand_ins()
        write_program(place.build / "tests/check_towers",
                      "#!/bin/sh\necho 'not ok 3 - blocks'\nexit 1\n")
        status, output = place.run()
        data = place.read()
        found = states(data)
        assert status == 1 and "NOT DONE: check towers bf16" in output, output
        assert found["check towers bf16"] == "failed", found
        assert found["measure L bf16"] == "skipped" and found["torch L"] == "done"
        reasons = {s["name"]: s["reason"] for s in data["steps"]}
        assert "not ok 3" in reasons["check towers bf16"], reasons
        assert reasons["measure L bf16"] == '"check towers bf16" is failed', reasons


def killed_at_each_step_it_goes_on_there():
    with new_place() as place:
        place.use_stand_ins()
        place.run(LIMIT="1")
        names = list(states(place.read()))
        assert len(names) >= 12, names
        for number, name in enumerate(names):
            kill_at(place, names, number, name)
        place.hold("")
        status, output = place.run()
        data = place.read()
        assert status == 0 and data["state"] == "finished", output
        assert set(states(data).values()) == {"done"}, states(data)
        # Each was done once, and begun once more, when it was killed.
        assert sorted(place.calls("ended")) == sorted(names)
        assert sorted(place.calls("begun")) == sorted(names * 2)
        # Nothing is left to do, so all of it is done anew.
        place.run("preprocess")
        assert states(place.read())["build"] == "skipped"
        assert len(list(place.results.glob("*.old"))) == 1


def kill_at(place, names, number, name):
    """By SIGTERM and SIGKILL in turn; SIGTERM first, because who starts others, as
    the build does, cannot end them after SIGKILL."""
    sign = (signal.SIGTERM, signal.SIGKILL)[number % 2]
    place.hold(name)
    process = place.start()

    def is_there():
        if list(place.results.glob("*.json")) and states(place.read())[name] == (
                "running"):
            step = next(s for s in place.read()["steps"] if s["name"] == name)
            writes = name.split()[0] in ("measure", "torch", "load", "heuristic",
                                         "plain", "dependent", "preprocess")
            return place.calls("begun").count(name) > 0 and (
                not writes or step.get("result") == {"batches": []})
        return False

    try:
        wait_for(is_there, process)
    finally:
        process.send_signal(sign)
    process.wait(DEADLINE)
    data = place.read()
    found = states(data)
    assert all(found[n] == "done" for n in names[:number]), (name, found)
    assert all(found[n] == "waiting" for n in names[number + 1:]), (name, found)
    if sign == signal.SIGTERM:
        assert found[name] == "stopped" and data["state"] == "interrupted", found
        assert "\n  to do\n" in (place.folder / "output").read_text()
    else:
        assert found[name] == "running" and data["state"] == "running", found


def killed_at_any_moment_the_file_is_whole():
    """And nothing that was done is lost."""
    with new_place() as place:
        place.use_stand_ins()
        done = set()
        for number in range(8):
            process = place.start()
            time.sleep(0.15 * (number + 1))
            process.kill()
            process.wait(DEADLINE)
            if list(place.results.glob("*.json")):
                now = {n for n, s in states(place.read()).items() if s == "done"}
                finished = place.read()["state"] == "finished"
                assert done <= now, (done, now)
                done = set() if finished else now


def another_commit_begins_anew():
    with new_place() as place:
        place.use_stand_ins()
        place.run("build")
        path = next(place.results.glob("*.json"))
        data = place.read()
        assert states(data)["build"] == "done", data
        data["commit"] = "another"
        path.write_text(json.dumps(data))
        place.run("preprocess")
        assert states(place.read())["build"] == "skipped", states(place.read())


def choices_have_one_form():
    line = "choice attention [577, 64]: wgmma 12.3 us, portable 10.1 us, took portable"
    assert decisions.parse_choice(line) == (
        "attention [577, 64]", {"wgmma": 12.3, "portable": 10.1}, "portable")
    for other in ("product [1, 2] x [2, 3]: 1.0 us, 5 TFLOP/s",
                  "choice x: a 1.0 us, b 2.0 us, took c", "choice x: took a",
                  "choice x: a 1.0 ms, took a"):
        assert decisions.parse_choice(other) is None, other


def what_is_missed_is_to_be_done():
    log = ["choice RoPE [577, 64]: pass 20.0 us, fused 30.0 us, took fused",
           "choice GELU [36, 64] x [64, 9]: pass 90.0 us, library 120.0 us, took pass",
           "product [72, 64] x [64, 64] + residual, bf16 to f32: 200.0 us, 1 TFLOP/s"]
    ours = {"config": "PE-Core-L14-336", "log": log, "width": 64, "mlp_width": 256,
            "tokens": 36,
            "operations": [{"name": "out", "rows": 72, "us": 100}],
            "batches": [{"batch": 2, "images_per_s": 1499, "wall_ms": [3, 3],
                         "gpu_ms": [2.0, 2], "queued_ms": 2.01}],
            "frame_ms": [1.2, 1.3], "ingest_ms": [0.1, 0.1]}
    data = {"card": "NVIDIA H200", "steps": [
        {"name": "measure L bf16", "result": ours},
        {"name": "torch L", "result": {"rows": [
            {"mode": "compile", "batch": 2, "gpu_ms": [2.2, 3], "wall_ms": [6, 7]}]}},
        *({"name": f"{way} L bf16", "result": {"batches": [
            {"batch": 1, "images_per_s": 1e3 / ms, "wall_ms": [9, 9],
             "gpu_ms": [ms, ms]}]}} for way, ms in (("plain", 1), ("dependent", 0.8)))]}
    text = "\n".join(decisions.list_lines(decisions.Run(data)))
    for line in ("ACT  L images/s: 1499 at 2, wanted 1500",
                 "ok   L one frame: 1.200 ms, wanted 1.3",
                 "ok   L b2: 1.", " of the predicted ", "  prediction (>= 0.85",
                 "ACT  L b2 gpu_ms: 1.10 x", "ok   L b2 wall_ms: 2.00 x",
                 "ACT  L: -30.0 us a layer, took pass",
                 "ACT  L out: 200.0 us, 0 TFLOP/s, 2.00 x the plain one",
                 "ACT  L b2: 1000 us", "ok   L b2: 10 us, 0.5 %",
                 "ACT  L RoPE: RoPE [577, 64]: pass 20.0 us, fused 30.0 us, took fused",
                 "ok   L b1 gpu_ms: 1.000 ms plain, 0.800 ms dependent, 1.250 x",
                 "    R2 residual products: "):
        assert line in text, (line, text)
    assert "    R9 gap between batches: " not in text


def without_pytorch_its_step_says_so():
    try:
        import timm  # noqa: F401
        import torch  # noqa: F401
        return "PyTorch is here"
    except ImportError:
        pass
    with new_place() as place:
        place.use_stand_ins()
        del place.env["TORCH"]
        status, output = place.run("torch")
        step = next(s for s in place.read()["steps"] if s["name"] == "torch L")
        assert status == 0 and step["state"] == "skipped", step
        assert "is not installed" in step["reason"], step
    return None


CASES = [a_whole_call_on_the_emulated_device, without_time_every_step_says_so,
         a_step_has_a_deadline_and_keeps_its_numbers,
         a_failure_stops_only_what_needs_it, killed_at_each_step_it_goes_on_there,
         killed_at_any_moment_the_file_is_whole, another_commit_begins_anew,
         choices_have_one_form, what_is_missed_is_to_be_done,
         without_pytorch_its_step_says_so]


def main():
    wanted = sys.argv[4:]
    cases = [c for c in CASES if not wanted or c.__name__ in wanted]
    failed = False
    print(f"1..{len(cases)}", flush=True)
    for number, case in enumerate(cases, 1):
        start = time.monotonic()
        try:
            skip = case()
            verdict, why = "ok", f" # SKIP {skip}" if skip else ""
        except (AssertionError, ValueError, subprocess.TimeoutExpired) as e:
            failed, verdict, why = True, "not ok", ""
            print(f"# {type(e).__name__}")
            print("# " + str(e)[:6000].replace("\n", "\n# "))
        print(f"# {time.monotonic() - start:.1f} s")
        print(f"{verdict} {number} - {case.__name__}{why}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
