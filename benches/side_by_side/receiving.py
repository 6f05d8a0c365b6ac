"""Receivers beside each other: nothing behind them, a disk behind them, senders that compress."""
import pathlib

from load import ack_p99_ms, cpu_a_million, load, own_cpu_a_million, refused
from servers import collector, receiver, scratch
from settings import SHAPES

WARM_UP_SECONDS = 2


def receive(settings):
    """Acknowledged and dropped."""
    for shape in SHAPES:
        beside(settings, "receive only", shape, "nop.yaml", seconds=settings.receive_seconds,
               asked=("", "<= 0.20, goal 0.12" if shape is SHAPES[0] else ""))


def gzip(settings):
    """The same from senders that compress. Compressed before the clock starts, so that the receiver is what limits."""
    more = ("--protocol", "http", "--compression", "gzip", "--fixed")
    for shape in SHAPES[:2]:
        beside(settings, "receive only, gzip over HTTP", shape, "nop.yaml", seconds=settings.receive_seconds, more=more)


def durable(settings):
    """Acknowledged once it is on the disk; the peer writes a file and does not wait for the disk."""
    for shape in SHAPES:
        beside(settings, "durable (ours fdatasync, peer none)", shape, "file.yaml", seconds=settings.seconds, journal=True,
               asked=(">= 1.2 M, goal 2 M" if shape is SHAPES[0] else "", ""))


def beside(settings, title, shape, peer, seconds, more=(), journal=False, asked=("", "")):
    """One row's sample: ours, then the peer, each with a receiver of its own."""
    name, *size = shape

    def measured(to):
        pid, grpc, http = to
        target = (http if "http" in more else grpc, pid, *size)
        load(settings, *target, WARM_UP_SECONDS, *more)
        return load(settings, *target, seconds, *more)

    with scratch(settings) as directory, receiver(settings, pathlib.Path(directory) / "journal" if journal else None) as ours:
        mine = measured(ours)
    theirs = None
    if settings.collector:
        with scratch(settings) as directory, collector(settings, peer, directory) as to:
            theirs = measured(to)
    figures = [("records/s", lambda report: report["records_a_second"], asked[0]), ("CPU-s/M", cpu_a_million, asked[1]),
               ("load generator's CPU-s/M", own_cpu_a_million, ""), ("ack p99 ms", ack_p99_ms, "")]
    for unit, figure, wish in figures:
        settings.table.add(f"{title}, {name}", unit, figure(mine), theirs and figure(theirs), wish)
    for who, report in (("Foreshock", mine), ("the Collector", theirs)):
        if report and refused(report):
            print(f"   {who} refused: {report['refused']}", flush=True)
