"""Profile a training step with XLA's profiler: the numbers of docs/speed.md.

    python benchmarks/speed/where.py --mode attention --units 256 --length 12

The time of an operation is that of the thread that issues it, without the work of other threads in the meantime. The
shares are therefore more reliable than the sums. Profiling itself makes a step slower.
"""

import argparse
import collections
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).with_name("peers")))

import tensorflow as tf
from ours import make_training
from problem import Problem
from tensorflow.tsl.profiler.protobuf import xplane_pb2

STEPS = 40


def main() -> None:
    """Profile, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", default="attention")
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--length", type=int, default=12)
    parser.add_argument("--top", type=int, default=12, help="number of operations to list")
    args = parser.parse_args()
    _, measure = make_training(Problem(mode=args.mode, cell=args.cell, units=args.units, length=args.length))
    measure(STEPS)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        began = time.perf_counter()
        measure(STEPS)
        step = 1000 * (time.perf_counter() - began) / STEPS
        tf.profiler.experimental.stop()
        times = dict(operations(Path(folder)))
    kinds: dict[str, float] = collections.defaultdict(float)
    for (name, runs), milliseconds in times.items():
        what = "products" if name.startswith(("MatMul", "dot")) or "dot_fusion" in name else "all else"
        kinds[f"{what}, {'once for each time step' if runs > 1.5 else 'once'}"] += milliseconds
    print(f"a training step, profiled: {step:.1f} ms")
    for kind, milliseconds in sorted(kinds.items(), key=lambda item: -item[1]):
        print(f"{milliseconds:8.2f} ms  {kind}")
    for (name, runs), milliseconds in sorted(times.items(), key=lambda item: -item[1])[: args.top]:
        print(f"{milliseconds:8.2f} ms  {name} x {runs:.0f}")


def operations(folder: Path) -> Iterator[tuple[tuple[str, float], float]]:
    """Each compiled operation and its number of runs in a training step, with its milliseconds in one step."""
    space = xplane_pb2.XSpace()
    (file,) = folder.rglob("*.xplane.pb")
    space.ParseFromString(file.read_bytes())
    counts: collections.Counter[str] = collections.Counter()
    times: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                metadata = plane.event_metadata[event.metadata_id]
                stats = {plane.stat_metadata[stat.metadata_id].name for stat in (*event.stats, *metadata.stats)}
                if "hlo_op" in stats:
                    counts[metadata.name] += 1
                    times[metadata.name] += event.duration_ps / 1e9
    for name, milliseconds in times.items():
        yield (name, counts[name] / STEPS), milliseconds / STEPS


if __name__ == "__main__":
    main()
