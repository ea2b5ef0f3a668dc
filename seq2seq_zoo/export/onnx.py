"""ONNX, for ONNX Runtime and other runtimes that read it."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_zoo.export.formats import Format, Run, formats
from seq2seq_zoo.runtime.graph import OPTIMIZED, open_onnx
from seq2seq_zoo.runtime.steps import MAX_LENGTH, open_steps

OPSET = 18
SMALL = 256
"""Tensors with fewer entries keep their precision."""


@formats.register("onnx", "ONNX Runtime, on servers, desktops and in browsers")
class Onnx(Format):
    """Three files, `search.onnx`, `encode.onnx` and `step.onnx`; `predict.onnx` for a model without a search.

    Weights that half precision holds exactly, as those of the zoo are, are stored in it. What the graph computes is the
    same.

    Args:
        parts: whether to write the encoder and the step as well.
        search: whether to write the search. Without it, `open` runs a greedy search over the step.
    """

    quantizations = ("dynamic-int8", "float16")

    def __init__(self, parts: bool = True, search: bool = True):
        self.parts = parts
        self.search = search

    def write(self, model: Any, search: Any, batch: int | None, directory: Path, quantize: str | None) -> None:
        """Write the files."""
        import onnx
        import tf2onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from seq2seq_zoo.export.graphs import Graphs

        for name, function in Graphs(model, search, batch, parts=self.parts).functions.items():
            if name == "search" and not self.search:
                continue
            graph, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)
            path = str(directory / f"{name}.onnx")
            if name == "step":
                onnx.helper.set_model_props(graph, {MAX_LENGTH: str(model.max_length)})
            if quantize != "dynamic-int8":
                _in_half_precision(graph, only_exact=quantize is None)
            onnx.save(graph, path)
            if quantize == "dynamic-int8":
                logging.disable(logging.WARNING)  # it warns of every tensor that it does not quantize
                try:
                    quantize_dynamic(path, path, weight_type=QuantType.QInt8, extra_options={"EnableSubgraph": True})
                finally:
                    logging.disable(logging.NOTSET)

    def open(self, directory: Path) -> Run:
        """Open the graph in ONNX Runtime."""
        return open_onnx(directory).run if self.search else open_steps(directory)


def _in_half_precision(graph: Any, only_exact: bool) -> None:
    """Store the weights in 16 bits. A cast makes each float32 again, once, when a session starts.

    Args:
        graph: the graph, which is changed.
        only_exact: whether to leave weights alone that 16 bits do not hold exactly.
    """
    import onnx
    from onnx import helper, numpy_helper

    casts = []
    for weight in graph.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and np.prod(weight.dims) >= SMALL:
            single = numpy_helper.to_array(weight)
            half = single.astype(np.float16)
            if only_exact and not np.array_equal(single, half):
                continue
            casts.append(helper.make_node("Cast", [f"{weight.name}/half"], [weight.name], to=onnx.TensorProto.FLOAT))
            weight.CopyFrom(numpy_helper.from_array(half, f"{weight.name}/half"))
    for cast in reversed(casts):
        graph.graph.node.insert(0, cast)


def optimize(folder: Path) -> None:
    """Optimize a folder's graphs once, by what any processor can use, so that opening them takes less time."""
    import onnxruntime

    for file in [*folder.glob("*.onnx")]:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(file.with_stem(f"{file.stem}{OPTIMIZED}"))
        onnxruntime.InferenceSession(str(file), options)
        file.unlink()
