"""Measure `predict` on many lines: with --out, from an exported graph, on Ray, as the code was before, and yoyodyne's.

    python benchmarks/speed/bulk.py --before ../before --yoyodyne runs/yoyodyne/best.ckpt --turns 2

benchmarks/README.md explains the lines and the contestants. Each is a command in a process of its own; its time is that
from the start of the command to its end.
"""

import argparse
import itertools
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contestants import ENVIRONMENTS, HERE, python_of, use_two_cores, variables

from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import write

CONTESTANTS = ("out", "before", "exported", "ray", "yoyodyne")
SIZES = (
    "embedding_size=64",
    "decoder_hidden_size=128",
    "source_encoder.init_args.embedding_size=64",
    "source_encoder.init_args.hidden_size=96",
)
"""The sizes of our model, which replace those of yoyodyne.yaml."""
FEW = 3
"""So many lines show how long the start takes."""


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default="../shared/data", help="has sigmorphon2020_g2p and cmudict_g2p")
    parser.add_argument("--model", type=Path, default="runs/decoding/icelandic-1", help="of decoding/measure.py")
    parser.add_argument("--before", type=Path, help="a checkout of older code")
    parser.add_argument("--yoyodyne", type=Path, help="a checkpoint: yoyodyne.yaml with SIZES")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=CONTESTANTS, help="in this order")
    parser.add_argument("--turns", type=int, default=1, help="how often the contestants take their turn")
    parser.add_argument("--lines", type=int, help="each word once if not given")
    parser.add_argument("--few", action="store_true", help="also measure the start, with few lines")
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
    runs: list[dict[str, Any]] = json.loads(records.read_text("utf-8"))["runs"] if records.exists() else []
    counts = [*([FEW] if args.few else []), args.lines or len(words)]
    commands = Commands(args, model, work)
    for _ in range(args.turns):
        for name, count in itertools.product(args.only, counts):
            run = timed(count, *commands.of(name, lines(count)))
            runs.append({"contestant": name, **run, "note": args.note, "when": time.strftime("%Y-%m-%d %H:%M")})
            record = {"words": len(words), **environment(), "yoyodyne": ENVIRONMENTS["yoyodyne"], "runs": runs}
            write(records, json.dumps(record, indent=1) + "\n")
            write(args.out / "tables.md", table(runs))
    print(table(runs))


class Commands:
    """The command of each contestant, its environment, and where its standard output goes.

    Args:
        args: the arguments.
        model: the run directory of our model.
        work: the folder for outputs.
    """

    def __init__(self, args: argparse.Namespace, model: Path, work: Path):
        self.args, self.model, self.work = args, model, work

    def of(self, name: str, sources: Path) -> tuple[list[str], dict[str, str], Any]:
        """That of one contestant for a file of sources."""
        out = self.work / f"{name}.txt"
        out.unlink(missing_ok=True)
        ours = variables_without_threads()
        predict = [sys.executable, "-m", "seq2seq_zoo", "predict"]
        if name == "before":
            ours["PYTHONPATH"] = str(self.args.before.resolve())
            return [*predict, str(self.model), "--file", str(sources)], ours, out.open("wb")
        if name == "yoyodyne":
            program = Path(python_of("yoyodyne", self.work)).with_name("yoyodyne")
            sizes = [f"--model.init_args.{size}" for size in SIZES]
            command = [str(program), "predict", "--config", str(HERE / "yoyodyne.yaml"), *sizes]
            checkpoint = self.args.yoyodyne.resolve()
            paths = {
                "data.model_dir": checkpoint.parent,
                "data.predict": sources,
                "ckpt_path": checkpoint,
                "prediction.path": out,
            }
            # Without targets. With more lines at once than in training, it is faster.
            more = ["--data.target_col", "0", "--data.batch_size", "256"]
            return (
                [*command, *(word for key, path in paths.items() for word in (f"--{key}", str(path))), *more],
                variables(),
                None,
            )
        source = self.model
        if name in ("exported", "ray"):
            source = self.work / "onnx"
            if not source.exists():
                export = [*predict[:-1], "export", str(self.model), "--format", "onnx", "--out", str(source)]
                subprocess.run(export, env=ours, check=True)
        more = ["--executor", "ray"] if name == "ray" else []
        return [*predict, str(source), "--file", str(sources), "--out", str(out), "--workers", "2", *more], ours, None


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


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """The runs as Markdown."""
    rows = ["| contestant | lines | seconds | lines/s |", "| --- | --: | --: | --: |"]
    for run in runs:
        rows.append(
            f"| {run['contestant']} | {run['lines']:,} | {run['seconds']:.1f} | {run['lines_per_second']:,.0f} |"
        )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
