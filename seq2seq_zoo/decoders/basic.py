"""The basic mode: the summary at every step, nothing else."""

from typing import Any

from seq2seq_zoo.decoders.decoder import Decoder, modes


@modes.register("basic", "reads the source's summary at every step, never its own output (RepeatVector)")
class BasicDecoder(Decoder):
    """A decoder that reads `c` at every step and never its own output.

        x[t] = c
        s[t] = cell(x[t], s[t-1])
        y[t] = readout(s[t])

    Its outputs are conditionally independent given the source: it cannot know which of several good answers it has
    begun. Arguments, call arguments and return value are `Decoder`'s.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import BasicDecoder, Encoder, Tokens
    >>> encoded = Encoder(8, vocabulary_size=10)(np.array([[4, 5, 6]]))
    >>> BasicDecoder(8, readout=Tokens(12), max_length=5)(encoded).shape
    TensorShape([1, 5, 12])

    Reference:
        Cho et al. 2014, arXiv:1406.1078, without the feedback; Keras's `RepeatVector` and its addition_rnn example.
    """

    feeds_back = False

    def inputs(self, previous: Any, source: Any) -> tuple[Any, ...]:
        """`c`."""
        return (source.summary[:, None],)
