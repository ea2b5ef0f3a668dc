"""Matrix products with a kernel, of vectors and of looked-up embeddings."""

import math
from typing import Any, NamedTuple

from keras import ops


def matmul(x: Any, kernel: Any) -> Any:
    """`x @ kernel` over the last axis, as one flat product: a batched one would have a gradient for each row."""
    if len(x.shape) <= 2:
        return ops.matmul(x, kernel)
    shape = ops.shape(x)
    flat = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel)
    return ops.reshape(flat, (*shape[:-1], kernel.shape[-1]))


class EmbeddingLookup(NamedTuple):
    """Tokens' vectors as a part of what a cell reads: multiplied once for each token there is, and then looked up."""

    ids: Any
    """Which tokens: of any shape."""
    vectors: Any
    """`(vocabulary, width)`."""
    products: Any = None
    """The vectors times the part's kernel, where somebody has made them before."""

    @property
    def pays_off(self) -> bool:
        """Whether there are no fewer ids than tokens; a length that is not known yet is taken to be a word's."""
        return math.prod(size or 8 for size in self.ids.shape) >= self.vectors.shape[0]

    def times(self, kernel: Any) -> Any:
        """The vectors of the ids, times a kernel."""
        products = matmul(self.vectors, kernel) if self.products is None else self.products
        return ops.take(products, self.ids, axis=0)
