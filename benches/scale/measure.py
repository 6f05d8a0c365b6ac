"""The figures that the model needs, measured on this machine with the rows of benches/side_by_side."""
import dataclasses
import json
import os
import statistics

from brokers import Distributed, kafka
from load import cpu_a_million, load
from machine import cpu_seconds
from model import Figures
from servers import scratch
from stages import SUMMED_UP, filled

PARTITIONS = [1, 2, 4]
# From the rows `memory` of benches/side_by_side, in docs/benchmarks.md: 773 MiB with 1 M series, 154 MiB with 100 k.
SERIES_BYTES = (773 - 154) * 2**20 / 900_000


def measure(settings, repeats):
    produced = [receiving(settings) for _ in range(repeats)]
    by_partitions = {partitions: [filled(settings, partitions=partitions) for _ in range(repeats)] for partitions in PARTITIONS}
    most = by_partitions[PARTITIONS[-1]]
    middle = lambda runs, unit: statistics.median(run[unit] for run in runs)
    return Figures(
        ingest_cpu=middle(produced, "CPU-s/M"),
        broker_produce_cpu=middle(produced, "broker's CPU-s/M"),
        worker_cpu=middle(most, "CPU-s/M"),
        broker_consume_cpu=middle(most, "broker's CPU-s/M"),
        record_bytes=middle(produced, "bytes a record"),
        window_bytes=middle(most, SUMMED_UP),
        stages={partitions: middle(runs, "records/s") for partitions, runs in by_partitions.items()},
        shares={partitions: middle(runs, "largest share") for partitions, runs in by_partitions.items()},
        cores=os.cpu_count(),
        worker_base_bytes=middle(most, "memory MiB") * 2**20,
        series_bytes=SERIES_BYTES,
    )


def receiving(settings):
    with scratch(settings) as directory, kafka(directory) as cluster:
        foreshock = Distributed(settings, directory, cluster)
        with foreshock.service("ingest") as ingest:
            load(settings, foreshock.grpc, ingest.pid, 1, 1000, 4)
            broker = cpu_seconds(cluster.pid())
            report = load(settings, foreshock.grpc, ingest.pid, 1, 1000, settings.kafka_seconds)
            broker = cpu_seconds(cluster.pid()) - broker
    records = max(1, report["acknowledged_records"])
    return {"CPU-s/M": cpu_a_million(report), "broker's CPU-s/M": broker * 1e6 / records, "bytes a record": report["acknowledged_bytes"] / records}


def write(figures, file):
    file.write_text(json.dumps(dataclasses.asdict(figures), indent=2) + "\n")


def read(file):
    figures = json.loads(file.read_text())
    for by_partitions in ("stages", "shares"):
        figures[by_partitions] = {int(partitions): value for partitions, value in figures[by_partitions].items()}
    return Figures(**figures)
