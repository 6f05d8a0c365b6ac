"""Sessions: blocks of HDFS from raw lines, and sequences of events that learn from normal ones."""

import random
import re
import subprocess
import sys

# Class sizes of the whole corpus: what the measured rates give at that ratio.
NORMAL, ABNORMAL = 553_366, 16_838
SHUFFLES = 10
LEARNED = 0.7
# Steps are words, so that nothing about them is a number; as many as HDFS has events.
WORDS = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo "
    "sierra tango uniform victor whiskey xray yankee zulu ant bee cat dog eel fox gnu hen"
).split()


def measure(foreshock, shared, work):
    print("Sessions (flagged from 0.5 on)\n")
    print("| set | precision | recall | F1 | normal ones flagged | AP | beside it |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    raw = blocks(foreshock, shared, work)
    row("HDFS, raw lines, unsupervised, second half", raw, "PCA F1 0.38 AP 0.83, rare counts F1 0.45 AP 0.73")
    found = [sequences(foreshock, shared, work, shuffle) for shuffle in range(SHUFFLES)]
    mean = {key: sum(one[key] for one in found) / len(found) for key in found[0]}
    row(f"HDFS, sequences, mean of {SHUFFLES} shuffles", mean, "new 2-gram F1 0.93, DeepLog 0.96")
    print(f"\nF1 of each shuffle: {', '.join(format(one['F1'], '.3f') for one in found)}\n")


def row(name, found, beside):
    cells = [f"{found[key]:.3f}" for key in ("precision", "recall", "F1")]
    cells += [f"{100 * found['normal_flagged']:.2f} %", f"{found['AP']:.3f}", beside]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def blocks(foreshock, shared, work):
    data, scores = shared / "data/hdfs_raw", work / "blocks.csv"
    scan(foreshock, r"(blk_-?\d+)", scores, data / "hdfs.log.gz")
    return score(shared, scores, data / "labels_second_half.csv")


def sequences(foreshock, shared, work, shuffle):
    data = shared / "data/hdfs"
    normal, abnormal = ((data / name).read_text().splitlines() for name in ("normal.txt", "abnormal.txt"))
    random.Random(shuffle).shuffle(normal)
    learned = int(LEARNED * len(normal))
    log, labels, scores = work / "sequences.log", work / "labels.csv", work / "scores.csv"
    with open(log, "w") as lines, open(labels, "w") as truth:
        truth.write("session,label\n")
        for number, events in enumerate(normal + abnormal):
            lines.writelines(f"session s{number} step {WORDS[int(event)]}\n" for event in events.split())
            if number >= learned:
                truth.write(f"s{number},{int(number >= len(normal))}\n")
    scan(foreshock, r"session (s\d+)", scores, log, "--learn", str(learned))
    totals = ("--normal-total", str(NORMAL), "--abnormal-total", str(ABNORMAL))
    return score(shared, scores, labels, *totals)


def scan(foreshock, key, scores, log, *more):
    command = [foreshock, "scan", "--session-key", key, "--session-scores", scores, *more, log]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def score(shared, scores, labels, *more):
    command = [sys.executable, shared / "score/sessions.py", "--scores", scores, "--labels", labels, *more]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+)", said)}
