#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manifests of pipelines/kubernetes/ without a cluster, as a TAP test:
check_manifests.py PE_TAG PE_LIVE FOLDER PYTHON

What they are is what the models of Kubernetes' Python client say, which are made
from its API: those of two versions, which tests/scale/install has put beside
PYTHON. And what they do with an exit status is what pe-tag means by it, which is
asked for each.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import sharding
import tagging
from sharding import PATIENCE, SLOW, VideoServer, start
from tagging import folder, run_tests, skip

PROGRAM, PE_LIVE, FOLDER, PYTHON = sys.argv[1:5]
VERSIONS = ("kubernetes-29", "kubernetes-34")

# Run by PYTHON: prints the manifests as JSON.
LOAD = """
import json, pathlib, sys, yaml
print(json.dumps({path.name: yaml.safe_load(path.read_text())
                  for path in pathlib.Path(sys.argv[1]).glob("*.yaml")}))
"""

# Run with a version of the client: names each member that its models do not have,
# that is of another type, or that is needed and missing.
VALIDATE = """
import json, re, sys
from kubernetes import client
def check(value, kind, where):
    listed = re.fullmatch(r"list\\[(.*)\\]", kind)
    mapped = re.fullmatch(r"dict\\((\\w+), (.*)\\)|dict\\[(\\w+), (.*)\\]", kind)
    if listed:
        if not isinstance(value, list):
            return [f"{where}: no list"]
        return [fault for i, item in enumerate(value)
                for fault in check(item, listed[1], f"{where}[{i}]")]
    if mapped:
        return [fault for key, item in value.items() for fault in
                check(item, mapped[2] or mapped[4], f"{where}.{key}")]
    if kind in ("str", "int", "bool", "float"):
        right = {"str": str, "int": int, "bool": bool, "float": (int, float)}[kind]
        good = isinstance(value, right) and (kind == "bool") == isinstance(value, bool)
        return [] if good else [f"{where}: {value!r} is no {kind}"]
    if kind in ("object", "datetime"):
        return []
    model = getattr(client, kind)
    names = {given: name for name, given in model.attribute_map.items()}
    faults = [f"{where}: there is no {key} in {kind}" for key in value
              if key not in names]
    given = {names[key]: item for key, item in value.items() if key in names}
    for key, item in given.items():
        faults += check(item, model.openapi_types[key], f"{where}.{key}")
    try:
        model(**given)
    except ValueError as error:
        faults.append(f"{where}: {error}")
    return faults
kinds = {("batch/v1", "Job"): "V1Job", ("apps/v1", "Deployment"): "V1Deployment"}
faults, manifests = [], json.load(sys.stdin)
for name, manifest in manifests.items():
    kind = kinds[manifest["apiVersion"], manifest["kind"]]
    faults += check(manifest, kind, name)
print("\\n".join(faults))
"""


def load():
    if not pathlib.Path(PYTHON).exists():
        skip("there is no Python with yaml; tests/scale/install makes one")
    done = subprocess.run([PYTHON, "-c", LOAD, FOLDER], capture_output=True,
                          text=True, check=False)
    if "No module named" in done.stderr:
        skip("Python's yaml is not installed")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def validate(manifests, version):
    place = pathlib.Path(PYTHON).parents[2] / version
    if not place.is_dir():
        skip(f"there is no {version}; tests/scale/install fetches it")
    done = subprocess.run([PYTHON, "-c", VALIDATE], check=True, text=True,
                          input=json.dumps(manifests), stdout=subprocess.PIPE,
                          env=sharding.environment(PYTHONPATH=str(place)))
    return done.stdout.strip()


def are_what_two_versions_of_the_api_have():
    manifests = load()
    assert len(manifests) == 3, list(manifests)
    for version in VERSIONS:
        faults = validate(manifests, version)
        assert not faults, f"{version}: {faults}"
        # The models do notice.
        job = json.loads(json.dumps(manifests["tag-job.yaml"]))
        job["spec"]["podFailurePolicy"]["rules"][1]["onExitCodes"] = {
            "operator": "In", "values": ["2"]}
        job["spec"]["backoffLimitPerindex"] = 3
        faults = validate({"wrong": job}, version)
        assert "'2' is no int" in faults, faults
        assert "backoffLimitPerindex" in faults, faults


# ---- Exit statuses ---------------------------------------------------------

