#!/usr/bin/env python3
"""What 1 M, 10 M and 100 M lines a second take, computed from figures that were measured. Standard library only.

python3 benches/scale [--figures FILE] [--measure --bin DIR [--repeats N]]

Without --measure it computes from the figures beside it. With it it measures first (a real Kafka for each run, some
minutes), and writes them there. Fails where the model and what was measured by partitions lie too far apart.
"""
import argparse
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "side_by_side"))

from model import Assumptions, check, plan

LOADS = [1e6, 10e6, 100e6]
ROWS = [
    ("ingest pods", lambda p: f"{p.ingest_pods:,}"),
    ("partitions of a telemetry topic", lambda p: f"{p.partitions:,}"),
    ("workers", lambda p: f"{p.workers:,}"),
    ("memory of a worker, GiB", lambda p: f"{p.worker_memory_gib:.1f}"),
    ("brokers", lambda p: f"{p.brokers:,} (by {p.brokers_limit})"),
    ("brokers' network, Gbit/s", lambda p: f"{p.network_gbit:,.0f}"),
    ("disk for a day, TiB", lambda p: f"{p.disk_tib:,.0f}"),
    ("transactions/s", lambda p: f"{p.transactions_a_second:,.0f}"),
    ("summaries, MB/s", lambda p: f"{p.summaries_mb_a_second:,.1f}"),
]


def table(plans):
    lines = [["lines/s", *(f"{p.records_a_second / 1e6:,.0f} M" for p in plans)]]
    lines.append(["---"] * len(lines[0]))
    lines += [[name, *(show(p) for p in plans)] for name, show in ROWS]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=pathlib.Path, default=pathlib.Path(__file__).with_name("figures.json"))
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--bin", type=pathlib.Path, help="folder of `foreshock` and `loadgen`, built with --release")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kafka-seconds", type=float, default=20)
    parser.add_argument("--fill-seconds", type=float, default=20)
    chosen = parser.parse_args()
    import measure
    if chosen.measure:
        if not chosen.bin:
            parser.error("--measure needs --bin")
        settings = types.SimpleNamespace(bin=chosen.bin, kafka_seconds=chosen.kafka_seconds, fill_seconds=chosen.fill_seconds)
        measure.write(measure.measure(settings, chosen.repeats), chosen.figures)
    figures = measure.read(chosen.figures)
    print(table([plan(figures, Assumptions(), load) for load in LOADS]))
    print("\n| partitions | modelled records/s | measured | ratio |\n| --- | --- | --- | --- |")
    rows = check(figures)
    for partitions, modelled, measured, ratio, _ in rows:
        print(f"| {partitions} | {modelled:,.0f} | {measured:,.0f} | {ratio:.2f} |")
    if not all(row[-1] for row in rows):
        raise SystemExit("the model is further than a quarter from what was measured")


if __name__ == "__main__":
    main()
