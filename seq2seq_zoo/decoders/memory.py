"""What stays constant while one batch is decoded."""

from typing import Any, NamedTuple

from seq2seq_zoo.decoders.precomputed import Precomputed
from seq2seq_zoo.layers.dropout import DropoutMasks
from seq2seq_zoo.layers.sublayer import Tensor


class Memory(NamedTuple):
    """Everything that stays constant while one batch is decoded."""

    source: Any
    """What the mode's `prepare` returned."""
    embedding_dropout: Tensor | None
    """The dropout mask of the embedded previous output; `None` where nothing is dropped."""
    layer_dropout: tuple[DropoutMasks, ...]
    """The dropout masks of the recurrent layers."""
    mask: Tensor
    """Which source positions are real: boolean `(batch, source length)`."""
    precomputed: Precomputed = Precomputed()
    """Products that `precompute` computed for a loop over single steps; by default each step computes its own."""
