"""The custom gradient of a decoder's pass over time whose first layer reads the attention's context."""

from collections.abc import Sequence
from typing import Any

from keras import ops, tree

from seq2seq_zoo.layers.attention import Attention, AttentionMemory
from seq2seq_zoo.layers.backend import custom_gradient, gradient_of
from seq2seq_zoo.layers.cells import Cell, States
from seq2seq_zoo.layers.dropout import DropoutMasks, dropped
from seq2seq_zoo.layers.gradients.adjoints import adjoint_of
from seq2seq_zoo.layers.gradients.recurrence import (
    kernel_gradient,
    recurrent_weights_gradient,
    states_before,
    step_backward,
)
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.sublayer import Tensor


def attention_pass(
    cells: Sequence[Cell],
    attention: Attention,
    context_kernel: Tensor,
    dropout_masks: Sequence[DropoutMasks],
    residual: bool,
    projected: Tensor,
    states: States,
    source: AttentionMemory,
) -> tuple[Tensor, Tensor]:
    """All steps of a stack whose first layer reads the context that its last layer's state attends to.

    The calculation of a step follows the steps:

    1. `query = h W_q`, where `h` is the last layer's state before the step and `W_q` the attention's `query_kernel`.
    2. `attended = softmax(score(query, keys))`, the attention weights, and `context = attended @ values`.
    3. The first layer reads `projected + context @ context_kernel`; each other layer reads the output of the one below.

    Args:
        cells: one a layer; `has_custom_gradient` holds for each.
        attention: one that `is_standard`.
        context_kernel: the rows of the first layer's kernel for the context, `(width, gates * units)`.
        dropout_masks: one entry a layer.
        residual: whether each layer after the first adds its input to its output.
        projected: what the first layer reads besides the context, `(time, batch, gates * units)`.
        states: the initial states, one tuple a layer.
        source: the keys, values and mask that the attention prepared.

    Returns:
        `(features, attended)`: the last layer's outputs beside the contexts, `(time, batch, units + width)`; and the
        attention weights, `(time, batch, source length)`.
    """
    top = len(cells) - 1
    units = cells[top].units
    keeps = [masks.states[0] for masks in dropout_masks]
    keys, values, mask = source
    adjoints = [adjoint_of(cell) for cell in cells]

    def score(query: Tensor, keys: Tensor, score_weights: Any) -> Tensor:
        return attention.score(query[:, None], keys, *score_weights)[:, 0]

    def layer_outputs(hidden: Sequence[Tensor]) -> list[Tensor]:
        """The outputs of the lowest layers, given their output states."""
        outputs: list[Tensor] = []
        for h, masks in zip(hidden, dropout_masks, strict=False):
            output = dropped(h, masks.output)
            outputs.append(output + outputs[-1] if residual and outputs else output)
        return outputs

    def forward(projected: Tensor, states: States, keys: Tensor, values: Tensor, weights: Any) -> tuple[Any, Any]:
        def step(states: States, projected: Tensor) -> Any:
            query = states[top][0]
            if weights["query"]:
                query = ops.matmul(query, *weights["query"])
            attended = attention.masked_softmax(score(query, keys, weights["score"]), mask)
            context = ops.squeeze(ops.matmul(attended[:, None], values), 1)
            projected = projected + ops.matmul(context, weights["context"])
            following: list[Any] = []
            saved: list[Any] = []
            for layer, cell in enumerate(cells):
                if layer:
                    kernel, bias = weights["upper"][layer - 1]
                    projected = ops.matmul(layer_outputs([state[0] for state in following])[-1], kernel) + bias
                product = cell.recur(states[layer][0], keeps[layer], weights["recurrent"][layer])
                state, kept = adjoints[layer].forward(projected, product, states[layer])
                following.append(state)
                saved.append(kept)
            hidden = tuple(state[0] for state in following)
            return tuple(following), (hidden, query, attended, context, tuple(saved))

        _, (hidden, queries, attended, contexts, saved) = scan(step, states, projected)
        features = ops.concatenate([layer_outputs(hidden)[-1], contexts], axis=-1)
        before = tuple(states_before(each, state[0], False) for each, state in zip(hidden, states, strict=True))
        return (features, attended), (hidden, before, queries, attended, contexts, saved, keys, values, weights)

    def backward(kept: Any, gradients: Any) -> Any:
        hidden, before, queries, attended, contexts, saved, keys, values, weights = kept
        d_features, d_attended = gradients
        # Transposed once, outside the loop.
        recurrent = [ops.transpose(kernel) for kernel, *_ in weights["recurrent"]]
        upper = [ops.transpose(kernel) for kernel, _ in weights["upper"]]
        context_kernel = ops.transpose(weights["context"])
        query_kernel = [ops.transpose(kernel) for kernel in weights["query"]]

        def layers_backward(d_states: States, d_output: Tensor, saved: Any) -> tuple[list[Any], list[Any], list[Any]]:
            """From the last layer to the first: the gradients of the projections, products and states before."""
            d_projected: list[Any] = [None] * len(cells)
            d_product, d_before = list(d_projected), list(d_projected)
            for layer in reversed(range(len(cells))):
                dh = d_states[layer][0] + dropped(d_output, dropout_masks[layer].output)
                d_projected[layer], d_product[layer], d_before[layer] = step_backward(
                    cells[layer], recurrent[layer], keeps[layer], saved[layer], (dh, *d_states[layer][1:])
                )
                if layer:
                    d_below = ops.matmul(d_projected[layer], upper[layer - 1])
                    d_output = d_below + d_output if residual else d_below
            return d_projected, d_product, d_before

        def attention_backward(d_context: Tensor, d_attended: Tensor, query: Tensor, attended: Tensor) -> Any:
            """Through the weighted mean, the softmax and the score: gradients of query, keys and score weights."""
            d_attended = d_attended + ops.squeeze(ops.matmul(values, d_context[..., None]), -1)
            d_scores = attended * (d_attended - ops.sum(attended * d_attended, axis=-1, keepdims=True))
            return gradient_of(score, (query, keys, weights["score"]), d_scores)

        def step(carry: Any, x: Any) -> Any:
            d_states, d_keys, d_score_weights = carry
            d_features, d_attended, query, attended, saved = x
            d_output, d_context = d_features[:, :units], d_features[:, units:]
            d_projected, d_product, d_before = layers_backward(d_states, d_output, saved)
            d_context = d_context + ops.matmul(d_projected[0], context_kernel)
            d_query, more_keys, more_weights = attention_backward(d_context, d_attended, query, attended)
            dh = ops.matmul(d_query, *query_kernel) if query_kernel else d_query
            d_before[top] = (d_before[top][0] + dh, *d_before[top][1:])
            d_score_weights = tree.map_structure(lambda total, each: total + each, d_score_weights, more_weights)
            carry = tuple(d_before), d_keys + more_keys, d_score_weights
            return carry, (tuple(d_projected), tuple(d_product), d_context, d_query)

        zeros = tuple((ops.zeros_like(each[0]),) * cell.state_count for each, cell in zip(before, cells, strict=True))
        carry = zeros, *tree.map_structure(ops.zeros_like, (keys, weights["score"]))
        (d_states, d_keys, d_score_weights), (d_projected, d_product, d_contexts, d_queries) = scan(
            step, carry, (d_features, d_attended, queries, attended, saved), reverse=True
        )
        d_values = ops.matmul(ops.transpose(attended, (1, 2, 0)), ops.transpose(d_contexts, (1, 0, 2)))
        d_weights = {
            "recurrent": tuple(map(recurrent_weights_gradient, weights["recurrent"], before, keeps, d_product)),
            "upper": tuple(
                (kernel_gradient(below, each), ops.sum(each, axis=(0, 1)))
                for below, each in zip(layer_outputs(hidden), d_projected[1:], strict=False)
            ),
            "context": kernel_gradient(contexts, d_projected[0]),
            "query": tuple(kernel_gradient(before[top], d_queries) for _ in query_kernel),
            "score": d_score_weights,
        }
        return d_projected[0], d_states, d_keys, d_values, d_weights

    weights = {
        "recurrent": tuple(cell.recurrent_weights() for cell in cells),
        "upper": tuple((cell.kernel, cell.bias) for cell in cells[1:]),
        "context": context_kernel,
        "query": () if attention.query_kernel is None else (attention.query_kernel,),
        "score": attention.score_weights(),
    }
    weights = tree.map_structure(ops.convert_to_tensor, weights)
    return custom_gradient(forward, backward)(projected, states, keys, values, weights)
