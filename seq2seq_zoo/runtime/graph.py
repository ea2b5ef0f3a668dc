"""The graph of an exported model, opened by ONNX Runtime or LiteRT."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq_zoo.data.padding import Row, pad

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From sources to the graph's outputs, by name."""


class Graph(NamedTuple):
    """An opened graph."""

    run: Run
    batch: int | None = None
    """Number of rows of every call; `None` for any number."""


GRAPHS = ("search", "predict")
"""The names of the graph that is run: a search, or the outputs of a model without one."""

OPTIMIZED = "-optimized"
"""The end of the name of an ONNX graph that is not optimized when it is opened, since that has been done."""


def open_onnx(folder: Path, threads: int = 0) -> Graph:
    """Open a folder's `search.onnx` or `predict.onnx`, or the optimized one of these.

    Args:
        folder: the folder.
        threads: number of threads; as many as the runtime chooses by default.
    """
    import onnxruntime

    names = (f"{name}{ending}.onnx" for name in GRAPHS for ending in ("", OPTIMIZED))
    file = next(path for name in names if (path := folder / name).exists())
    options = onnxruntime.SessionOptions()
    if file.stem.endswith(OPTIMIZED):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options)
    outputs = [output.name for output in session.get_outputs()]
    rows = session.get_inputs()[0].shape[0]
    return Graph(
        lambda sources: dict(zip(outputs, session.run(None, {"sources": sources}), strict=True)),
        rows if isinstance(rows, int) else None,
    )


def open_litert(folder: Path, threads: int = 1) -> Graph:
    """Open a folder's `model.tflite`. Arguments are those of `open_onnx`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / "model.tflite"), num_threads=threads)
    run = interpreter.get_signature_runner(next(name for name in GRAPHS if name in interpreter.get_signature_list()))

    rows = int(run.get_input_details()["sources"]["shape_signature"][0])

    def call(sources: np.ndarray) -> dict[str, np.ndarray]:
        _ = interpreter  # it owns the weights, so it must stay alive
        return dict(run(sources=sources))

    return Graph(call, rows if rows > 0 else None)


def open_graph(folder: Path, threads: int = 1) -> Graph:
    """Open the graph in a folder, in whichever format it is. Arguments are those of `open_onnx`."""
    return (open_litert if (folder / "model.tflite").exists() else open_onnx)(folder, threads)


def run_in_batches(
    graph: Graph, rows: Sequence[Row], batch_size: int
) -> Iterator[tuple[list[int], Mapping[str, np.ndarray]]]:
    """Run the graph on any number of rows, those of similar length together.

    Args:
        graph: the graph.
        rows: the ids of each source, or its real values `(time, features)`.
        batch_size: number of rows that are run at once, if the graph takes any number.

    Yields:
        The indices of the rows of a batch, and the outputs for these.
    """
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    size = graph.batch or batch_size
    for first in range(0, len(order), size):
        places = order[first : first + size]
        batch = [rows[place] for place in places]
        batch += [batch[0]] * (size - len(batch) if graph.batch else 0)
        outputs = graph.run(pad(batch, max(1, *map(len, batch))))
        yield places, {name: value[: len(places)] for name, value in outputs.items()}
