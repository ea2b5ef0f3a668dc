"""Bridges: the decoder's initial states, from the encoder's final states or its summary."""

import keras
from keras import ops

from seq2seq_zoo.config.options import OptionError, options_of
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.cells import States
from seq2seq_zoo.layers.encoder import Encoded
from seq2seq_zoo.layers.sublayer import Sublayer, WithKernelAndBias

Widths = tuple[tuple[int, ...], ...]
"""The width of each state tensor, one tuple a layer."""


class Bridge(Sublayer):
    """Initializes the decoder's states. Abstract: a subclass defines `call`, and creates its weights in `build`.

    Call arguments:
        encoded: an `Encoded`.

    Returns:
        The decoder's initial states, one tuple a layer, `(batch, width)` each.
    """

    def build(self, summary: int, encoder_widths: Widths, decoder_widths: Widths) -> None:
        """Prepare for the widths of an encoder's summary and states, and of a decoder's states."""
        del summary, encoder_widths
        self.decoder_widths = decoder_widths
        self.built = True

    def call(self, encoded: Encoded) -> States:
        """The initial states."""
        raise NotImplementedError  # a bridge defines it


bridges: Registry[Bridge] = Registry("bridge", base=Bridge, serializable=keras.saving.register_keras_serializable)


@bridges.register("zero", "starts from zeros: the source arrives only through the inputs of the steps")
class ZeroBridge(Bridge):
    """`s[0] = 0`, as in Keras's own recurrent layers without an initial state."""

    def call(self, encoded: Encoded) -> States:
        """Zeros."""
        batch = ops.shape(encoded.summary)[0]
        return tuple(
            tuple(ops.zeros((batch, width), dtype=encoded.summary.dtype) for width in widths)
            for widths in self.decoder_widths
        )


@bridges.register("copy", "starts from the encoder's final states; needs the same cell, depth and units in both")
class CopyBridge(Bridge):
    """`s[0] = s_encoder[T]`, layer by layer.

    Raises:
        ValueError: the encoder's states do not have the decoder's shape.

    Reference:
        Sutskever et al. 2014, arXiv:1409.3215, section 2.
    """

    def build(self, summary: int, encoder_widths: Widths, decoder_widths: Widths) -> None:
        """Check that both have states of the same widths."""
        super().build(summary, encoder_widths, decoder_widths)
        if encoder_widths != decoder_widths:
            raise OptionError(
                ("bridge",),
                f"bridge='copy' needs an encoder whose states have the widths of the decoder's, layer by layer: the "
                f"decoder has {_described(decoder_widths)}, the encoder {_described(encoder_widths)}. Give both the "
                f"same cell, depth and units (a bidirectional encoder's states are 2 * units wide), or use "
                f"bridge='dense'.",
            )

    def call(self, encoded: Encoded) -> States:
        """The encoder's final states."""
        return encoded.states


@bridges.register("dense", "starts from a learned projection of the summary; fits any encoder to any decoder")
class DenseBridge(Bridge, WithKernelAndBias):
    """`s[0] = tanh(V c + b)`, with separate weights for each state of each layer. Arguments are those of
    `WithKernelAndBias`.

    Reference:
        Cho et al. 2014, arXiv:1406.1078, appendix A.1.1; Bahdanau et al. 2015, arXiv:1409.0473, appendix A.2.2.
    """

    def build(self, summary: int, encoder_widths: Widths, decoder_widths: Widths) -> None:
        """Create the projection."""
        super().build(summary, encoder_widths, decoder_widths)
        units = sum(map(sum, decoder_widths))
        options = {name: getattr(self, name) for name in options_of(WithKernelAndBias)}
        self.dense = keras.layers.Dense(units, activation="tanh", name="dense", dtype=self.dtype_policy, **options)
        self.dense.build((None, summary))

    def call(self, encoded: Encoded) -> States:
        """The projected summary, cut into states."""
        projected, column, states = self.dense(encoded.summary), 0, []
        for widths in self.decoder_widths:
            layer = []
            for width in widths:
                layer.append(projected[:, column : column + width])
                column += width
            states.append(tuple(layer))
        return tuple(states)


def _described(widths: Widths) -> str:
    return " and ".join(f"layer {i + 1}: {len(layer)} x {layer[0]}" for i, layer in enumerate(widths))
