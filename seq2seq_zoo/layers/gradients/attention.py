"""The custom gradient of a decoder's pass whose cell reads the attention's context."""

from collections.abc import Sequence
from typing import Any

from keras import ops, tree

from seq2seq_zoo.layers.backend import custom_gradient, gradient_of
from seq2seq_zoo.layers.gradients.recurrence import _back, _before, _of_kernel, _of_weights
from seq2seq_zoo.layers.scan import scan


def attention_pass(
    cells: Sequence[Any],
    attend: Any,
    kernel: Any,
    noise: Sequence[Any],
    residual: bool,
    projected: Any,
    states: tuple[tuple[Any, ...], ...],
    source: Any,
) -> tuple[Any, Any]:
    """All steps of layers whose first reads where its last has looked.

    Args:
        cells: one a layer, each with an `adjoint`.
        attend: the `Attention`.
        kernel: what the context is multiplied with, `(width, gates * units)`.
        noise: dropout masks, one entry a layer.
        residual: whether each layer after the first adds its input to its output.
        projected: `(time, batch, gates * units)`, what the first layer reads besides the context.
        states: the first states, a tuple a layer.
        source: what there is to look at.

    Returns:
        `(features, weights)`: the last layer's outputs beside the contexts, `(time, batch, units + width)`; and the
        attention weights, `(time, batch, source length)`.
    """
    top = len(cells) - 1
    keeps = [masks.states[0] for masks in noise]
    keys, values, mask = source
    asking = () if attend.query_kernel is None else (attend.query_kernel,)

    def score(asked: Any, keys: Any, weights: Any) -> Any:
        return attend.score(asked[:, None], keys, *weights)[:, 0]

    def outputs_of(tops: Sequence[Any]) -> list[Any]:
        """The outputs of the first layers, from their output states."""
        outputs: list[Any] = []
        for state, masks in zip(tops, noise, strict=False):
            output = state if masks.output is None else state * masks.output
            outputs.append(output + outputs[-1] if residual and outputs else output)
        return outputs

    def forward(projected: Any, states: Any, keys: Any, values: Any, weights: Any) -> tuple[Any, Any]:
        def step(states: Any, projected: Any) -> Any:
            asked = states[top][0]
            if weights["asking"]:
                asked = ops.matmul(asked, *weights["asking"])
            found = attend.masked_softmax(score(asked, keys, weights["scoring"]), mask)
            context = ops.squeeze(ops.matmul(found[:, None], values), 1)
            projected = projected + ops.matmul(context, weights["context"])
            following: list[Any] = []
            saved = []
            for layer, cell in enumerate(cells):
                if layer:
                    kernel, bias = weights["upper"][layer - 1]
                    projected = ops.matmul(outputs_of([state[0] for state in following])[-1], kernel) + bias
                product = cell.recur(states[layer][0], keeps[layer], weights["recurrent"][layer])
                state, kept = cell.combine(projected, product, states[layer])
                following.append(state)
                saved.append(kept)
            return tuple(following), (tuple(state[0] for state in following), asked, found, context, tuple(saved))

        _, (tops, asked, found, contexts, saved) = scan(step, states, projected)
        features = ops.concatenate([outputs_of(tops)[-1], contexts], axis=-1)
        before = tuple(_before(each, state[0], False) for each, state in zip(tops, states, strict=True))
        return (features, found), (tops, before, asked, found, contexts, saved, keys, values, weights)

    def backward(kept: Any, gradients: Any) -> Any:
        tops, before, asked, found, contexts, saved, keys, values, weights = kept
        of_features, of_found = gradients
        units = cells[top].units
        # Transposed here, once.
        recurrent = [ops.transpose(kernel) for kernel, *_ in weights["recurrent"]]
        upper = [ops.transpose(kernel) for kernel, _ in weights["upper"]]
        context, asking = ops.transpose(weights["context"]), [ops.transpose(kernel) for kernel in weights["asking"]]

        def step(carry: Any, x: Any) -> Any:
            of_states, of_keys, of_scoring = carry
            of_features, of_found, asked, found, saved = x
            of_output, of_context = of_features[:, :units], of_features[:, units:]
            of_before: list[Any] = [None] * len(cells)
            of_projected, of_product = list(of_before), list(of_before)
            for layer in reversed(range(len(cells))):
                masks = noise[layer].output
                of_h = of_states[layer][0] + (of_output if masks is None else of_output * masks)
                of_projected[layer], of_product[layer], of_before[layer] = _back(
                    cells[layer], recurrent[layer], keeps[layer], saved[layer], (of_h, *of_states[layer][1:])
                )
                if layer:
                    below = ops.matmul(of_projected[layer], upper[layer - 1])
                    of_output = below + of_output if residual else below
            of_context = of_context + ops.matmul(of_projected[0], context)
            # Through the weighted mean, the softmax, the score and the question.
            of_found = of_found + ops.squeeze(ops.matmul(values, of_context[..., None]), -1)
            of_scores = found * (of_found - ops.sum(found * of_found, axis=-1, keepdims=True))
            of_asked, more_keys, more = gradient_of(score, (asked, keys, weights["scoring"]), of_scores)
            of_query = ops.matmul(of_asked, *asking) if asking else of_asked
            of_before[top] = (of_before[top][0] + of_query, *of_before[top][1:])
            of_scoring = tree.map_structure(lambda so_far, each: so_far + each, of_scoring, more)
            carry = tuple(of_before), of_keys + more_keys, of_scoring
            return carry, (tuple(of_projected), tuple(of_product), of_context, of_asked)

        states = tuple((ops.zeros_like(each[0]),) * cell.state_count for each, cell in zip(before, cells, strict=True))
        carry = states, *tree.map_structure(ops.zeros_like, (keys, weights["scoring"]))
        (of_states, of_keys, of_scoring), (of_projected, of_product, of_contexts, of_asked) = scan(
            step, carry, (of_features, of_found, asked, found, saved), reverse=True
        )
        of_values = ops.matmul(ops.transpose(found, (1, 2, 0)), ops.transpose(of_contexts, (1, 0, 2)))
        of_weights = {
            "recurrent": tuple(map(_of_weights, weights["recurrent"], before, keeps, of_product)),
            "upper": tuple(
                (_of_kernel(below, each), ops.sum(each, axis=(0, 1)))
                for below, each in zip(outputs_of(tops), of_projected[1:], strict=False)
            ),
            "context": _of_kernel(contexts, of_projected[0]),
            "asking": tuple(_of_kernel(before[top], of_asked) for _ in asking),
            "scoring": of_scoring,
        }
        return of_projected[0], of_states, of_keys, of_values, of_weights

    weights = {
        "recurrent": tuple(cell.recurrent_weights() for cell in cells),
        "upper": tuple((cell.kernel, cell.bias) for cell in cells[1:]),
        "context": kernel,
        "asking": asking,
        "scoring": attend.score_weights(),
    }
    weights = tree.map_structure(ops.convert_to_tensor, weights)
    return custom_gradient(forward, backward)(projected, states, keys, values, weights)
