#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulator of bench/capacity.py beside what books say: check_capacity.py"""

import math
import pathlib
import random
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "support")]
import capacity  # pylint: disable=wrong-import-position
from tap import run_tests  # pylint: disable=wrong-import-position

N = 200_000


def arrive(rng, rate, n=N):
    times, now = [], 0.0
    for _ in range(n):
        now += rng.expovariate(rate)
        times.append(now)
    return times


def wait(arrivals, services, servers):
    """The mean wait of all, without those who came when it was still empty."""
    times = capacity.simulate_queue(arrivals, services, servers)
    waits = [begin - arrival for arrival, (begin, _) in zip(arrivals, times)]
    return statistics.fmean(waits[len(waits) // 20:])


def is_near(value, expected, share):
    assert abs(value - expected) <= share * expected, (value, expected)


def waits_as_of_constant_services():
    """M/D/1: rho / (2 mu (1 - rho)), Pollaczek and Khinchine."""
    for rho in 0.3, 0.7, 0.85:
        arrivals = arrive(random.Random(1), rho)
        is_near(wait(arrivals, [1.0] * N, 1), rho / (2 * (1 - rho)), 0.05)


def waits_as_of_several_servers():
    """M/M/c: C(c, a) / (c mu - lambda), with the probability C of a wait by Erlang."""
    for servers, load in (1, 0.7), (2, 1.5), (8, 6.4):
        rng = random.Random(2)
        arrivals = arrive(rng, load)
        services = [rng.expovariate(1) for _ in range(N)]
        last = load**servers / math.factorial(servers) * servers / (servers - load)
        probability = last / (last + sum(load**k / math.factorial(k)
                                         for k in range(servers)))
        is_near(wait(arrivals, services, servers),
                probability / (servers - load), 0.05)


def serves_in_order():
    times = capacity.simulate_queue([0, 0, 1, 9], [4, 1, 1, 1], 2)
    assert times == [(0, 4), (0, 1), (1, 2), (9, 10)], times


def takes_all_that_wait_in_a_batch():
    def seconds(n):
        return 1 + 0.5 * n
    ends = capacity.simulate_batches([0, 0.5, 1, 1.2, 1.4, 9], seconds, 3)
    # One, then the three that came meanwhile, then who was left, then the last.
    assert ends == [1.5, 4.0, 4.0, 4.0, 5.5, 10.5], ends
    # At most as many in so much time as full batches are.
    arrivals = [i * 0.01 for i in range(3000)]
    ends = capacity.simulate_batches(arrivals, seconds, 3)
    assert len(ends) == 3000 and ends == sorted(ends)
    is_near(ends[-1], 1000 * seconds(3), 0.001)


def batches_of_one_wait_as_constant_services():
    arrivals = arrive(random.Random(3), 0.7)
    ends = capacity.simulate_batches(arrivals, lambda n: 1.0, 1)
    waits = [end - 1 - arrival for arrival, end in zip(arrivals, ends)]
    is_near(statistics.fmean(waits[N // 20:]), 0.7 / 0.6, 0.05)


def shares_cores_evenly_but_to_none_more_than_it_wants():
    assert capacity.share({0: 1, 1: 1}, 4) == {0: 1, 1: 1}
    assert capacity.share({0: 4, 1: 4}, 2) == {0: 1, 1: 1}
    assert capacity.share({0: 0.5, 1: 4, 2: 4}, 2) == {0: 0.5, 1: 0.75, 2: 0.75}


def foretells_workers_who_share():
    # Alone, by their own width; together, by the cores that there are.
    assert capacity.simulate_sharing([[(3, 1.5)]], 2) == [2.0]
    assert capacity.simulate_sharing([[(3, 1.5)], [(3, 1.5)]], 2) == [3.0, 3.0]
    # The second ends at 2 of 1 core each; the first has 2 left, on 2 cores.
    ends = capacity.simulate_sharing([[(2, 2), (2, 2)], [(2, 1)], []], 2)
    assert all(math.isclose(a, b, abs_tol=1e-9)
               for a, b in zip(ends, [3.0, 2.0, 0.0])), ends


def loses_no_work():
    """While all have work for a core, each core works: the last ends no sooner than
    all work on all cores, and each not sooner than on its own width."""
    rng = random.Random(4)
    for _ in range(300):
        cores = rng.choice((1, 2, 3.5, 8))
        workers = [[(rng.uniform(0.1, 9), rng.uniform(0.2, 3))
                    for _ in range(rng.randrange(1, 6))]
                   for _ in range(rng.randrange(1, 7))]
        ends = capacity.simulate_sharing(workers, cores)
        total = sum(work for tasks in workers for work, _ in tasks)
        assert max(ends) >= total / cores - 1e-6
        for end, tasks in zip(ends, workers):
            assert end >= sum(work / min(width, cores)
                              for work, width in tasks) - 1e-6
        # Those who want all cores share them without a pause.
        greedy = [[(work, cores) for work, _ in tasks] for tasks in workers]
        assert math.isclose(max(capacity.simulate_sharing(greedy, cores)),
                            total / cores, rel_tol=1e-6)


def solves_what_two_lengths_cost():
    a, b = capacity.solve([(6, 2 + 6 * 0.25), (30, 2 + 30 * 0.25)])
    assert math.isclose(a, 2) and math.isclose(b, 0.25), (a, b)
    costs = {"start": (1, 2), "file": (0.5, 0.5), "second": (0.2, 0.1)}
    # By the clock 2 for the start; 6.5 core seconds on 6.5 / 3.5 cores.
    assert math.isclose(capacity.foretell(costs, [[30]], 2), 2 + 3.5)
    # Two of them have 13 core seconds on 2 cores.
    assert math.isclose(capacity.foretell(costs, [[30], [30]], 2), 2 + 6.5)


TESTS = [
    waits_as_of_constant_services,
    waits_as_of_several_servers,
    serves_in_order,
    takes_all_that_wait_in_a_batch,
    batches_of_one_wait_as_constant_services,
    shares_cores_evenly_but_to_none_more_than_it_wants,
    foretells_workers_who_share,
    loses_no_work,
    solves_what_two_lengths_cost,
]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
