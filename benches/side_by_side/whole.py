"""The whole path: as fast as it is taken, then until every stage has caught up."""
import time

from brokers import Distributed, kafka, until
from load import load, own_cpu_a_million, refused
from machine import cpu_seconds, resident_mib
from servers import Foreshock, scratch
from settings import SHAPES


def title(shape):
    return f"whole path, {shape[0]}, until caught up"


def sustainable(table):
    """Records a second that the whole path keeps up with, as measured in this run; None where it was not."""
    return table.median(title(SHAPES[0]), "records/s")


def whole(settings):
    for shape in SHAPES[:2]:
        name, *size = shape
        with scratch(settings) as directory:
            foreshock = Foreshock(settings, directory)
            with foreshock.running() as process:
                began, cpu = time.monotonic(), cpu_seconds(process.pid)
                report = load(settings, foreshock.grpc, process.pid, *size, settings.seconds)
                foreshock.catch_up()
                seconds, cpu = time.monotonic() - began, cpu_seconds(process.pid) - cpu
                memory = resident_mib(process.pid)
        millions = max(1, report["acknowledged_records"]) / 1e6
        add = settings.table.add
        add(title(shape), "records/s", millions * 1e6 / seconds, None, ">= 500 k, goal 1.0 M")
        add(f"whole path, {name}", "CPU-s/M", cpu / millions, None, "<= 2, goal 1.0")
        add(f"whole path, {name}", "load generator's CPU-s/M", own_cpu_a_million(report))
        add(f"whole path, {name}", "acknowledged records/s", report["records_a_second"])
        add(f"whole path, {name}", "memory MiB", memory)
        if refused(report):
            print(f"   refused: {report['refused']}", flush=True)


ON_KAFKA = "whole path on Kafka, 1 x 1000, until caught up"


def whole_on_kafka(settings):
    """Ingest, worker and notify as processes of their own, beside a broker."""
    with scratch(settings) as directory, kafka(directory) as cluster:
        foreshock = Distributed(settings, directory, cluster)
        with foreshock.service("ingest") as ingest, foreshock.service("worker") as worker, foreshock.service("notify"):
            used = lambda: ingest.cpu_seconds() + worker.cpu_seconds()
            began, cpu, broker = time.monotonic(), used(), cluster.cpu_seconds()
            report = load(settings, foreshock.grpc, ingest.pid, 1, 1000, settings.kafka_seconds)
            records = report["acknowledged_records"]
            until(lambda: worker.total("foreshock_stage_records_total", 'stage="reduce"') >= records
                  and worker.total("foreshock_stage_lag_entries") <= 64, 600)
            seconds, millions = time.monotonic() - began, records / 1e6
            add = settings.table.add
            add(ON_KAFKA, "records/s", records / seconds)
            add(ON_KAFKA, "CPU-s/M", (used() - cpu) / millions)
            add(ON_KAFKA, "broker's CPU-s/M", (cluster.cpu_seconds() - broker) / millions)
            add(ON_KAFKA, "acknowledged records/s", report["records_a_second"])
