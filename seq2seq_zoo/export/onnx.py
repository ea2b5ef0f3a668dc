"""ONNX, for ONNX Runtime and other runtimes that read it."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_zoo.export.formats import Format, Run, formats
from seq2seq_zoo.runtime.graph import OPTIMIZED, open_onnx

OPSET = 18
SMALL = 256
"""Tensors with fewer entries keep their precision."""


@formats.register("onnx", "ONNX Runtime, on servers, desktops and in browsers")
class Onnx(Format):
    """Three files, `search.onnx`, `encode.onnx` and `step.onnx`; `predict.onnx` for a model without a search.

    Args:
        parts: whether to write the encoder and the step as well.
    """

    quantizations = ("dynamic-int8", "float16")

    def __init__(self, parts: bool = True):
        self.parts = parts

    def write(self, model: Any, search: Any, batch: int | None, directory: Path, quantize: str | None) -> None:
        """Write the files."""
        import onnx
        import tf2onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from seq2seq_zoo.export.graphs import Graphs

        for name, function in Graphs(model, search, batch, parts=self.parts).functions.items():
            graph, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)
            path = str(directory / f"{name}.onnx")
            if quantize == "float16":
                _in_half_precision(graph)
            onnx.save(graph, path)
            if quantize == "dynamic-int8":
                logging.disable(logging.WARNING)  # it warns of every tensor that it does not quantize
                try:
                    quantize_dynamic(path, path, weight_type=QuantType.QInt8, extra_options={"EnableSubgraph": True})
                finally:
                    logging.disable(logging.NOTSET)

    def open(self, directory: Path) -> Run:
        """Open the graph in ONNX Runtime."""
        return open_onnx(directory).run


def _in_half_precision(graph: Any) -> None:
    """Store the weights in 16 bits. A cast makes each float32 again, once, when a session starts."""
    import onnx
    from onnx import helper, numpy_helper

    casts = []
    for weight in graph.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and np.prod(weight.dims) >= SMALL:
            half = numpy_helper.to_array(weight).astype(np.float16)
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
