"""The encoder's reading of one row of real symbols."""

import numpy as np

from references.cells import CELLS, STATES, weights


def encode(name, encoder, row):
    """`(sequence, summary, states)` of ids or of vectors."""
    x = weights(encoder.embedding)["embeddings"][row] if encoder.embedding else np.asarray(row, "float64")
    summary, all_states = 0, []
    for layer, directions in enumerate(encoder.stack.cells):
        sequences, finals = zip(
            *(_run(name, cell, x[:: 1 - 2 * way]) for way, cell in enumerate(directions)), strict=True
        )
        sequence = np.concatenate([sequence[:: 1 - 2 * way] for way, sequence in enumerate(sequences)], axis=-1)
        states = [np.concatenate(parts) for parts in zip(*finals, strict=True)]
        below = encoder.residual and layer
        x, summary = sequence + (x if below else 0), states[0] + (summary if below else 0)
        all_states.append(states)
    return x, summary, all_states


def _run(name, cell, x):
    states, outputs = [np.zeros(cell.units)] * STATES[name], np.zeros((len(x), cell.units))
    for t, step in enumerate(x):
        states = CELLS[name](step, states, **weights(cell))
        outputs[t] = states[0]
    return outputs, states
