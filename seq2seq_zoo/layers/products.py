"""Matrix products with a kernel: of vectors, and of embeddings."""

import math
from typing import NamedTuple

from keras import ops

from seq2seq_zoo.layers.sublayer import Tensor


def matmul(x: Tensor, kernel: Tensor) -> Tensor:
    """`x @ kernel` over the last axis, for `x` of any rank.

    It is computed as one flat product, since the gradient of a batched product would compute one for each row.
    """
    if len(x.shape) <= 2:
        return ops.matmul(x, kernel)
    shape = ops.shape(x)
    flat = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel)
    return ops.reshape(flat, (*shape[:-1], kernel.shape[-1]))


class EmbeddingLookup(NamedTuple):
    """Embedded tokens, before they are looked up: an input part that a cell projects faster than the embeddings.

    The product with a kernel is computed once for each token of the vocabulary, and the products are looked up. Where
    there are more ids than tokens, this takes fewer multiplications than looking up the embeddings first.
    """

    ids: Tensor
    """The tokens' ids, of any shape."""
    vectors: Tensor
    """The embedding matrix, `(vocabulary, width)`."""
    products: Tensor = None
    """The embedding matrix times the kernel, `(vocabulary, gates * units)`, if it is precomputed."""

    @property
    def pays_off(self) -> bool:
        """Whether there are at least as many ids as tokens; an unknown length counts as 8, about that of a word."""
        return math.prod(size or 8 for size in self.ids.shape) >= self.vectors.shape[0]

    def project(self, kernel: Tensor) -> Tensor:
        """The embeddings of the ids, times a kernel: `(*ids.shape, gates * units)`."""
        products = matmul(self.vectors, kernel) if self.products is None else self.products
        return ops.take(products, self.ids, axis=0)
