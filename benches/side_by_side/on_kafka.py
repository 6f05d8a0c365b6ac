"""Received and durable on Kafka beside the Collector: acks=all, one broker, a new one for each of the two."""
import contextlib
import pathlib

from brokers import Distributed, kafka
from load import ack_p99_ms, cpu_a_million, load, own_cpu_a_million, refused
from machine import cpu_seconds
from servers import collector, scratch

# A hundred records a request come in more requests: as many on their way that nobody waits for the round trip alone.
SHAPES = [("1 x 1000", (1, 1000), 8), ("1 x 100", (1, 100), 32)]
WARM_UP_SECONDS = 4
# The Collector's configuration puts up to 8 MB into a batch: a broker with Kafka's default of 1 MB refuses those, and
# what would be measured then is its retries. Both get the same broker.
BROKER = "message.max.bytes=8400000"


def ingest(settings):
    """Acknowledged once all replicas in sync have it. Both write to the same kind of topics."""
    for shape in SHAPES:
        mine = measured(settings, shape, ours)
        theirs = measured(settings, shape, peers) if settings.collector else None
        name = f"durable on Kafka, {shape[0]}"
        asked = {"records/s": ">= the peer's", "CPU-s/M": "<= 0.5 of the peer's, goal a third",
                 "refused requests": "0 and 0, or the row says nothing"}
        for unit in mine:
            settings.table.add(name, unit, mine[unit], theirs and theirs[unit], asked.get(unit, ""))


def measured(settings, shape, to):
    _, size, in_flight = shape
    more = ("--in-flight", in_flight)
    with scratch(settings) as directory, kafka(directory, properties=BROKER) as cluster, to(settings, directory, cluster) as (pid, port):
        load(settings, port, pid, *size, WARM_UP_SECONDS, *more)
        broker = cpu_seconds(cluster.pid())
        report = load(settings, port, pid, *size, settings.kafka_seconds, *more)
        broker = cpu_seconds(cluster.pid()) - broker
        if refused(report):
            print(f"   {to.__name__} refused: {report['refused']}", flush=True)
            for log in pathlib.Path(directory).glob("*.log"):
                print(f"   {log.name}: {log.read_text()[-600:]}", flush=True)
    millions = max(1, report["acknowledged_records"]) / 1e6
    return {"records/s": report["records_a_second"], "CPU-s/M": cpu_a_million(report), "ack p50 ms": report["latency_ms"][0],
            "ack p99 ms": ack_p99_ms(report), "broker's CPU-s/M": broker / millions, "load generator's CPU-s/M": own_cpu_a_million(report),
            # Neither rate nor CPU of one that refuses can be compared.
            "refused requests": refused(report)}


@contextlib.contextmanager
def ours(settings, directory, cluster):
    foreshock = Distributed(settings, directory, cluster)
    with foreshock.service("ingest") as service:
        yield service.pid, foreshock.grpc


@contextlib.contextmanager
def peers(settings, directory, cluster):
    # Makes the topic that it writes to: with as many partitions as ours.
    Distributed(settings, directory, cluster)
    with collector(settings, "kafka-noqueue.yaml", directory, KAFKA=cluster.brokers) as (pid, grpc, _):
        yield pid, grpc
