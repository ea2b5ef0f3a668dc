"""Measure `predict` on a million lines: with --out, and as the code was before.

    python benchmarks/speed/bulk.py --before ../before

benchmarks/README.md explains the lines and the contestants. Each is a command in a process of its own; its time is that
from the start of the command to its end.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contestants import use_two_cores, variables

from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import write

CONTESTANTS = ("out", "before")


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default="../shared/data", help="has sigmorphon2020_g2p and cmudict_g2p")
    parser.add_argument("--model", type=Path, default="runs/decoding/icelandic-1", help="of decoding/measure.py")
    parser.add_argument("--before", type=Path, help="a checkout of older code")
    parser.add_argument(
        "--only", nargs="+", choices=CONTESTANTS, default=CONTESTANTS, help="the others keep their records"
    )
    parser.add_argument("--lines", type=int, default=1_000_000, help="for --out")
    parser.add_argument("--lines-before", type=int, default=200_000, help="for the older code")
    parser.add_argument("--out", type=Path, default="benchmarks/results/bulk", help="for records and tables")
    parser.add_argument("--work", type=Path, default="runs/bulk", help="for environments, lines and outputs")
    parser.add_argument("--note", default="", help="what else ran on the machine, for the record")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    use_two_cores()
    words = words_of(args.data)
    model, work = args.model.resolve(), args.work.resolve()

    def lines(count: int) -> Path:
        path = work / f"{count}.txt"
        path.write_text("".join(f"{word}\n" for word in million(words, count)), encoding="utf-8")
        return path

    records = args.out / "records.json"
    runs: dict[str, Any] = json.loads(records.read_text("utf-8"))["runs"] if records.exists() else {}
    predict = [sys.executable, "-m", "seq2seq_zoo", "predict", str(model), "--file"]
    out = work / "outputs.txt"
    if "out" in args.only:
        # Few lines show how long the start takes.
        for name, count in (("--out, few lines", 3), ("--out, no word twice", len(words)), ("--out", args.lines)):
            out.unlink(missing_ok=True)
            runs[name] = timed(count, [*predict, str(lines(count)), "--out", str(out)], variables_without_threads())
    if "before" in args.only and args.before is not None:
        older = {**variables_without_threads(), "PYTHONPATH": str(args.before.resolve())}
        for name, count in (("before, few lines", 3), ("before", args.lines_before)):
            with (work / "before.txt").open("wb") as file:
                runs[name] = timed(count, [*predict, str(lines(count))], older, stdout=file)
        pairs = zip((work / "before.txt").open("rb"), out.open("rb"), strict=False)
        runs["before"]["lines_that_differ"] = sum(a != b for a, b in pairs)
    record = {"note": args.note, "words": len(words), **environment(), "runs": runs}
    write(records, json.dumps(record, indent=1) + "\n")
    write(args.out / "tables.md", table(runs))
    print(table(runs))


def words_of(data: Path) -> list[str]:
    """All words of the data sets that have only letters of the Icelandic training words."""
    files = [*sorted(data.glob("sigmorphon2020_g2p/*.tsv")), *sorted(data.glob("cmudict_g2p/*.tsv"))]
    first = {path: {line.split("\t")[0].lower() for line in path.read_text("utf-8").splitlines()} for path in files}
    letters = set().union(*first[data / "sigmorphon2020_g2p" / "ice_train.tsv"])
    return sorted({word for words in first.values() for word in words if letters.issuperset(word)})


def million(words: Sequence[str], count: int) -> list[str]:
    """The words in a random order, again and again."""
    chance, shuffled = random.Random(0), list(words)
    found: list[str] = []
    while len(found) < count:
        chance.shuffle(shuffled)
        found += shuffled
    return found[:count]


def variables_without_threads() -> dict[str, str]:
    """The environment of our commands, which choose their number of threads themselves."""
    return {name: value for name, value in variables().items() if not name.endswith("_THREADS")}


def timed(lines: int, command: Sequence[str], environment: Mapping[str, str], stdout: Any = None) -> dict[str, Any]:
    """Seconds of a command, and the peak memory of its largest process so far."""
    print(*command, file=sys.stderr, flush=True)
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return {"lines": lines, "seconds": seconds, "lines_per_second": lines / seconds, "peak_memory_mb_so_far": peak}


def table(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """The runs as Markdown."""
    rows = ["| command | lines | seconds | lines/s |", "| --- | --: | --: | --: |"]
    for name, run in runs.items():
        rows.append(f"| {name} | {run['lines']:,} | {run['seconds']:.1f} | {run['lines_per_second']:,.0f} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
