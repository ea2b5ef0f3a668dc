"""The feedback of 2016, `Tokens(feedback="features")`: a step reads the features of the step before, not an output."""

from typing import Any

from keras import ops

from seq2seq_zoo.decoders.memory import Memory
from seq2seq_zoo.layers.cells import States
from seq2seq_zoo.layers.encoder import Encoded
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.sublayer import Tensor


class FeatureFeedback:
    """Takes the steps of a decoder whose readout feeds back features.

        v[t] = W f[t] + b,  v[0] = c
        y[t] = readout(v[t])

    Here `f[t]` are the features of step t, and `c` is the encoder's summary. Step t reads `v[t-1]` where it would read
    the embedding of `y[t-1]`. No step reads an output or a target, so teacher forcing has no effect.

    `v[t]` is the last entry of the states, after those of the layers: a search reorders it with them.

    Args:
        decoder: the decoder, whose own methods of the same names take a step without this feedback.
        summary: the width of the encoder's summary.

    Raises:
        ValueError: the decoder uses scheduled sampling; the summary and the fed-back vector differ in width.
    """

    def __init__(self, decoder: Any, summary: int):
        if decoder.schedule is not None:
            raise ValueError(
                "sampling chooses between the target and the decoder's own output, but with feedback='features' a step "
                "reads neither. Leave sampling out."
            )
        if decoder.readout.width != summary:
            raise ValueError(
                f"With feedback='features' the first step reads the encoder's summary, which must have the width of "
                f"the vectors fed back: got {summary} and embedding_dim={decoder.readout.width}. Change embedding_dim "
                f"or the encoder's units (a bidirectional encoder puts out twice its units)."
            )
        self.decoder = decoder

    def initial_states(self, encoded: Encoded) -> States:
        """The layers' initial states, and `v[0]`."""
        states = self.decoder.initial_states(encoded)
        return (*states, (ops.cast(encoded.summary, self.decoder.compute_dtype),))

    def step_features(self, previous: Any, states: States, memory: Memory) -> tuple[Tensor, States, Tensor | None]:
        """`v[t]`, the next states and the attention weights; the previous output is not read."""
        del previous
        *layers, (vector,) = states
        features, layers, weights = self.decoder.step_features(vector, tuple(layers), memory)
        vector = self.decoder.readout.project_feedback(features)
        return vector, (*layers, (vector,)), weights

    def sequence_features(
        self, previous: Any, states: States, memory: Memory, length: Any, training: bool | None = None
    ) -> tuple[Tensor, Tensor | None, States]:
        """`v` of all steps, the attention weights and the final states: one step after the other."""
        del previous, training

        def step(states: States, _: Any) -> tuple[States, tuple[Tensor, ...]]:
            features, states, weights = self.step_features(None, states, memory)
            return states, (features,) if weights is None else (features, weights)

        final, outputs = scan(step, states, (), length)
        features, *weights = (ops.transpose(each, (1, 0, 2)) for each in outputs)  # (batch, time, width)
        return features, weights[0] if weights else None, final
