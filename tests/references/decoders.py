"""Every mode, one row at a time: told the right answers, or fed with its own."""

import numpy as np

from references.attention import attend
from references.bridges import BRIDGES
from references.cells import stack_step, weights

# What a step reads: the one line in which modes differ. (`a` is what attention found, where the cell reads it.)
READS = {
    "basic": lambda y, c, a: [c],
    "feedback": lambda y, c, a: [y],
    "peek": lambda y, c, a: [y, c],
    "attention": lambda y, c, a: [y, *a],
}


def decode(mode, decoder, encoded, targets=None, length=None):
    """`(logits, weights)` of one row, a line a step. A row that feeds itself ends after its end token."""
    sequence, summary, states = encoded
    readout = decoder.readout
    arrays = weights(readout)
    said, choose, feed, ended = (tokens if readout.vocabulary_size else vectors)(readout, arrays)
    states = BRIDGES[decoder.bridge](decoder.first_states, summary, states)
    carried, logits, looks = summary, [], []
    while len(logits) < (length if targets is None else len(targets)):
        found = []
        if mode == "attention" and decoder.input_feeding:
            context, shares = attend(decoder.attention, decoder.attention_layer, states[-1][0], sequence)
            found = [context]
        y = carried if readout.feeds_back_features else feed(said) if decoder.feeds_back else None
        x = READS[mode](y, summary, found)
        x = sum(x) if getattr(decoder, "combine", "") == "add" else np.concatenate(x)
        output, states = stack_step(decoder.cell, decoder.stack, x, states)
        if mode == "attention" and not decoder.input_feeding:
            context, shares = attend(decoder.attention, decoder.attention_layer, output, sequence)
            found = [context]
        features = np.concatenate([output, *(found if getattr(decoder, "readout_context", False) else [])])
        if readout.feeds_back_features:
            carried = features = features @ arrays["vector_kernel"] + arrays["vector_bias"]
        kernel = (
            arrays["kernel"]
            if "kernel" in arrays
            else arrays.get("projection", np.eye(len(features))) @ arrays["embedding"].T
        )
        logits.append(features @ kernel + arrays["bias"])
        looks.append(shares if found else None)
        said = choose(logits[-1]) if targets is None else targets[len(logits) - 1]
        if targets is None and ended(said):
            break
    return np.array(logits), looks


def tokens(readout, arrays):
    """What stands before the first output, which output is said, how it is read, and whether it is the last."""

    def choose(logits):
        return max((id for id in range(len(logits)) if id not in (0, readout.start)), key=logits.__getitem__)

    return readout.start, choose, lambda token: arrays["embedding"][token], lambda token: token == readout.end


def vectors(readout, tokens):
    """The same, where the output is a vector."""
    return np.zeros(readout.size), lambda vector: vector, lambda vector: vector, lambda vector: False
