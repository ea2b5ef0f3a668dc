"""An estimate of the memory of a training step, before the first one."""

from typing import Any

SCORE = 2.3
"""The same for each unit of an additive score, where all scores are computed at once (`input_feeding: false`)."""
UNIT, OUTPUT, WEIGHT = 21, 4, 6.3
"""How many numbers a training step keeps for each unit of a recurrent layer, each output and each attention weight.

Fitted to the peak memory of LSTMs on a CPU (TensorFlow without XLA), as `benchmarks/speed/memory.py` measures it: all
modes with 1 layer, 32 to 256 units, 400 to 1,600 tokens, vocabularies of 100 and 4,000; 0.25 to 0.96 GB. The estimate
is 0.95 to 1.25 times the measured value. The numbers include their gradients.
"""


def step_memory(model: Any, batch_size: int, source: int, target: int) -> int:
    """The memory that a training step needs besides weights and optimizer, in bytes; an estimate.

        4 * batch * (21 * (S * units + T * units) + 4 * T * outputs + 6.3 * S * T),  the last for attention alone

    Args:
        model: a `Seq2Seq` or an `EncoderOnly`.
        batch_size: pairs in the step.
        source: `S`, the padded length of the sources.
        target: `T`, the padded length of the targets.
    """
    decoder = getattr(model, "decoder", None)
    units = source * _width(model.encoder)
    steps = target
    if decoder is not None:
        units += target * _width(decoder)
    elif not model.whole:
        steps = source
    readout = model.readout
    outputs = getattr(readout, "softmax_samples", None) or readout.vocabulary_size or 0
    weights = 0.0
    if decoder is not None and decoder.has_attention:
        at_once = not decoder.input_feeding and getattr(decoder, "attention", None) == "additive"
        weights = source * target * (WEIGHT + at_once * SCORE * decoder.units)
    return int(4 * batch_size * (UNIT * units + OUTPUT * steps * outputs + weights))


def _width(layer: Any) -> int:
    """The units of all recurrent layers of an encoder or a decoder."""
    return getattr(layer, "units", 0) * getattr(layer, "depth", 1) * (1 + getattr(layer, "bidirectional", False))
