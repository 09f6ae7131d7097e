#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pemqttsink tells Home Assistant, at a real broker: check_mqtt_home.py FEED

Speaks TAP.
"""

import json
import subprocess
import sys
import uuid

from mosquitto import Broker, Subscriber
from refusing import RefusingBroker

# mosquitto.py says where they are.
from feeding import (DEADLINE, Feed, Proxy, compare_records, find_program,
                     wait_until)
from tap import Folder, run_tests

CONFIG = "homeassistant/device/pe__front_door/config"
STATES = "pe/front_door/classification/pe0"
STATUS = "pe/pemqttsink/status"


def feed(port, *options, **properties):
    properties.setdefault("topic", "records")
    properties.setdefault("drain_timeout", 60000)
    return Feed("pemqttsink", "--stdin", *options, host="127.0.0.1", port=port,
                ha_discovery="true", **properties)


def make_clip(sequence, scores, source="front_door", **members):
    return {"schema": "pe-1", "type": "clip", "source": source,
            "element": "pe0", "sequence": sequence, "unknown": False,
            "label-set-fingerprint": "0123456789abcdef",
            "labels": [{"label": label, "score": score}
                       for label, score in scores.items()], **members}


def make_event(phase, number, label):
    return {"schema": "pe-1", "type": "event", "event": phase, "id": number,
            "label": label, "source": "front_door", "element": "pe0",
            "sequence": 9, "start": 5, "end": 6, "peak": 5, "peak-score": 0.75}


def publish(broker, topic, payload, *options):
    subprocess.run([find_program("mosquitto_pub"), "-h", "127.0.0.1", "-p",
                    str(broker.port), "-q", "1", "-t", topic, "-m", payload,
                    *options],
                   check=True, timeout=DEADLINE)


def listen(broker, name="subscriber"):
    return Subscriber(broker, "-h", "127.0.0.1", name=name)


def get_retained(broker):
    """What the broker keeps: topic -> payload. That comes before anything that
    is published after the subscription."""
    end = str(uuid.uuid4())
    with listen(broker, name="look") as look:
        publish(broker, "marker", end)
        look.wait_for(end)
        return {topic: payload for topic, retained, payload in look.read()
                if retained}


def get_all(listener, topic):
    return [payload for t, _, payload in listener.read() if t == topic]


def wait_retained(broker, topic, payload):
    found = {}

    def is_there():
        found.update(get_retained(broker))
        return found.get(topic) == payload
    wait_until(lambda: f"{topic} {payload} in {found}", is_there)
    return found


# ---- What is told ------------------------------------------------------------

def makes_its_cameras_known(folder):
    with Broker(folder) as broker, feed(broker.port) as sink:
        sink.give(make_clip(1, {"a dog": 0.9, "a cat": 0.1}))
        kept = wait_retained(broker, f"{STATES}/a_cat", "OFF")
        config = json.loads(kept[CONFIG])
        entities = config["components"]
        assert config["device"]["identifiers"] == ["pe__front_door"], config
        assert config["device"]["name"] == "front_door", config
        assert config["origin"]["name"] == "gst-perception-encoder", config
        assert config["availability"] == [
            {"topic": STATUS, "payload_available": "online",
             "payload_not_available": "offline"}], config
        assert {e["platform"] for e in entities.values()} == {
            "binary_sensor", "sensor", "event"}, entities
        dog = entities["label__pe0__a_dog"]
        assert kept[dog["state_topic"]] == dog["payload_on"] == "ON", kept
        best = entities["best__pe0"]
        assert best["state_topic"] == STATES and kept[STATES] == "a dog", kept
        scores = json.loads(kept[best["json_attributes_topic"]])["scores"]
        assert scores == {"a dog": 0.9, "a cat": 0.1}, scores
        assert kept[STATUS] == "online", kept
        assert sink.end() == 0, sink.lines
        assert sink.stat("entities") == 4 and sink.stat("states") == 5
        kept = get_retained(broker)
        assert kept[STATUS] == "offline" and CONFIG in kept, kept


def follows_events(folder):
    with Broker(folder) as broker, listen(broker) as listener, \
            feed(broker.port) as sink:
        sink.give(make_clip(1, {"a dog": 0.1}))
        wait_until("OFF", lambda: get_all(listener, f"{STATES}/a_dog"))
        for phase, state in (("start", "ON"), ("update", "ON"),
                             ("end", "OFF")):
            sink.give(make_event(phase, 7, "a dog"))
            wait_until(phase, lambda: f'"event_type":"{phase}"' in "".join(
                get_all(listener, "pe/front_door/events")))
            assert get_all(listener, f"{STATES}/a_dog")[-1] == state
        assert sink.end() == 0, sink.lines
        events = [json.loads(e)
                  for e in get_all(listener, "pe/front_door/events")]
        assert [e["event_type"] for e in events] == ["start", "update", "end"]
        assert all(e["label"] == "a dog" and e["id"] == 7 for e in events)
        assert get_all(listener, f"{STATES}/a_dog") == ["OFF", "ON", "OFF"]
        # Home Assistant takes no event that the broker has kept.
        assert "pe/front_door/events" not in get_retained(broker)


def tells_all_again_when_home_assistant_starts(folder):
    with Broker(folder) as broker, listen(broker) as listener, \
            feed(broker.port, ha_prefix="home/one") as sink:
        config = CONFIG.replace("homeassistant", "home/one")
        state = f"{STATES}/a_dog"
        sink.give(make_clip(1, {"a dog": 0.9}))
        wait_until("known", lambda: get_all(listener, state))
        publish(broker, "home/one/status", "offline")
        publish(broker, "home/one/status", "online")
        wait_until("known again", lambda: len(get_all(listener, state)) == 2)
        sink.give(make_clip(2, {"a dog": 0.2}))
        wait_until("OFF", lambda: len(get_all(listener, state)) == 3)
        assert get_all(listener, state) == ["ON", "ON", "OFF"]
        assert len(get_all(listener, config)) == 2
        assert sink.end() == 0, sink.lines


# ---- What ends ---------------------------------------------------------------

def is_unavailable_when_it_is_killed(folder):
    with Broker(folder) as broker, feed(broker.port,
                                        client_id="garden") as sink:
        sink.give(make_clip(1, {"a dog": 0.9}))
        kept = wait_retained(broker, "pe/garden/status", "online")
        sink.kill()
        kept = wait_retained(broker, "pe/garden/status", "offline")
        assert json.loads(kept[CONFIG])["availability"][0]["topic"] == \
            "pe/garden/status", kept


def turns_off_what_an_earlier_process_left_on(folder):
    with Broker(folder) as broker:
        for protocol, new in (("5", "a cat"), ("3.1.1", "a hen")):
            publish(broker, "pe/other/classification/pe0/a_dog", "ON", "-r")
            with feed(broker.port, protocol=protocol) as sink:
                sink.give(make_clip(1, {"a dog": 0.9}))
                wait_retained(broker, f"{STATES}/a_dog", "ON")
                sink.kill()
            with feed(broker.port, protocol=protocol) as sink:
                sink.give(make_clip(1, {new: 0.9}))
                kept = wait_retained(broker, f"{STATES}/a_dog", "OFF")
                assert kept["pe/other/classification/pe0/a_dog"] == "ON", kept
                wait_retained(broker, f"{STATES}/{new.replace(' ', '_')}", "ON")
                sink.give(make_clip(2, {"a dog": 0.9}))
                wait_retained(broker, f"{STATES}/a_dog", "ON")
                assert sink.end() == 0, sink.lines


def removes_what_it_told(folder):
    with Broker(folder) as broker:
        with feed(broker.port, ha_remove_on_stop="true") as sink:
            sink.give(make_clip(1, {"a dog": 0.9}))
            wait_retained(broker, f"{STATES}/a_dog", "ON")
            with listen(broker) as listener:
                assert sink.end() == 0, sink.lines
                listener.wait_for("offline")
                assert get_all(listener, CONFIG)[-1] == "", listener.read()
        assert list(get_retained(broker)) == [STATUS], get_retained(broker)
        assert not sink.find("warning"), sink.lines


def says_that_it_could_not_remove(folder):
    with Broker(folder) as broker:
        with feed(broker.port, ha_remove_on_stop="true",
                  drain_timeout=0) as sink:
            sink.give(make_clip(1, {"a dog": 0.9}))
            wait_retained(broker, f"{STATES}/a_dog", "ON")
            broker.stop()
            sink.wait_for("lost")
            assert sink.end() == 0, sink.lines
        assert any("not removed" in line for line in sink.find("warning")), \
            sink.lines


def tells_all_to_a_broker_that_has_forgotten(folder):
    with Broker(folder) as broker, feed(broker.port) as sink:
        sink.give(make_clip(1, {"a dog": 0.9}))
        wait_retained(broker, f"{STATES}/a_dog", "ON")
        broker.stop()
        (folder / "mosquitto.db").unlink(missing_ok=True)
        sink.wait_for("lost")
        sink.give(make_clip(2, {"a dog": 0.1}), make_clip(3, {"a dog": 0.8}),
                  make_clip(4, {"a dog": 0.3}))
        broker.start()
        kept = wait_retained(broker, f"{STATES}/a_dog", "OFF")
        assert CONFIG in kept and kept[STATUS] == "online", kept
        assert sink.end() == 0, sink.lines


def keeps_records_in_order_beside_states(folder):
    """Records of 3 sources whose states change with each, and a connection that
    is reset among them."""
    count = 900
    with Broker(folder) as broker, listen(broker) as listener, \
            Proxy(broker.port) as proxy:
        with feed(proxy.port, spool=folder / "spool.db") as sink:
            clips = [make_clip(i // 3, {f"l{i % 7}": 0.9}, f"cam-{i % 3}")
                     for i in range(count)]
            sink.give(*clips[:count // 2])
            proxy.set("reset")
            sink.give(*clips[count // 2:])
            sink.wait_for("lost")
            proxy.set("pass")
            assert sink.end() == 0, sink.lines
            assert sink.stat("acknowledged") == count, sink.lines
        wait_until("the last", lambda: json.dumps(clips[-1]) in
                   get_all(listener, "records"))
        duplicates = compare_records(get_all(listener, "records"), count)
        kept = get_retained(broker)
    print(f"# {duplicates} duplicates, limit 20")
    assert duplicates <= 20
    for i in range(count - 3, count):
        state = f"pe/cam-{i % 3}/classification/pe0"
        assert kept[state] == f"l{i % 7}", (state, kept)
        on = [topic for topic, payload in kept.items()
              if topic.startswith(state + "/") and payload == "ON"]
        assert on == [f"{state}/l{i % 7}"], on


# ---- What is wrong -----------------------------------------------------------

def refuses_wrong_settings(_folder):
    for properties, words in (
            ({"ha_prefix": "home#"}, ("ha-prefix", "home#", "no #")),
            ({"ha_prefix": ""}, ("ha-prefix", "expected a name")),
            ({"ha_prefix": "home/"}, ("ha-prefix", "home/", "end")),
            ({"ha_prefix": "$x"}, ("ha-prefix", "$")),
            ({"ha_prefix": "x" * 201}, ("ha-prefix", "200 bytes")),
            ({"ha_topic_prefix": "a/+"}, ("ha-topic-prefix", "a/+", "no +")),
            ({"ha_topic_prefix": "/a"}, ("ha-topic-prefix", "beginning")),
            ({"status_online": "x", "status_offline": "x"},
             ("status-online", "differ"))):
        with feed(1, **properties) as sink:
            line = sink.wait_for("error")
            assert all(word in line for word in words), (properties, line)
            sink.end()


def tells_a_newcomer_what_is_missing(folder):
    with Broker(folder) as broker:
        with feed(broker.port) as sink:
            sink.give({"source": "door", "open": True}, {"source": "door"})
            assert "of the type clip or event" in sink.wait_for("warning")
            assert sink.end() == 0, sink.lines
            assert len(sink.find("warning")) == 1, sink.lines
            assert sink.stat("acknowledged") == 2, sink.lines


def works_where_it_may_not_subscribe(_folder):
    with RefusingBroker() as broker, feed(broker.port) as sink:
        line = sink.wait_for("warning")
        assert "permission" in line and "homeassistant/status" in line, line
        sink.give(make_clip(1, {"a dog": 0.9}))
        wait_until("the state", lambda: f"{STATES}/a_dog" in broker.topics)
        assert sink.end() == 0, sink.lines
        assert sink.stat("acknowledged") == 1, sink.lines
        assert CONFIG in broker.topics, broker.topics


def bears_hostile_labels(folder):
    labels = ["a/+#/b", '"quoted"', "\U0001f600", "\u0001", "$SYS", "x" * 10240]
    with Broker(folder) as broker, feed(broker.port) as sink:
        for label in labels:
            sink.give(make_clip(1, {label: 0.9}, source=label[:1000]))
        assert sink.end() == 0, sink.lines
        assert sink.stat("acknowledged") == len(labels), sink.lines
        kept = get_retained(broker)
        configs = [json.loads(payload) for topic, payload in kept.items()
                   if topic.startswith("homeassistant/device/")]
    names = {config["device"]["name"] for config in configs}
    assert names == {*labels[:-1], "x" * 249 + "…"}, names
    states = [entity["state_topic"] for config in configs
              for entity in config["components"].values()
              if entity["platform"] == "binary_sensor"]
    assert len(set(states)) == len(labels), states
    assert all(kept[state] == "ON" for state in states), kept


def main():
    Feed.program = sys.argv[1]
    return run_tests(
        [makes_its_cameras_known, follows_events,
         tells_all_again_when_home_assistant_starts,
         is_unavailable_when_it_is_killed,
         turns_off_what_an_earlier_process_left_on, removes_what_it_told,
         says_that_it_could_not_remove,
         tells_all_to_a_broker_that_has_forgotten,
         keeps_records_in_order_beside_states, refuses_wrong_settings,
         works_where_it_may_not_subscribe, bears_hostile_labels,
         tells_a_newcomer_what_is_missing], Folder)


if __name__ == "__main__":
    sys.exit(main())
