"""The graph of an exported model, opened by ONNX Runtime or LiteRT."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from seq2seq_zoo.data.padding import Row, pad

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From sources to the graph's outputs, by name."""

GRAPHS = ("search", "predict")
"""The names of the graph that is run: a search, or the outputs of a model without one."""


def open_onnx(folder: Path) -> Run:
    """Open a folder's `search.onnx` or `predict.onnx`."""
    import onnxruntime

    file = next(path for name in GRAPHS if (path := folder / f"{name}.onnx").exists())
    session = onnxruntime.InferenceSession(str(file))
    names = [output.name for output in session.get_outputs()]
    return lambda sources: dict(zip(names, session.run(None, {"sources": sources}), strict=True))


def open_litert(folder: Path, threads: int = 1) -> Run:
    """Open a folder's `model.tflite`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / "model.tflite"), num_threads=threads)
    run = interpreter.get_signature_runner(next(name for name in GRAPHS if name in interpreter.get_signature_list()))

    def call(sources: np.ndarray) -> dict[str, np.ndarray]:
        _ = interpreter  # it owns the weights, so it must stay alive
        return dict(run(sources=sources))

    return call


def open_graph(folder: Path) -> Run:
    """Open the graph in a folder, in whichever format it is."""
    return open_litert(folder) if (folder / "model.tflite").exists() else open_onnx(folder)


def run_in_batches(
    run: Run, rows: Sequence[Row], batch_size: int, filled: bool = False
) -> Iterator[tuple[list[int], Mapping[str, np.ndarray]]]:
    """Run the graph on any number of rows, those of similar length together.

    Args:
        run: the graph.
        rows: the ids of each source, or its real values `(time, features)`.
        batch_size: number of rows that are run at once.
        filled: whether every batch must have this number of rows.

    Yields:
        The indices of the rows of a batch, and the outputs for these.
    """
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    for first in range(0, len(order), batch_size):
        places = order[first : first + batch_size]
        batch = [rows[place] for place in places]
        batch += [batch[0]] * (batch_size - len(batch) if filled else 0)
        outputs = run(pad(batch, max(1, *map(len, batch))))
        yield places, {name: value[: len(places)] for name, value in outputs.items()}
