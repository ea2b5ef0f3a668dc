"""The peek mode: each step reads the previous output and the summary."""

from typing import Any, Literal

from seq2seq_zoo.config.options import OptionError, checked
from seq2seq_zoo.decoders.decoder import Decoder, modes
from seq2seq_zoo.layers.sublayer import Tensor


@modes.register("peek", "reads its own last output and the source's summary at every step (Cho et al.)")
class PeekDecoder(Decoder):
    """A decoder whose steps read the previous output and `c`, the encoder's summary.

        x[t] = [y[t-1]; c]
        s[t] = cell(x[t], s[t-1]),  s[0] = bridge(encoder)
        y[t] = readout(s[t])

    Arguments, call arguments and return value are those of `Decoder`, and:

    Args:
        combine: how a step reads the two: concatenated, or added (`x[t] = y[t-1] + c`), for which both must have the
            same width.

    Raises:
        ValueError: the two are added and differ in width.

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

    def inputs(self, previous: Tensor, source: Any) -> tuple[Tensor, ...]:
        """`y[t-1]` and `c`."""
        parts = previous, source.summary[:, None]
        return parts if self.combine == "concatenate" else (self._sum(*parts),)

    def _sum(self, previous: Tensor, summary: Tensor) -> Tensor:
        if previous.shape[-1] != summary.shape[-1]:
            raise OptionError(
                ("combine",),
                f"combine='add' adds the encoder's summary to the embedded previous output, so both must have the same "
                f"width: got {summary.shape[-1]} and {previous.shape[-1]}. Change the encoder's units or "
                f"embedding_dim, or use combine='concatenate'.",
            )
        return previous + summary
