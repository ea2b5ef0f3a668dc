"""The feedback mode: each step reads the previous output."""

from typing import Any

from seq2seq_zoo.decoders.decoder import Decoder, modes
from seq2seq_zoo.layers.sublayer import Tensor


@modes.register(
    "feedback", "reads its own last output; the source reaches it through the initial state alone (Sutskever et al.)"
)
class FeedbackDecoder(Decoder):
    """A decoder whose steps read the previous output; the source reaches it only through the initial state.

        x[t] = y[t-1]
        s[t] = cell(x[t], s[t-1]),  s[0] = bridge(encoder)
        y[t] = readout(s[t])

    Arguments, call arguments and return value are those of `Decoder`.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import Encoder, FeedbackDecoder, Tokens
    >>> encoded = Encoder(8, vocabulary_size=10)(np.array([[4, 5, 6]]))
    >>> FeedbackDecoder(8, readout=Tokens(12))(encoded, np.array([[7, 8, 2, 0]])).shape
    TensorShape([1, 4, 12])

    Reference:
        Sutskever et al. 2014, arXiv:1409.3215, section 2.
    """

    def inputs(self, previous: Tensor, source: Any) -> tuple[Tensor, ...]:
        """`y[t-1]`."""
        return (previous,)
