"""How long partitions are not served: a worker killed, a worker stopped in order, a broker killed.

Served is a partition that takes entries: those of telemetry get a tick every 200 ms, and through them the others.
"""
import os
import signal
import subprocess
import time

from brokers import Distributed, kafka, until
from load import command
from servers import scratch

RATE = 20_000
STAGES = 3 + 1 + 1


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
                wanted = STAGES * 4
                until(lambda: shares(goes, stays) == wanted and len(entries(goes)) >= wanted // 4, 60)
                time.sleep(5)
                theirs = set(entries(goes))
                goes.process.send_signal(how)
                seconds = until(lambda: serves(stays, theirs), 60)
        settings.table.add(what, "s until its partitions are served", seconds, None, asked)


def shares(*workers):
    return sum(len(entries(worker)) for worker in workers)


def serves(worker, partitions):
    taken = entries(worker)
    return all(taken.get(partition, 0) > 0 for partition in partitions)


def broker_ends(settings):
    """Three brokers, three copies, two in sync: the longest wait for an acknowledgement, and until all partitions go on."""
    with scratch(settings) as directory, kafka(directory, brokers=3) as cluster:
        foreshock = Distributed(settings, directory, cluster)
        with foreshock.service("ingest") as ingest, foreshock.service("worker") as worker:
            with background(settings, foreshock, ingest):
                until(lambda: len(entries(worker)) == STAGES * 4, 60)
                time.sleep(5)
                acknowledged = lambda: ingest.total("foreshock_ingest_acknowledged_records_total")
                os.kill(cluster.pid(2), signal.SIGKILL)
                began, before = time.monotonic(), entries(worker)
                longest, served, last, at = 0.0, None, acknowledged(), began
                while time.monotonic() - began < 20:
                    time.sleep(0.02)
                    now = time.monotonic()
                    if (count := acknowledged()) > last:
                        longest, last, at = max(longest, now - at), count, now
                    taken = entries(worker)
                    # Two entries on: more than what was on its way already.
                    if served is None and all(taken.get(partition, 0) >= count + 2 for partition, count in before.items()):
                        served = now - began
                longest = max(longest, time.monotonic() - at)
        what = "broker of three killed, 3 s until it counts as gone"
        settings.table.add(what, "s without an acknowledgement", longest)
        settings.table.add(what, "s until all partitions go on", served if served is not None else float("inf"), None, "< 10 s")


class background:
    """Load below what the machine takes, for as long as the block lasts."""

    def __init__(self, settings, foreshock, ingest):
        self.command = command(settings, foreshock.grpc, ingest.pid, 10, 10, 300, "--rate", RATE)

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
