"""The basic mode: each step reads the summary, and no step reads an output."""

from typing import Any

from seq2seq_zoo.decoders.decoder import Decoder, modes
from seq2seq_zoo.layers.sublayer import Tensor


@modes.register("basic", "reads the source's summary at every step, never its own output (RepeatVector)")
class BasicDecoder(Decoder):
    """A decoder whose steps read `c`, the encoder's summary, and never an output.

        x[t] = c
        s[t] = cell(x[t], s[t-1])
        y[t] = readout(s[t])

    Given the source, its outputs are independent of one another: it cannot choose one of several correct targets and
    stay consistent with it. Arguments, call arguments and return value are those of `Decoder`.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import BasicDecoder, Encoder, Tokens
    >>> encoded = Encoder(8, vocabulary_size=10)(np.array([[4, 5, 6]]))
    >>> BasicDecoder(8, readout=Tokens(12), max_length=5)(encoded).shape
    TensorShape([1, 5, 12])

    Reference:
        Cho et al. 2014, arXiv:1406.1078, without the feedback; the `RepeatVector` of Keras and its example
        addition_rnn.
    """

    feeds_back = False

    def inputs(self, previous: Tensor, source: Any) -> tuple[Tensor, ...]:
        """`c`."""
        return (source.summary[:, None],)
