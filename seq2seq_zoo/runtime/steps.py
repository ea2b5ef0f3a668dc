"""Greedy search by an exported encoder and step, as the loop of a page in the browser runs it."""

from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_zoo.data.vocabulary import PADDING
from seq2seq_zoo.runtime.graph import Run
from seq2seq_zoo.runtime.vocabularies import read_vocabularies

MAX_LENGTH = "max_length"
"""The name in a step's metadata of the largest number of outputs."""


def open_steps(folder: Path) -> Run:
    """A greedy search over a folder's `encode.onnx` and `step.onnx`, which gives the fields of a `Generated`."""
    import onnxruntime

    encoder, step = (onnxruntime.InferenceSession(str(folder / f"{name}.onnx")) for name in ("encode", "step"))
    target = read_vocabularies(folder)[1]
    longest = int(step.get_modelmeta().custom_metadata_map[MAX_LENGTH])
    read = {tensor.name for tensor in step.get_inputs()}

    def run(session: Any, tensors: dict[str, Any]) -> dict[str, np.ndarray]:
        return dict(zip([tensor.name for tensor in session.get_outputs()], session.run(None, tensors), strict=True))

    def search(sources: np.ndarray) -> dict[str, np.ndarray]:
        tensors = {**run(encoder, {"sources": sources}), "previous": np.full(len(sources), target.start, "int32")}
        ended = np.zeros(len(sources), bool)
        steps: list[dict[str, np.ndarray]] = []
        while len(steps) < longest and not ended.all():
            found = run(step, {name: tensor for name, tensor in tensors.items() if name in read})
            tensors.update((name.removeprefix("next_"), state) for name, state in found.items() if "next_" in name)
            logits = found["logits"] - found["logits"].max(-1, keepdims=True)
            log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            logits[:, [PADDING, target.start]] = -np.inf
            ids = np.where(ended, PADDING, logits.argmax(-1)).astype("int32")
            chosen = np.take_along_axis(log_probs, ids[:, None], axis=-1)[:, 0]
            weights = {"weights": found["weights"] * ~ended[:, None]} if "weights" in found else {}
            steps.append({"ids": ids, "log_probs": np.where(ended, 0, chosen), **weights})
            ended |= ids == target.end
            tensors["previous"] = ids
        outputs = {name: np.stack([each[name] for each in steps], axis=1)[:, None] for name in steps[0]}
        lengths = ((outputs["ids"] != PADDING) & (outputs["ids"] != target.end)).sum(-1)
        return {**outputs, "lengths": lengths, "scores": outputs["log_probs"].sum(-1)}

    return search
