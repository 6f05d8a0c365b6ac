#!/usr/bin/env python3
"""Foreshock beside the OpenTelemetry Collector, in one run on this machine. Standard library only.

python3 benches/side_by_side --bin DIR [--collector DIR --peers DIR] [--repeats 3] [--only NAME ...] [--markdown FILE]

DIR holds `foreshock`, `loadgen` and `examples/receive`, built with --release. The Collector is `otelcol-peer` with
its configurations; without it the peer's columns stay empty. Ours and the peer take turns, row by row and repeat by
repeat. Everything listens on 127.0.0.1, runs for a bounded time and is ended by its own process id. The last table has
the median of the repeats of each row, the peer's, their ratio, and how far the repeats lie apart.
"""
import argparse
import pathlib

from failover import failover, with_state
from latency import latency, latency_on_kafka
from memory import memory
from on_kafka import ingest
from receiving import durable, gzip, receive
from settings import Settings
from stages import codecs, stages
from table import Table
from whole import whole, whole_on_kafka

# In this order: `latency` takes half of the rate that `whole` found.
BENCHES = {"receive": receive, "gzip": gzip, "durable": durable, "whole": whole, "latency": latency, "memory": memory}
# The same on a real Kafka (Java and Maven are needed), asked for by --only or --kafka.
KAFKA = {"kafka-ingest": ingest, "kafka-stages": stages, "kafka-whole": whole_on_kafka, "kafka-latency": latency_on_kafka,
         "kafka-failover": failover, "kafka-failover-state": with_state, "kafka-codecs": codecs}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--collector", type=pathlib.Path, help="folder of otelcol-peer")
    parser.add_argument("--peers", type=pathlib.Path, help="folder with the Collector's configurations")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each row; the table has their median")
    parser.add_argument("--seconds", type=float, default=60, help="of the rows that are about the disk")
    parser.add_argument("--receive-seconds", type=float, default=15, help="of the rows that are not")
    parser.add_argument("--half-rate", type=float, default=300_000, help="records/s for `latency` without `whole` before it")
    parser.add_argument("--probes", type=int, default=200, help="new patterns that `latency` sends")
    parser.add_argument("--series", type=int, nargs="+", default=[100_000, 1_000_000], help="for `memory`")
    parser.add_argument("--round-seconds", type=float, default=30, help="in which `memory` sends each series once")
    parser.add_argument("--kafka-half-rate", type=float, default=200_000, help="records/s for `kafka-latency` without `kafka-whole` before it")
    parser.add_argument("--kafka-seconds", type=float, default=20, help="of the rows that receive on Kafka")
    parser.add_argument("--fill-seconds", type=float, default=20, help="in which topics are filled for the stages")
    parser.add_argument("--kafka", action="store_true", help="the benches on Kafka alone")
    parser.add_argument("--only", nargs="*", choices=[*BENCHES, *KAFKA], help="these benches alone")
    parser.add_argument("--markdown", type=pathlib.Path, help="file to write the table to")
    chosen = parser.parse_args()
    if chosen.collector and not chosen.peers:
        parser.error("--collector needs --peers, the folder with its configurations")
    if chosen.repeats < 1:
        parser.error("--repeats must be at least 1")
    return chosen


def main():
    chosen = arguments()
    table = Table()
    settings = Settings(table=table, **{name: value for name, value in vars(chosen).items() if name not in ("repeats", "only", "kafka", "markdown")})
    usual = KAFKA if chosen.kafka else BENCHES
    for name, bench in {**BENCHES, **KAFKA}.items():
        if name in (chosen.only or usual):
            for repeat in range(chosen.repeats):
                print(f"-- {name}, {repeat + 1} of {chosen.repeats}", flush=True)
                bench(settings)
    print("\n" + table.markdown())
    if chosen.markdown:
        chosen.markdown.write_text(f"{table.heading(chosen)}\n\n{table.markdown()}\n")


if __name__ == "__main__":
    main()
