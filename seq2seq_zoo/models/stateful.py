"""A language model that keeps its states between calls, to read a continuous text window by window."""

from typing import Any

from keras import ops, tree

from seq2seq_zoo.layers.readouts.readout import Readout, ReadoutLossModel


class StatefulLanguageModel(ReadoutLossModel):
    """A language model that continues where the previous call stopped, to train on long texts and to read them.

    It wraps a model and keeps the states after the last window and the last token, which the model itself must not
    keep. A call either continues from them or starts anew, like a call of the model. No gradient crosses the border of
    a window (truncated backpropagation through time).

    Args:
        model: a built `Seq2Seq` without a source.
        batch: number of texts that are read in parallel.

    Call arguments:
        inputs: `(continues, targets)`: whether each text continues from the previous call, boolean `(batch, 1)`; and
            the ids of its next window, `(batch, length)`, padded with 0 after its end.
        training: whether to apply dropout.

    Returns:
        The logits of the model's teacher-forced pass, `(batch, length, vocabulary_size)`, with the mask of real ids.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import FeedbackDecoder, NoEncoder, Seq2Seq, Tokens
    >>> model = Seq2Seq(NoEncoder(), FeedbackDecoder(8, readout=Tokens(10)))
    >>> model.build((None, None))
    >>> stream, text = StatefulLanguageModel(model, batch=1), np.array([[4, 5, 6, 7, 8, 9]])
    >>> windows = [stream((np.array([[start > 0]]), text[:, start : start + 3])) for start in (0, 3)]
    >>> np.allclose(np.concatenate(windows, axis=1), model((np.zeros((1, 1)), text)), atol=1e-6)
    True

    Reference:
        Mikolov et al. 2010, "Recurrent neural network based language model".
    """

    def __init__(self, model: Any, batch: int, **kwargs: Any):
        super().__init__(dtype=model.step_policy, **kwargs)  # this model runs the decoder's steps, outside its call
        self.model = model
        decoder = model.decoder
        self.before = self._add_state((batch,), "int32")
        widths = tree.flatten(decoder.stack.state_widths)
        self.states = [self._add_state((batch, width), decoder.compute_dtype) for width in widths]
        self.built = True

    def _add_state(self, shape: tuple[int, ...], dtype: str) -> Any:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, autocast=False, dtype=dtype)

    def call(self, inputs: tuple[Any, Any], training: bool | None = None) -> Any:
        """Read the next window of each text."""
        continues, targets = inputs
        decoder = self.model.decoder
        memory, states = decoder.initialize(self.model.encoder(continues), training)
        # Tensors, since JAX's `where` takes no variables.
        before, *kept = map(ops.convert_to_tensor, (self.before, *self.states))
        kept = [ops.where(continues, *both) for both in zip(kept, tree.flatten(states), strict=True)]
        states = tree.pack_sequence_as(states, kept)
        before = ops.where(continues[:, 0], before, self.readout.initial_output(ops.shape(targets)[0]))
        logits, states = decoder.continue_sequence(targets, before, states, memory, training)
        self.before.assign(targets[:, -1])
        for state, last in zip(self.states, tree.flatten(states), strict=True):
            state.assign(last)
        return logits

    @property
    def readout(self) -> Readout:
        """The readout of the model."""
        return self.model.readout
