"""The attention mode: each step reads the previous output and the attention context."""

from typing import Annotated, Any

from seq2seq_zoo.config.options import Named, checked
from seq2seq_zoo.decoders.decoder import Decoder, modes
from seq2seq_zoo.layers.attention import Attention, AttentionMemory, attentions
from seq2seq_zoo.layers.encoder import Encoded
from seq2seq_zoo.layers.sublayer import Tensor


@modes.register(
    "attention", "reads its own last output and attends to the whole source with its state (Bahdanau et al.)"
)
class AttentionDecoder(Decoder):
    """A decoder whose steps read the previous output and a weighted mean of the encoder's outputs.

        a[t] = softmax over j of score(s[t-1], H[j])
        x[t] = [y[t-1]; sum_j a[t, j] H[j]]
        s[t] = cell(x[t], s[t-1]),  s[0] = bridge(encoder)
        y[t] = readout([s[t]; sum_j a[t, j] H[j]])

    Without `input_feeding`, the cell reads `y[t-1]` alone and the query is `s[t]`: only the readout reads the context,
    and under teacher forcing all attention is computed outside the loop over time. Without `readout_context`, only the
    cell reads the context.

    Arguments, call arguments and return value are those of `Decoder`, and:

    Args:
        attention: the name of a registered attention, a mapping of its `name` and arguments, or an `Attention`.
        input_feeding: whether the cell reads the context.
        readout_context: whether the readout reads the context.

    Raises:
        ValueError: neither reads the context.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import AttentionDecoder, Encoder, Tokens
    >>> encoded = Encoder(8, vocabulary_size=10)(np.array([[4, 5, 6, 0]]))
    >>> decoder = AttentionDecoder(8, readout=Tokens(12), attention="general")
    >>> logits, weights = decoder(encoded, np.array([[7, 8, 2]]), return_attention_scores=True)
    >>> logits.shape, weights.shape
    (TensorShape([1, 3, 12]), TensorShape([1, 3, 4]))

    Reference:
        Bahdanau et al. 2015, arXiv:1409.0473, section 3.1 (the readout is a single layer here); without input feeding:
        Luong et al. 2015, arXiv:1508.04025, section 3.1 (without the extra tanh layer).
    """

    @checked
    def __init__(
        self,
        *args: Any,
        attention: Annotated[Any, Named(attentions)] = "additive",
        input_feeding: bool = True,
        readout_context: bool = True,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        if not (input_feeding or readout_context):
            raise ValueError(
                "With neither input_feeding nor readout_context nothing reads the attention context: set one of them "
                "to true."
            )
        self.attention = attention
        self.input_feeding = input_feeding
        self.readout_context = readout_context
        self.attention_layer = attentions.create(attention, name="attention", dtype=self.dtype_policy)

    def build_attention(self, width: int) -> None:
        """Create the weights of the score."""
        self.attention_layer.build(query=self.units, key=width)

    def prepare(self, encoded: Encoded) -> AttentionMemory:
        """The keys, the values and the mask."""
        return self.attention_layer.prepare(encoded.sequence, encoded.mask)

    def inputs(self, previous: Tensor, source: AttentionMemory) -> tuple[Tensor, ...]:
        """`y[t-1]`."""
        return (previous,)

    def attend(self, query: Tensor, source: AttentionMemory) -> tuple[Tensor, Tensor]:
        """`sum_j a[t, j] H[j]`, and `a[t]`."""
        return self.attention_layer(query, source)

    @property
    def standard_attention(self) -> Attention | None:
        """The attention layer, unless a subclass attends in another way."""
        is_standard = type(self).attend is AttentionDecoder.attend and self.attention_layer.is_standard
        return self.attention_layer if is_standard else None
