"""The stages alone, over topics that were filled before: the worker is all that runs beside the broker."""
import math
import time

from brokers import Distributed, kafka, until
from load import load
from machine import cpu_seconds, resident_mib
from servers import scratch

# Our own messages' compression, beside what is the default.
CODECS = ["lz4", "zstd", "none"]
# What reduce sums an instance's lines up in.
WINDOW_SECONDS = 10


SUMMED_UP = "summaries, bytes an instance and window"


def stages(settings):
    figures = filled(settings)
    add = settings.table.add
    what = "stages alone on Kafka, exactly once"
    add(what, "records/s", figures["records/s"], None, ">= 400 k")
    for unit in ("CPU-s/M", "broker's CPU-s/M", "memory MiB", "transactions/s"):
        add(what, unit, figures[unit])


def codecs(settings):
    for codec in CODECS:
        figures = filled(settings, properties={"compression.type": codec})
        for unit in (SUMMED_UP, "CPU-s/M", "broker's CPU-s/M"):
            settings.table.add(f"stages alone, our messages as {codec}", unit, figures[unit])


def filled(settings, properties=None, partitions=4, seconds=None):
    """Fills the topics, then takes the time of a worker that begins with nothing."""
    with scratch(settings) as directory, kafka(directory) as cluster:
        seconds_filled = seconds or settings.fill_seconds
        foreshock = Distributed(settings, directory, cluster, partitions=partitions)
        with foreshock.service("ingest") as service:
            report = load(settings, foreshock.grpc, service.pid, 1, 1000, seconds_filled)
        records = report["acknowledged_records"]
        windows = math.ceil(seconds_filled / WINDOW_SECONDS)
        # Not of the telemetry: that stays as it came.
        foreshock.configure(properties or {})
        with foreshock.service("worker") as worker:
            taken = lambda: worker.total("foreshock_stage_records_total", 'stage="reduce"')
            until(lambda: taken() > 0, 60)
            began, cpu, broker, first = time.monotonic(), worker.cpu_seconds(), cluster.cpu_seconds(), taken()
            commits = worker.total("foreshock_stage_commits_total")
            # Every stage, not the first alone.
            # Seldom: whoever asks takes of the same cores.
            until(lambda: taken() >= records and worker.total("foreshock_stage_lag_entries") <= 64, 600, every=0.1)
            seconds = time.monotonic() - began
            by_partition = [rows for labels, rows in worker.rows("foreshock_stage_records_total").items() if 'stream="otlp_logs"' in labels]
            millions = max(1, records - first) / 1e6
            return {
                "records/s": millions * 1e6 / seconds,
                "CPU-s/M": (worker.cpu_seconds() - cpu) / millions,
                "broker's CPU-s/M": (cluster.cpu_seconds() - broker) / millions,
                "memory MiB": resident_mib(worker.pid),
                "transactions/s": (worker.total("foreshock_stage_commits_total") - commits) / seconds,
                SUMMED_UP: cluster.bytes_of("foreshock_summaries") / max(1, windows * worker.total("foreshock_stage_instances")),
                # Instances are few here, and fall unevenly: the partition that has most is done last.
                "largest share": max(by_partition) / max(1, sum(by_partition)),
                "records": records,
            }
