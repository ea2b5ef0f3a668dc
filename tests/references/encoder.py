"""The encoder in NumPy, for one row without padding."""

import numpy as np

from references.cells import CELLS, STATES, stack_step, weights


def encode(name, encoder, row):
    """`(sequence, summary, states)` for a row of ids or of vectors."""
    x = weights(encoder.embedding)["embeddings"][row] if encoder.embedding else np.asarray(row, "float64")
    if encoder.stack.shared_state:
        return _shared_state(name, encoder.stack, x)
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


def _shared_state(name, stack, x):
    """Layers that share a state: each step runs through all of them."""
    states, outputs = [[np.zeros(stack.units)] * STATES[name]], np.zeros((len(x), stack.units))
    for t, step in enumerate(x):
        outputs[t], states = stack_step(name, stack, step, states)
    return outputs, outputs[-1] if len(x) else np.zeros(stack.units), [list(state) for state in states]


def _run(name, cell, x):
    states, outputs = [np.zeros(cell.units)] * STATES[name], np.zeros((len(x), cell.units))
    for t, step in enumerate(x):
        states = CELLS[name](step, states, **weights(cell))
        outputs[t] = states[0]
    return outputs, states
