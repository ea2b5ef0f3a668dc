"""Every mode in plain numpy, one row and one step at a time: teacher-forced or free-running."""

import numpy as np

from references.attention import attend
from references.bridges import BRIDGES
from references.cells import stack_step, weights

# What a step reads, the one line in which modes differ: from the previous output `y`, the summary `c` and the contexts
# `a` that the cell reads (one, or none).
READS = {
    "basic": lambda y, c, a: [c],
    "feedback": lambda y, c, a: [y],
    "peek": lambda y, c, a: [y, c],
    "attention": lambda y, c, a: [y, *a],
}


def decode(mode, decoder, encoded, targets=None, length=None):
    """`(logits, weights)` of one row, a line for each step. A free-running row stops after its end token."""
    sequence, summary, states = encoded
    readout = decoder.readout
    arrays = weights(readout)
    previous, predict, embed, is_end = (tokens if readout.vocabulary_size else vectors)(readout, arrays)
    states = BRIDGES[decoder.bridge](decoder.first_states, summary, states)
    fed_back, logits, rows = summary, [], []
    while len(logits) < (length if targets is None else len(targets)):
        contexts = []
        if mode == "attention" and decoder.input_feeding:
            context, attention_weights = attend(decoder.attention, decoder.attention_layer, states[-1][0], sequence)
            contexts = [context]
        y = fed_back if readout.feeds_back_features else embed(previous) if decoder.feeds_back else None
        x = READS[mode](y, summary, contexts)
        x = sum(x) if getattr(decoder, "combine", "") == "add" else np.concatenate(x)
        output, states = stack_step(decoder.cell, decoder.stack, x, states)
        if mode == "attention" and not decoder.input_feeding:
            context, attention_weights = attend(decoder.attention, decoder.attention_layer, output, sequence)
            contexts = [context]
        features = np.concatenate([output, *(contexts if getattr(decoder, "readout_context", False) else [])])
        if readout.feeds_back_features:
            fed_back = features = features @ arrays["vector_kernel"] + arrays["vector_bias"]
        kernel = (
            arrays["kernel"]
            if "kernel" in arrays
            else arrays.get("projection", np.eye(len(features))) @ arrays["embedding"].T
        )
        logits.append(features @ kernel + arrays["bias"])
        rows.append(attention_weights if contexts else None)
        previous = predict(logits[-1]) if targets is None else targets[len(logits) - 1]
        if targets is None and is_end(previous):
            break
    return np.array(logits), rows


def tokens(readout, arrays):
    """The initial output, and functions: from logits to an output, its embedding, and whether it is the end."""

    def predict(logits):
        return max((id for id in range(len(logits)) if id not in (0, readout.start)), key=logits.__getitem__)

    return readout.start, predict, lambda token: arrays["embedding"][token], lambda token: token == readout.end


def vectors(readout, arrays):
    """The same for vectors."""
    return np.zeros(readout.size), lambda vector: vector, lambda vector: vector, lambda vector: False
