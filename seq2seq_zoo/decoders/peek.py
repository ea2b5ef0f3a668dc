"""The peek mode: its own last output, and the summary at every step."""

from typing import Any, Literal

from seq2seq_zoo.config.options import OptionError, checked
from seq2seq_zoo.decoders.decoder import Decoder, modes


@modes.register("peek", "reads its own last output and the source's summary at every step (Cho et al.)")
class PeekDecoder(Decoder):
    """A decoder that reads its own last output and `c` at every step.

        x[t] = [y[t-1]; c]
        s[t] = cell(x[t], s[t-1]),  s[0] = bridge(encoder)
        y[t] = readout(s[t])

    Arguments, call arguments and return value are `Decoder`'s, and:

    Args:
        combine: how a step reads the two: side by side, or their sum, `x[t] = y[t-1] + c`, for which they must be
            equally wide.

    Raises:
        ValueError: a sum of unequal widths.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import Encoder, PeekDecoder, Tokens
    >>> encoded = Encoder(8, vocabulary_size=10)(np.array([[4, 5, 6]]))
    >>> PeekDecoder(8, readout=Tokens(12), bridge="copy")(encoded, np.array([[7, 8, 2, 0]])).shape
    TensorShape([1, 4, 12])

    Reference:
        Cho et al. 2014, arXiv:1406.1078, section 2.2 (the readout here reads `s[t]` alone).
    """

    @checked
    def __init__(self, *args: Any, combine: Literal["concatenate", "add"] = "concatenate", **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.combine = combine

    def inputs(self, previous: Any, source: Any) -> tuple[Any, ...]:
        """`y[t-1]` and `c`."""
        parts = previous, source.summary[:, None]
        return parts if self.combine == "concatenate" else (self._sum(*parts),)

    def _sum(self, previous: Any, summary: Any) -> Any:
        if previous.shape[-1] != summary.shape[-1]:
            raise OptionError(
                ("combine",),
                f"combine='add' adds the encoder's summary to the output before, which must be equally wide: got "
                f"{summary.shape[-1]} and {previous.shape[-1]}. Change the encoder's units or the embedding_dim, or "
                f"use combine='concatenate'.",
            )
        return previous + summary
