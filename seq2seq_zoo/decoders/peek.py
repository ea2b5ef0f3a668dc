"""The peek mode: its own last output, and the summary at every step."""

from typing import Any

from seq2seq_zoo.layers.decoder import Decoder, modes


@modes.register("peek", "reads its own last output and the source's summary at every step (Cho et al.)")
class PeekDecoder(Decoder):
    """A decoder that reads its own last output and `c` at every step.

        x[t] = [y[t-1]; c]
        s[t] = cell(x[t], s[t-1]),  s[0] = bridge(encoder)
        y[t] = readout(s[t])

    Arguments, call arguments and return value are `Decoder`'s.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import Encoder, PeekDecoder, Tokens
    >>> encoded = Encoder(8, vocabulary_size=10)(np.array([[4, 5, 6]]))
    >>> PeekDecoder(8, readout=Tokens(12), bridge="copy")(encoded, np.array([[7, 8, 2, 0]])).shape
    TensorShape([1, 4, 12])

    Reference:
        Cho et al. 2014, arXiv:1406.1078, section 2.2 (the readout here reads `s[t]` alone).
    """

    def inputs(self, previous: Any, source: Any) -> tuple[Any, ...]:
        """`y[t-1]` and `c`."""
        return previous, source.summary[:, None]
