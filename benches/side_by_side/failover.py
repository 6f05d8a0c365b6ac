"""How long partitions are not served: a worker killed, a worker stopped in order, a broker killed.

A partition of telemetry is served when it takes entries, which come all the time. One between the stages gets an entry
only when a window of ten seconds closes: it is served when it took one, or is back where its owner stood and has none
to take.
"""
import os
import signal
import subprocess
import time

from brokers import PARTITIONS, Distributed, kafka, until
from load import command
from machine import resident_mib
from servers import scratch

RATE = 20_000
STAGES = 3 + 1 + 1
# What the rows of partitions of telemetry say of themselves.
TELEMETRY = 'stage="reduce"'


def failover(settings):
    worker_ends(settings, "worker killed, session time 6 s", signal.SIGKILL, "< 10 s")
    worker_ends(settings, "worker stopped in order", signal.SIGTERM, "< 2 s")
    broker_ends(settings)


def entries(worker):
    return worker.rows("foreshock_stage_entries_total")


def worker_ends(settings, what, how, asked):
    with scratch(settings) as directory, kafka(directory) as cluster:
        foreshock = Distributed(settings, directory, cluster)
        with foreshock.service("ingest") as ingest, foreshock.service("worker") as goes, foreshock.service("worker") as stays:
            with background(settings, foreshock, ingest):
                shared_out(goes, stays)
                time.sleep(5)
                seconds = ends(goes, how, stays)
        settings.table.add(what, "s until its partitions are served", seconds, None, asked)


def with_state(settings):
    """The same with the state of many series: whoever takes over has to load it, or has followed it."""
    for series in settings.series:
        # Each series once a round; two of them make a baseline.
        more = ("--signal", "metrics", "--series", series, "--rate", series / settings.round_seconds)
        for paired in (False, True):
            what = f"worker killed, {series // 1000} k series" + (", another stood by" if paired else "")
            with scratch(settings) as directory, kafka(directory) as cluster:
                pair = {"extra": "[worker]\nstandby = true\n", "instance": "pair"} if paired else {}
                foreshock = Distributed(settings, directory, cluster, **pair)
                with foreshock.service("ingest") as ingest, foreshock.service("worker") as goes:
                    until(lambda: len(entries(goes)) == STAGES * PARTITIONS, 60)
                    with foreshock.service("worker") as stays, background(settings, foreshock, ingest, 10, 100, *more):
                        seconds, memory = taken_over(settings, series, goes, stays, paired)
            settings.table.add(what, "s until its partitions are served", seconds, None, "< 10 s")
            settings.table.add(what, "MiB of the other afterwards", memory)


def taken_over(settings, series, goes, stays, paired):
    if paired:
        follows = lambda: stays.total("foreshock_worker_followed_partitions") == STAGES * PARTITIONS
        until(follows, 60)
    else:
        shared_out(goes, stays)
    known = lambda: goes.total("foreshock_stage_series") + stays.total("foreshock_stage_series")
    until(lambda: known() >= series, 10 * settings.round_seconds)
    time.sleep(settings.round_seconds)
    seconds = ends(goes, signal.SIGKILL, stays)
    # The gauge follows once a second.
    until(lambda: stays.total("foreshock_stage_series") >= series, 60)
    return seconds, resident_mib(stays.pid)


def shared_out(*workers):
    """Every stage's partitions are served, and each worker has some."""
    wanted = STAGES * PARTITIONS
    until(lambda: shares(*workers) == wanted and all(len(entries(worker)) >= wanted // 4 for worker in workers), 60)


def ends(worker, how, other):
    """Seconds from the signal until the other has taken entries of all that was served by the one."""
    theirs = set(entries(worker))
    worker.process.send_signal(how)
    return until(lambda: serves(other, theirs), 60)


def shares(*workers):
    return sum(len(entries(worker)) for worker in workers)


def serves(worker, partitions):
    taken = entries(worker)
    if worker.total("foreshock_worker_recovering_partitions") or not partitions <= taken.keys():
        return False
    behind = worker.rows("foreshock_stage_lag_entries")
    return all(taken[one] > 0 or (TELEMETRY not in one and behind.get(one, 0) == 0) for one in partitions)


def broker_ends(settings):
    """Three brokers, three copies, two in sync: the longest wait for an acknowledgement, and until all partitions go on."""
    with scratch(settings) as directory, kafka(directory, brokers=3) as cluster:
        foreshock = Distributed(settings, directory, cluster)
        with foreshock.service("ingest") as ingest, foreshock.service("worker") as worker:
            with background(settings, foreshock, ingest):
                until(lambda: len(entries(worker)) == STAGES * PARTITIONS, 60)
                time.sleep(5)
                acknowledged = lambda: ingest.total("foreshock_ingest_acknowledged_records_total")
                progress = lambda: {(name, row): value for name in ("entries", "commits")
                                    for row, value in worker.rows(f"foreshock_stage_{name}_total").items() if TELEMETRY in row}
                os.kill(cluster.pid(2), signal.SIGKILL)
                began, before = time.monotonic(), progress()
                longest, served, last, at = 0.0, None, acknowledged(), began
                while time.monotonic() - began < 20:
                    time.sleep(0.02)
                    now = time.monotonic()
                    if (count := acknowledged()) > last:
                        longest, last, at = max(longest, now - at), count, now
                    # Two on: more than what was on its way already. Each partition commits at least once a second.
                    if served is None and all(value >= before[what] + 2 for what, value in progress().items()):
                        served = now - began
                longest = max(longest, time.monotonic() - at)
        what = "broker of three killed, 3 s until it counts as gone"
        settings.table.add(what, "s without an acknowledgement", longest)
        settings.table.add(what, "s until telemetry is taken and committed everywhere", served if served is not None else float("inf"), None, "< 10 s")


class background:
    """Load below what the machine takes, for as long as the block lasts."""

    def __init__(self, settings, foreshock, ingest, resources=10, records=10, *more):
        self.command = command(settings, foreshock.grpc, ingest.pid, resources, records, 600, *(more or ("--rate", RATE)))

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
