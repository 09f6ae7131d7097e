# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of every sink do while things go wrong. A listener is what gets
the records: it has path, read() and get_payloads().
"""

import json
import random
import time

from feeding import DEADLINE, Feed, compare_records, wait_until

RATE = 200  # records a second


def wait_for_all(listener, count):
    """Until the last record of each source is there; then the duplicates."""
    def has_last():
        text = listener.path.read_text()
        return all(f'"cam-{i % 3}","sequence":{i // 3},' in text
                   for i in range(count - 3, count))
    wait_until(lambda: f"{count} records, not {len(listener.read())}", has_last)
    return compare_records(listener.get_payloads(), count)


def feed_and_kill(sink, times, pause, **properties):
    """SIGKILL, each time within so many seconds; the first record that was not
    accepted. What is given again, as nobody was told whether that was accepted,
    is one record for each kill."""
    next_record = 0
    for _ in range(times):
        with Feed(sink, "--from", str(next_record), "--count", "1000000",
                  "--rate", str(RATE), **properties) as feed:
            feed.wait_accepted(next_record + 10)
            time.sleep(random.random() * pause)
            feed.kill()
            next_record = feed.accepted + 1
    return next_record


def end_feed(sink, listener, n_records, more=3, **properties):
    """Send what waits in the spool, and some records more; the duplicates."""
    with Feed(sink, "--from", str(n_records), "--count", str(more),
              drain_timeout=60000, **properties) as feed:
        assert feed.end() == 0, feed.lines
    return wait_for_all(listener, n_records + more)


def check_growth(sink, seconds, **properties):
    """Of a process that has a spool and no broker."""
    rate = 2000
    count = int(rate * seconds)
    with Feed(sink, "--count", str(count), "--rate", str(rate), "--quiet",
              drain_timeout=0, **properties) as feed:
        assert feed.end(2 * seconds + DEADLINE) == 0, feed.lines
    assert feed.stat("waiting") == count, feed.lines
    grown = feed.get_growth()
    print(f"# {seconds:.0f} s at {rate} records/s: {grown} KiB, limit 8192")
    assert grown <= 8192


def print_rates(sink, **properties):
    """How many records a second go through a spool, one a buffer and 20."""
    for group in (1, 20):
        n = 100000
        with Feed(sink, "--count", str(n), "--group", str(group), "--quiet",
                  "--wait", "60000", **properties) as feed:
            assert feed.end() == 0, feed.lines
        assert feed.stat("acknowledged") == n, feed.lines
        seconds = float(feed.find("done")[0].split()[1])
        print(json.dumps({"sink": sink, "records": n,
                          "records-per-buffer": group, "seconds": seconds,
                          "records-per-second": round(n / seconds)}))