def act(job, status, disrupted=False):
    """What the Job controller does with a pod: the first rule that fits."""
    for rule in job["spec"]["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes:
            assert codes["operator"] == "In", codes
            names = [c["name"] for c in
                     job["spec"]["template"]["spec"]["containers"]]
            assert codes["containerName"] in names, codes
            if status in codes["values"]:
                return rule["action"]
        elif disrupted and any(condition["type"] == "DisruptionTarget"
                               and condition["status"] == "True"
                               for condition in rule["onPodConditions"]):
            return rule["action"]
    return "Count"


def end_statuses():
    """(0, 1, 2) as pe-tag ends with them."""
    with VideoServer(2) as server, folder() as out:
        plan = out + "/plan.tsv"
        server.write_plan(PROGRAM, plan)
        args = ("--list", plan, "--shard", "0/1", "--out", out + "/0")
        server.hold_longest()
        process = start(PROGRAM, *args, "--jobs", 1, *SLOW)
        server.wait_held()
        while process.poll() is None:  # the second gives the file up
            process.send_signal(signal.SIGTERM)
            time.sleep(.2)
        server.release()
        ended = process.wait(PATIENCE)
        done = subprocess.run([PROGRAM, *args], capture_output=True,
                              timeout=PATIENCE, check=False).returncode
        wrong = subprocess.run([PROGRAM, *args[:2], "--shard", "1/1", *args[4:]],
                               capture_output=True, timeout=PATIENCE,
                               check=False).returncode
        return done, ended, wrong


def do_with_each_exit_status_what_it_means():
    manifests = load()
    done, ended, wrong = end_statuses()
    assert (done, ended, wrong) == (0, 1, 2), (done, ended, wrong)
    tag, merge = manifests["tag-job.yaml"], manifests["merge-job.yaml"]
    assert act(tag, ended) == act(merge, ended) == "Count"
    assert act(tag, wrong) == "FailIndex" and act(merge, wrong) == "FailJob"
    for status in (ended, wrong, 137, 143):
        assert act(tag, status, disrupted=True) == "Ignore", status
        assert act(merge, status, disrupted=True) == "Ignore", status
    assert act(tag, 137) == "Count"  # out of memory
    spec = tag["spec"]
    assert spec["completionMode"] == "Indexed", spec
    assert spec["backoffLimitPerIndex"] >= 1, spec
    # By the API, either of them is needed for podFailurePolicy and FailIndex.
    for job in (tag, merge):
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def expand(words, variables):
    for name, value in variables.items():
        words = [word.replace(f"$({name})", value) for word in words]
    return words


def run_what_the_programs_know():
    """With /archive as a folder of ours: every shard, and the merge."""
    manifests = load()
    with VideoServer(3) as server, folder() as out:
        server.write_plan(PROGRAM, out + "/plan.tsv")
        spec = manifests["tag-job.yaml"]["spec"]
        container, = spec["template"]["spec"]["containers"]
        names = [env["name"] for env in container["env"]]
        assert names == ["SHARD"], names
        for i in range(spec["completions"]):
            words = expand(container["args"], {"SHARD": str(i)})
            words = [word.replace("/archive", out) for word in words]
            assert f"--shard={i}/{spec['completions']}" in words, words
            tagging.run(PROGRAM, *words)
        container, = (manifests["merge-job.yaml"]["spec"]["template"]["spec"]
                      ["containers"])
        words = [word.replace("/archive", out)
                 for word in container["command"] + container["args"]]
        path = f"{pathlib.Path(PROGRAM).parent}:{os.environ['PATH']}"
        subprocess.run(words, check=True, capture_output=True,
                       env=sharding.environment(PATH=path), timeout=PATIENCE)
        assert tagging.run(PROGRAM, "verify", "--out", out + "/merged")[0] == (
            "sound\n")


def ask_a_pe_live_that_answers():
    """The Deployment's words and probes, with its folders as ours."""
    container, = (load()["live.yaml"]["spec"]["template"]["spec"]["containers"])
    with folder() as out:
        def to_ours(words):
            words = [word.replace("/etc/pe-live", out).replace(
                "/run/pe-live", out) for word in words]
            return [PE_LIVE if word == "pe-live" else word for word in words]
        pathlib.Path(out, "cameras.json").write_text(json.dumps(
            {"streams": [{"name": "gate", "uri": "rtsp://127.0.0.1:1/none"}]}))
        probes = [to_ours(container[name]["exec"]["command"]) for name in
                  ("startupProbe", "livenessProbe", "readinessProbe")]
        assert subprocess.run(probes[0], capture_output=True,
                              check=False).returncode == 1
        live = subprocess.Popen(to_ours(container["command"] + container["args"]),
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL,
                                env=sharding.environment(XDG_CACHE_HOME=out))
        deadline = time.monotonic() + PATIENCE
        for probe in probes:  # the camera is away, and the program is there
            while subprocess.run(probe, capture_output=True,
                                 check=False).returncode:
                assert live.poll() is None, live.returncode
                assert time.monotonic() < deadline, "pe-live does not answer"
                time.sleep(.2)
        live.send_signal(signal.SIGTERM)
        assert live.wait(PATIENCE) == 0, live.returncode


TESTS = [
    are_what_two_versions_of_the_api_have,
    do_with_each_exit_status_what_it_means,
    run_what_the_programs_know,
    ask_a_pe_live_that_answers,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
