"""Sampled softmax: in training, the logits of each target and of a sample of tokens, not of the whole vocabulary.

With `Tokens(softmax_samples=n)` a teacher-forced training step puts out `1 + n` logits: first the target's, then those
of `n` distinct tokens drawn for the batch. The sample holds all targets of the batch (or as many of them as fit), so
frequent tokens are nearly always in it; the rest is drawn uniformly from the other tokens. Each logit is corrected by
the probability with which its token is drawn, so that the expected denominator is that of the full softmax:

    loss = -log(exp(l[y]) / (exp(l[y]) + sum over drawn k other than y of exp(l[k]) / P(k is drawn)))

Reference:
    Jean et al. 2015, arXiv:1412.2007, section 3. Their sample holds the targets of a part of the corpus, ours those of
    a batch.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from seq2seq_zoo.layers.products import matmul
from seq2seq_zoo.layers.sublayer import Tensor

EXCLUDED = -1e9
"""The logit of a token that must not count: zero after a softmax, and yet finite."""


def draw_sample(targets: Tensor, mask: Tensor, vocabulary_size: int, samples: int, seed: Any) -> tuple[Tensor, Tensor]:
    """Draw the tokens whose logits are computed for a batch.

    Args:
        targets: `(batch, length)` ids.
        mask: which targets are real: boolean `(batch, length)`.
        vocabulary_size: number of tokens.
        samples: number of distinct tokens to draw.
        seed: a `keras.random.SeedGenerator`.

    Returns:
        `(ids, probabilities)`, `(samples,)` each: the drawn tokens, and the probability with which each is drawn.
    """
    real = ops.cast(ops.reshape(mask, (-1,)), "float32")
    is_target = ops.scatter_update(ops.zeros((vocabulary_size,), dtype="float32"), ops.reshape(targets, (-1, 1)), real)
    # The greatest of uniform numbers are a uniform sample; adding 1 puts the batch's targets before all others.
    numbers = ops.cast(keras.random.uniform((vocabulary_size,), seed=seed), "float32")
    ids = ops.cast(ops.top_k(numbers + is_target, samples, sorted=False)[1], "int32")
    count = ops.sum(is_target)
    of_targets = ops.minimum(1.0, samples / ops.maximum(count, 1.0))
    of_others = ops.maximum(samples - count, 1.0) / (vocabulary_size - count)
    return ids, ops.where(ops.take(is_target, ids) > 0, of_targets, of_others)


def sampled_logits(
    features: Tensor,
    targets: Tensor,
    sample: tuple[Tensor, Tensor],
    output_vectors: Callable[[Tensor], Tensor],
    bias: Tensor,
) -> Tensor:
    """The corrected logits of each target and of the drawn tokens.

    Args:
        features: `(batch, length, width)`, as the output matrix takes them.
        targets: `(batch, length)` ids.
        sample: from `draw_sample`.
        output_vectors: the columns of the output matrix for given ids: `(n,)` to `(n, width)`.
        bias: of all tokens, `(vocabulary,)`.

    Returns:
        `(batch, length, 1 + samples)` in float32, the target's logit first. The target is excluded from the rest.
    """
    drawn, probabilities = sample
    # One lookup for both: its gradient is as large as the whole output matrix.
    ids, count = ops.concatenate([drawn, ops.reshape(targets, (-1,))]), drawn.shape[0]
    vectors, bias = output_vectors(ids), ops.take(bias, ids)
    of_target = ops.sum(features * ops.reshape(vectors[count:], ops.shape(features)), axis=-1)
    of_target = of_target + ops.reshape(bias[count:], ops.shape(targets))
    vectors = ops.slice(vectors, (0, 0), (count, vectors.shape[1]))  # vectors[:count] would lose the static length
    of_drawn = matmul(features, ops.transpose(vectors)) + ops.slice(bias, (0,), (count,))
    is_target = ops.equal(ops.expand_dims(targets, -1), drawn)
    of_drawn = ops.where(is_target, EXCLUDED, ops.cast(of_drawn, "float32") - ops.log(probabilities))
    return ops.concatenate([ops.expand_dims(ops.cast(of_target, "float32"), -1), of_drawn], axis=-1)
