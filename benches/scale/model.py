"""What a load takes: ingest, brokers, partitions, workers, memory, network. Pure functions of measured figures.

Units: CPU in core seconds a million records, which is cores for a million records a second. Nothing here is fitted to
the table it prints; what was not measured is an assumption with a name.
"""
import dataclasses
import math


# What reduce sums an instance's lines up in.
WINDOW_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Figures:
    """Measured on one machine, by `python3 benches/scale --measure`."""

    # Core seconds a million records.
    ingest_cpu: float
    broker_produce_cpu: float
    worker_cpu: float
    broker_consume_cpu: float
    # Bytes of a record on the wire, and of the summary of one instance's window.
    record_bytes: float
    window_bytes: float
    # Records a second through the stages by partitions, the largest partition's share of them, and the cores they had,
    # the broker's use among them.
    stages: dict[int, float]
    shares: dict[int, float]
    cores: int
    # Bytes a worker takes under load with a few instances, and for each metric series or pattern more.
    worker_base_bytes: float
    series_bytes: float


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """Not measured here."""

    # Machines are planned to be so busy, no more: what is left takes over when one fails.
    busy: float = 0.6
    replication: int = 3
    # A copy costs the brokers as much again as the first one does: the follower appends, the leader serves it.
    copy_share: float = 1.0
    # A pod, a broker.
    pod_cores: int = 4
    broker_cores: int = 16
    broker_network_gbit: float = 25.0
    # Kafka's own advice for one broker, all copies counted.
    partitions_a_broker: int = 4_000
    # Transactions that one broker's coordinator ends in a second; a thousand is far below what it can.
    transactions_a_broker: int = 1_000
    transactions_a_worker: float = 3 * 10
    retention_hours: int = 24
    # Lines a second of one instance.
    lines_an_instance: float = 50.0
    # Series and patterns that an instance brings with it.
    series_an_instance: float = 30.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a load takes."""

    records_a_second: float
    ingest_pods: int
    partitions: int
    workers: int
    worker_memory_gib: float
    brokers: int
    brokers_limit: str
    network_gbit: float
    disk_tib: float
    transactions_a_second: float
    summaries_mb_a_second: float


def whole(number):
    return max(1, math.ceil(number))


def partition_rate(figures):
    """What one partition carries, as one partition was measured: its records are taken one after the other."""
    return figures.stages[1]


def stages_rate(figures, partitions):
    """Records a second through the stages: each partition is one thread's work, the fullest is done last, and all of them share
    the cores with the broker."""
    cores = figures.cores * 1e6 / (figures.worker_cpu + figures.broker_consume_cpu)
    return min(partition_rate(figures) / figures.shares[partitions], cores)


def plan(figures, assumed, records_a_second):
    millions = records_a_second / 1e6
    pod = assumed.pod_cores * assumed.busy
    ingest_pods = whole(millions * figures.ingest_cpu / pod)
    workers = whole(millions * figures.worker_cpu / pod)
    # No partition is more than half of what it can carry: a burst, and catching up.
    partitions = whole(records_a_second / (partition_rate(figures) / 2))
    # As many as evenly go round, and at least one a worker.
    partitions = max(workers, partitions)
    copies = 1 + (assumed.replication - 1) * assumed.copy_share
    cpu = millions * (figures.broker_produce_cpu * copies + figures.broker_consume_cpu)
    # In from ingest, out to and in at each further copy, out to the workers.
    bytes_a_second = records_a_second * figures.record_bytes
    network = bytes_a_second * (1 + 2 * (assumed.replication - 1) + 1) * 8 / 1e9
    disk = bytes_a_second * assumed.retention_hours * 3600 * assumed.replication / 2**40
    transactions = workers * assumed.transactions_a_worker
    needs = {
        "CPU": cpu / (assumed.broker_cores * assumed.busy),
        "network": network / (assumed.broker_network_gbit * assumed.busy),
        "partitions": (3 * partitions + 4 * 64) * assumed.replication / assumed.partitions_a_broker,
        "transactions": transactions / assumed.transactions_a_broker,
        "copies": assumed.replication,
    }
    limit = max(needs, key=needs.get)
    instances = records_a_second / assumed.lines_an_instance
    memory = figures.worker_base_bytes + instances * assumed.series_an_instance * figures.series_bytes / workers
    return Plan(records_a_second, ingest_pods, partitions, workers, memory / 2**30, whole(needs[limit]), limit, network, disk, transactions,
                instances * figures.window_bytes / WINDOW_SECONDS / 1e6)


def check(figures, tolerance=0.25):
    """The model beside what was measured by partitions: (partitions, modelled, measured, ratio). One partition is where it
    takes its figure from, so that row says nothing."""
    rows = [(partitions, stages_rate(figures, partitions), measured) for partitions, measured in sorted(figures.stages.items())]
    return [(partitions, modelled, measured, modelled / measured, abs(modelled / measured - 1) <= tolerance) for partitions, modelled, measured in rows]
