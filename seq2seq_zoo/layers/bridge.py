"""From the encoder's last states to the decoder's first."""

import keras
from keras import ops

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.cells import States
from seq2seq_zoo.layers.encoder import Encoded
from seq2seq_zoo.layers.sublayer import Sublayer

Widths = tuple[tuple[int, ...], ...]


class Bridge(Sublayer):
    """How a decoder starts. Abstract: subclasses give `call`, and weights in `build` if they have any.

    Call arguments:
        encoded: an `Encoded`.

    Returns:
        The decoder's first states, a tuple a layer, `(batch, width)` each.
    """

    def build(self, summary: int, states: Widths, wanted: Widths) -> None:
        """Prepare for an encoder's summary width and state widths, and a decoder's state widths."""
        del summary, states
        self.wanted = wanted
        self.built = True

    def call(self, encoded: Encoded) -> States:
        """The first states."""
        raise NotImplementedError


bridges: Registry[Bridge] = Registry("bridge", base=Bridge, serializable=keras.saving.register_keras_serializable)


@bridges.register("zero", "starts from zeros: the source arrives only through what the steps read")
class ZeroBridge(Bridge):
    """`s[0] = 0`, as in Keras's own recurrent layers without an initial state."""

    def call(self, encoded: Encoded) -> States:
        """Zeros."""
        batch = ops.shape(encoded.summary)[0]
        return tuple(
            tuple(ops.zeros((batch, width), dtype=encoded.summary.dtype) for width in widths) for widths in self.wanted
        )


@bridges.register("copy", "starts from the encoder's last states as they are; needs equal cell, depth and units")
class CopyBridge(Bridge):
    """`s[0] = s_encoder[T]`, layer by layer.

    Raises:
        ValueError: the encoder's states do not have the decoder's shape.

    Reference:
        Sutskever et al. 2014, arXiv:1409.3215, section 2.
    """

    def build(self, summary: int, states: Widths, wanted: Widths) -> None:
        """Check that the states fit."""
        super().build(summary, states, wanted)
        if states != wanted:
            raise ValueError(
                "The copy bridge needs an encoder whose states are those of the decoder, layer by layer: the decoder "
                f"has {_described(wanted)}, the encoder {_described(states)}. Give both the same cell, depth and units "
                f"(an encoder of two directions counts twice its units), or use bridge='dense'."
            )

    def call(self, encoded: Encoded) -> States:
        """The encoder's last states."""
        return encoded.states


@bridges.register("dense", "starts from a learned projection of the summary; fits any encoder to any decoder")
class DenseBridge(Bridge):
    """`s[0] = tanh(V c + b)`, with a `V` of its own for every layer and state.

    Reference:
        Cho et al. 2014, arXiv:1406.1078, appendix A.1.1; Bahdanau et al. 2015, arXiv:1409.0473, appendix A.2.2.
    """

    def build(self, summary: int, states: Widths, wanted: Widths) -> None:
        """Create the projection."""
        super().build(summary, states, wanted)
        self.dense = keras.layers.Dense(sum(map(sum, wanted)), activation="tanh", name="dense", dtype=self.dtype_policy)
        self.dense.build((None, summary))

    def call(self, encoded: Encoded) -> States:
        """The projected summary, cut into states."""
        projected, column, states = self.dense(encoded.summary), 0, []
        for widths in self.wanted:
            layer = []
            for width in widths:
                layer.append(projected[:, column : column + width])
                column += width
            states.append(tuple(layer))
        return tuple(states)


def _described(widths: Widths) -> str:
    return " and ".join(f"layer {i + 1}: {len(layer)} x {layer[0]}" for i, layer in enumerate(widths))
