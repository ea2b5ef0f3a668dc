"""A text without end, read window by window: where one call stop, the next goes on."""

from typing import Any

from keras import ops, tree

from seq2seq_zoo.layers.readouts.readout import Readout, ReadoutLossModel


class Stream(ReadoutLossModel):
    """A language model that goes on where it stopped: for training on long texts, and for reading them.

    It keeps what the model inside must not: the states after the last window, and the last token. A call that goes on
    begins with them, and one that does not begins as the model itself does. Gradients stay in their window (truncated
    backpropagation through time).

    Args:
        model: a built `Seq2Seq` that reads nothing but its own outputs.
        batch: how many texts are read side by side.

    Call arguments:
        inputs: `(goes_on, targets)`: for each text whether it goes on from the call before, boolean `(batch, 1)`; and
            the ids of its next window, `(batch, length)`, padded with 0 where it is over.
        training: whether to drop out.

    Returns:
        As of the model, told its targets: logits `(batch, length, vocabulary_size)`, with the mask of the real ids.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import FeedbackDecoder, NoEncoder, Seq2Seq, Tokens
    >>> model = Seq2Seq(NoEncoder(), FeedbackDecoder(8, readout=Tokens(10)))
    >>> model.build((None, None))
    >>> stream, text = Stream(model, batch=1), np.array([[4, 5, 6, 7, 8, 9]])
    >>> windows = [stream((np.array([[start > 0]]), text[:, start : start + 3])) for start in (0, 3)]
    >>> np.allclose(np.concatenate(windows, axis=1), model((np.zeros((1, 1)), text)), atol=1e-6)
    True

    Reference:
        Mikolov et al. 2010, "Recurrent neural network based language model".
    """

    def __init__(self, model: Any, batch: int, **kwargs: Any):
        super().__init__(dtype=model.step_policy, **kwargs)  # the decoder's steps run here, outside its call
        self.model = model
        decoder = model.decoder
        self.before = self._kept((batch,), "int32")
        widths = tree.flatten(decoder.stack.state_widths)
        self.states = [self._kept((batch, width), decoder.compute_dtype) for width in widths]
        self.built = True

    def _kept(self, shape: tuple[int, ...], dtype: str) -> Any:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, autocast=False, dtype=dtype)

    def call(self, inputs: tuple[Any, Any], training: bool | None = None) -> Any:
        """Read on."""
        goes_on, targets = inputs
        decoder = self.model.decoder
        memory, states = decoder.initialize(self.model.encoder(goes_on), training)
        kept = [ops.where(goes_on, *both) for both in zip(self.states, tree.flatten(states), strict=True)]
        states = tree.pack_sequence_as(states, kept)
        before = ops.where(goes_on[:, 0], self.before, self.readout.initial_output(ops.shape(targets)[0]))
        logits, states = decoder.continue_sequence(targets, before, states, memory, training)
        self.before.assign(targets[:, -1])
        for state, last in zip(self.states, tree.flatten(states), strict=True):
            state.assign(last)
        return logits

    @property
    def readout(self) -> Readout:
        """The decoder's."""
        return self.model.readout
