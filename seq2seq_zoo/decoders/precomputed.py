"""Products that a loop over single steps would otherwise repeat at every step: the speed beside `Decoder.step`."""

from typing import NamedTuple

from keras import ops

from seq2seq_zoo.layers.products import EmbeddingLookup, matmul
from seq2seq_zoo.layers.stack import Stack
from seq2seq_zoo.layers.sublayer import Tensor


class Precomputed(NamedTuple):
    """Products with the first layer's kernel, computed once before a loop.

    A step multiplies the embedded previous output and the attention context by the kernel `W`. Matrix products are
    linear, so both can be taken before the loop, from all embeddings `E` and all attention values `H`:

        E[y] W                   = (E W)[y]
        (sum_j a[t, j] H[j]) W   = sum_j a[t, j] (H W)[j]

    The default holds nothing, and each step computes its own products. The results are the same but for rounding.
    """

    kernels: tuple[Tensor, ...] | None = None
    """The first layer's kernel, split by input part; a slice is a copy, so it is made once."""
    embedding_products: Tensor | None = None
    """`E W`, `(vocabulary, gates * units)`."""
    context_products: Tensor | None = None
    """`H W`, `(batch, source length, gates * units)`."""

    def with_lookup(
        self, parts: tuple[Tensor, ...], embedded: Tensor, lookup: EmbeddingLookup | None
    ) -> tuple[Tensor | EmbeddingLookup, ...]:
        """The input parts with a lookup in `E W` in place of the embedded outputs, where that is cheaper.

        Args:
            parts: what the mode's `inputs` returned. They change only where the mode passes `embedded` on as it is.
            embedded: the embedded outputs.
            lookup: their lookup in `E`; `None` if they are not looked up.
        """
        if lookup is None or (self.embedding_products is None and not lookup.pays_off):
            return parts
        lookup = lookup._replace(products=self.embedding_products)
        return tuple(lookup if part is embedded else part for part in parts)

    def project_context(self, stack: Stack, part: int, context: Tensor, weights: Tensor) -> Tensor:
        """The product of the context with the kernel.

        Args:
            stack: the recurrent layers.
            part: the position of the context among the first layer's input parts.
            context: `(batch, width)`, or `(batch, hypotheses, width)` in a search.
            weights: the attention weights that gave this context.
        """
        if self.context_products is None or len(weights.shape) == 2:
            return stack.project((context,), part, self.kernels)
        return ops.matmul(weights, self.context_products)


def precompute(
    kernels: tuple[Tensor, ...],
    source_shape: tuple[int | None, ...],
    steps: int,
    embeddings: tuple[int, Tensor] | None = None,
    values: tuple[int, Tensor] | None = None,
) -> Precomputed:
    """The products that a loop is likely to use often enough to repay them.

    Args:
        kernels: the first layer's kernel, split by input part.
        source_shape: `(batch, source length)`.
        steps: the largest possible number of steps of each row, summed over its hypotheses.
        embeddings: the position of the embedded output among the input parts, and all embeddings; `None` if a step
            reads no embedding.
        values: the position of the context among the input parts, and the attention values; `None` if the cell reads
            no context.
    """
    batch, length = source_shape
    batch = batch or 1  # unknown while a graph is traced
    # The number of rows that the loop multiplies: most loops stop long before the last possible step, hence the
    # quarter, and a product of fewer than 16 rows takes as long as one of 16, since both read the whole kernel.
    rows = steps * max(batch, 16) // 4
    embedding_products = context_products = None
    if embeddings is not None and embeddings[1].shape[0] <= rows:
        embedding_products = matmul(embeddings[1], kernels[embeddings[0]])
    if values is not None and length is not None and batch * length <= rows:
        context_products = matmul(values[1], kernels[values[0]])
    return Precomputed(kernels, embedding_products, context_products)
