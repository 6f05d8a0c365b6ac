"""Anomalies planted in generated logs: how many of each kind are found, and how much else is."""

import re
import subprocess
import sys
from collections import defaultdict


def measure(foreshock, shared, work, seeds):
    found, planted, false = defaultdict(int), defaultdict(int), []
    for seed in seeds:
        made = work / str(seed)
        score = shared / "score"
        command = [sys.executable, score / "make_synth.py", "logs", str(seed), made]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        findings = work / "findings.jsonl"
        with open(findings, "w") as out:
            subprocess.run([foreshock, "scan", "--json", made / "log.jsonl.gz"], check=True, stdout=out)
        command = [sys.executable, score / "log_score.py", "--labels", made / "labels.csv", "--findings", findings]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for kind, of, all_of in re.findall(r"^(\w+) (\d+)/(\d+)$", said, re.MULTILINE):
            found[kind] += int(of)
            planted[kind] += int(all_of)
        false.append(float(re.search(r"false_per_day ([\d.]+)", said)[1]))
    print(f"Anomalies planted in {len(false)} generated logs of 30 hours\n")
    print("| kind | found | of | recall |")
    print("| --- | --- | --- | --- |")
    for kind in sorted(planted):
        print(f"| {kind} | {found[kind]} | {planted[kind]} | {found[kind] / planted[kind]:.3f} |")
    mean = sum(false) / len(false)
    print(f"\nFindings that fit nothing planted: {mean:.2f} a day in the mean, {max(false):.2f} at most")
