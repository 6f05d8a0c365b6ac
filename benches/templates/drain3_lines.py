#!/usr/bin/env python3
"""Runs Drain3 with its defaults over the lines of a file.

usage: drain3_lines.py FILE

Prints the seconds of processor time that took, then the cluster of each line, a number a line. Lines are cut at LF
only, and read before the clock starts. Without masks: on raw lines Drain3 groups better without its usual ones.
"""
import sys
import time

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace", newline="\n") as file:
        lines = [line.rstrip("\n") for line in file]
    config = TemplateMinerConfig()
    config.profiling_enabled = False
    miner = TemplateMiner(config=config)
    start = time.process_time()
    clusters = [miner.add_log_message(line)["cluster_id"] for line in lines]
    print(time.process_time() - start)
    print("\n".join(map(str, clusters)))


if __name__ == "__main__":
    main()
