"""Recurrent cells, and the stack of them that encoder and decoders share.

A cell's step is split where speed needs it split: `project` (what it takes from its input) leaves the loop over time
as one large matrix product, `advance` (what it takes from its state) stays in it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import keras
import numpy as np
from keras import ops, tree

from seq2seq_zoo.layers import gradients
from seq2seq_zoo.layers.activations import activation_of, name_of
from seq2seq_zoo.layers.part import Part, knows
from seq2seq_zoo.layers.scan import all_real, gradients_by_hand, scan
from seq2seq_zoo.options import Fraction, Named, Positive, checked
from seq2seq_zoo.registry import Registry

States = tuple[tuple[Any, ...], ...]  # one tuple a layer, the layer's output state first


def matmul(x: Any, kernel: Any) -> Any:
    """`x @ kernel` over the last axis, as one flat product: a batched one would have a gradient for each row."""
    if len(x.shape) <= 2:
        return ops.matmul(x, kernel)
    shape = ops.shape(x)
    flat = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel)
    return ops.reshape(flat, (*shape[:-1], kernel.shape[-1]))


class Symbols(NamedTuple):
    """Symbols' vectors as a part of what a cell reads: multiplied once for each symbol there is, and then looked up."""

    ids: Any
    """Which symbols: of any shape."""
    vectors: Any
    """`(vocabulary, width)`."""
    products: Any = None
    """The vectors times the part's kernel, where somebody has made them before."""

    @property
    def worth_it(self) -> bool:
        """Whether there are no fewer ids than symbols; a length that is not known yet is taken to be a word's."""
        return math.prod(size or 8 for size in self.ids.shape) >= self.vectors.shape[0]

    def times(self, kernel: Any) -> Any:
        """The vectors of the ids, times a kernel."""
        products = matmul(self.vectors, kernel) if self.products is None else self.products
        return ops.take(products, self.ids, axis=0)


class Cell(Part):
    """One recurrent layer's weights and step. Abstract: `LSTMCell`, `GRUCell` and `SimpleCell` are the final ones.

    The input may come in parts, each with its own width: a product with a concatenation is the sum of the products
    with its parts, so a part that never changes is projected once, whatever the others do.

    Args:
        units: width of each state.
        activation: of the candidate state: a name that Keras has, or `hard_sigmoid_keras2`.
        recurrent_activation: of the gates: the same.
    """

    gates: int
    """How many `units`-wide blocks the projection has."""
    state_count: int
    """How many state tensors there are; the first is the output."""

    @checked
    def __init__(self, units: Positive, activation: str = "tanh", recurrent_activation: str = "sigmoid", **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation_of(activation)
        self.recurrent_activation = activation_of(recurrent_activation)

    def build(self, widths: Sequence[int]) -> None:
        """Create the weights, for input parts of the given widths."""
        self.widths = tuple(widths)
        width = self.gates * self.units
        self.kernel = self.add_weight(shape=(sum(widths), width), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(width,), initializer=self.initial_bias, name="bias")
        self.built = True

    def initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """The bias before training."""
        return ops.zeros(shape, dtype=dtype)

    def project(self, parts: Sequence[Any], first: int = 0, kernels: Sequence[Any] | None = None) -> Any:
        """What the gates take from the input.

        Args:
            parts: tensors of shape `(..., width)`, which broadcast against one another; or `Symbols` in place of one.
            first: the position of `parts[0]` among the widths that the cell was built with. The bias comes with part 0.
            kernels: `kernels()` at hand.

        Returns:
            A tensor of shape `(..., gates * units)`.
        """
        kernels = (self.kernels() if kernels is None else kernels)[first : first + len(parts)]
        total = sum(
            part.times(kernel) if isinstance(part, Symbols) else matmul(part, kernel)
            for part, kernel in zip(parts, kernels, strict=True)
        )
        return total + self.bias if first == 0 else total

    def kernels(self) -> tuple[Any, ...]:
        """The kernel in its parts."""
        return tuple(self.kernel_of(part) for part in range(len(self.widths)))

    def kernel_of(self, part: int) -> Any:
        """The rows of the kernel that are for one part."""
        row = sum(self.widths[:part])
        return self.kernel[row : row + self.widths[part]]

    def advance(self, projected: Any, states: tuple[Any, ...], keep: Any = None) -> tuple[Any, ...]:
        """One step.

        Args:
            projected: `(batch, gates * units)`, from `project`; a search has an axis of hypotheses after the batch.
            states: tensors of shape `(batch, units)`, with the same axis.
            keep: a dropout mask on what the recurrent product reads, or `None`.

        Returns:
            The next states.
        """
        return self.combine(projected, self.recur(states[0], keep), states)[0]

    def recur(self, h: Any, keep: Any, weights: tuple[Any, ...] | None = None) -> Any:
        """The recurrent product, and what is added to it, if anything; `weights` are `recurrent_weights` at hand."""
        kernel, *biases = weights or self.recurrent_weights()
        return sum(biases, matmul(dropped(h, keep), kernel))

    def recurrent_weights(self) -> tuple[Any, ...]:
        """The matrix of the recurrent product, and what is added to the product, if anything."""
        return (ops.convert_to_tensor(self.recurrent_kernel),)

    def combine(self, projected: Any, product: Any, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """What a step does beside its products, element by element; a cell says this, or all of `advance`.

        Args:
            projected: from `project`.
            product: from `recur`.
            states: the states before.

        Returns:
            `(states, saved)`: the next states, and whatever `adjoint` needs to know.
        """
        raise NotImplementedError

    adjoint: Callable[[Any, tuple[Any, ...]], tuple[Any, Any, tuple[Any, ...]]] | None = None
    """The gradient of `combine` by hand, for the usual activations: `(saved, gradients of the next states) ->
    gradients of (projected, product, the states before)`, to the last of which the product adds. `None` for a cell
    that is to be differentiated automatically."""

    @property
    def usual(self) -> bool:
        """Whether the activations are the usual ones, which `adjoint` is written for."""
        return (self.activation, self.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)

    def by_hand(self) -> bool:
        """Whether a pass over time takes its gradient by hand, here and now."""
        # An `adjoint` is right for the step that its own class has or inherits, not for one that a subclass changes.
        right = self.adjoint is not None and knows(type(self), "adjoint", "advance", "combine")
        return right and self.usual and gradients_by_hand()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": name_of(self.activation),
            "recurrent_activation": name_of(self.recurrent_activation),
        }


cells: Registry[Cell] = Registry("cell", base=Cell, serializable=keras.saving.register_keras_serializable)


@cells.register("lstm", "long short-term memory: a gated cell state beside the output")
class LSTMCell(Cell):
    """Long short-term memory with forget bias one.

        i, f, g, o = W x + U h + b
        c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h' = sigmoid(o) * tanh(c')

    Reference:
        Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; forget bias: Jozefowicz et al. 2015, section 5.
    """

    gates = 4
    state_count = 2

    def initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Zeros, and ones for the forget gate."""
        del shape
        block = (self.units,)
        zeros, ones = ops.zeros(block, dtype=dtype), ops.ones(block, dtype=dtype)
        return ops.concatenate([zeros, ones, zeros, zeros])

    def combine(self, projected: Any, product: Any, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """The next `(h, c)`."""
        _, before = states
        i, f, g, o = self.activated(projected + product)
        c = f * before + i * g
        return (o * self.activation(c), c), (i, f, g, o, before)

    def activated(self, gates: Any) -> Any:
        """The four gates after their activations."""
        if not self.usual:
            i, f, g, o = ops.split(gates, 4, axis=-1)
            i, f, o = (self.recurrent_activation(gate) for gate in (i, f, o))
            return i, f, self.activation(g), o
        # One tanh for all, since sigmoid(x) = (1 + tanh(x / 2)) / 2: one pass over memory instead of four.
        half = ops.cast(np.repeat([0.5, 0.5, 1.0, 0.5], self.units), gates.dtype)
        return ops.split(ops.tanh(gates * half) * half + (1 - half), 4, axis=-1)

    def adjoint(self, saved: Any, gradients: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
        """Of the equations above."""
        i, f, g, o, before = saved
        dh, dc = gradients
        bounded = ops.tanh(f * before + i * g)
        dc = dc + dh * o * (1 - bounded * bounded)
        di = dc * g * i * (1 - i)
        df = dc * before * f * (1 - f)
        dg = dc * i * (1 - g * g)
        do = dh * bounded * o * (1 - o)
        together = ops.concatenate([di, df, dg, do], axis=-1)
        return together, together, (ops.zeros_like(dh), dc * f)


@cells.register("gru", "gated recurrent unit: two gates, one state")
class GRUCell(Cell):
    """Gated recurrent unit, the reset gate applied after the recurrent product (as cuDNN, Keras and PyTorch do).

        z, r = sigmoid(W x + U h + b)
        h' = z * h + (1 - z) * tanh(W x + b + r * (U h + d))

    `d` is `recurrent_bias`; the gates need no second bias, since theirs would only be added to `b`.

    Reference:
        Cho et al. 2014, arXiv:1406.1078v1, where the reset gate comes after the product.
    """

    gates = 3
    state_count = 1

    def build(self, widths: Sequence[int]) -> None:
        """Create the weights, for input parts of the given widths."""
        super().build(widths)
        self.recurrent_bias = self.add_weight(shape=(self.units,), initializer="zeros", name="recurrent_bias")

    def recurrent_weights(self) -> tuple[Any, ...]:
        """The matrix, and the candidate's second bias."""
        return *super().recurrent_weights(), ops.pad(self.recurrent_bias, [[2 * self.units, 0]])

    def combine(self, projected: Any, product: Any, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """The next `(h,)`."""
        (before,) = states
        xz, xr, xh = ops.split(projected, 3, axis=-1)
        hz, hr, hh = ops.split(product, 3, axis=-1)
        z, r = self.recurrent_activation(xz + hz), self.recurrent_activation(xr + hr)
        candidate = self.activation(xh + r * hh)
        return (z * before + (1 - z) * candidate,), (z, r, candidate, hh, before)

    def adjoint(self, saved: Any, gradients: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
        """Of the equations above."""
        z, r, candidate, hh, before = saved
        (dh,) = gradients
        dz = dh * (before - candidate) * z * (1 - z)
        dh_candidate = dh * (1 - z) * (1 - candidate * candidate)
        dr = dh_candidate * hh * r * (1 - r)
        projected = ops.concatenate([dz, dr, dh_candidate], axis=-1)
        product = ops.concatenate([dz, dr, dh_candidate * r], axis=-1)
        return projected, product, (dh * z,)


@cells.register("simple", "Elman's plain recurrence, for comparison")
class SimpleCell(Cell):
    """The plain recurrence `h' = tanh(W x + U h + b)`.

    Reference:
        Elman 1990, "Finding structure in time".
    """

    gates = 1
    state_count = 1

    def combine(self, projected: Any, product: Any, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """The next `(h,)`."""
        del states
        h = self.activation(projected + product)
        return (h,), h

    def adjoint(self, saved: Any, gradients: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
        """Of the equation above."""
        (dh,) = gradients
        d = dh * (1 - saved * saved)
        return d, d, (ops.zeros_like(dh),)


class Noise(NamedTuple):
    """One layer's dropout masks, drawn before the loop and the same at every step; `None` where nothing is dropped."""

    states: tuple[Any, ...]  # (batch, units) for each direction, on the state that the recurrent product reads
    output: Any  # (batch, units * directions), on the layer's output


def dropout_mask(shape: tuple[Any, ...], rate: float, seed: Any, dtype: str, training: bool | None) -> Any:
    """Zeros at `rate`, the rest scaled up so that the mean stays one; `None` where nothing is to be dropped."""
    if not training or not rate:
        return None
    return keras.random.dropout(ops.ones(shape, dtype=dtype), rate, seed=seed)


def dropped(x: Any, mask: Any) -> Any:
    """`x` under a dropout mask, or `x` itself."""
    return x if mask is None else x * mask


class Stack(Part):
    """Recurrent layers on top of one another: the body of the encoder and of every decoder.

    Dropout masks are drawn once a sequence and hold for all its steps, as in Gal and Ghahramani 2016
    (arXiv:1512.05287), so that a step inside a search, inside training and inside the sequence pass is the same step.

    Args:
        units: width of each layer (of each direction).
        cell: a registered cell's name, or a mapping of its `name` and arguments.
        depth: number of layers.
        dropout: share of each layer's outputs to drop in training.
        recurrent_dropout: share of the state that the recurrent product reads to drop in training.
        residual: whether each layer after the first adds its input to its output.
        bidirectional: whether each layer reads in both directions and concatenates the two.
        shared_state: whether all layers thread one state through a step: each starts from the state that the layer
            below has left, and the first from what the last left one step before.

    Raises:
        ValueError: one state for layers of two directions, which do not go through a sequence together.
    """

    @checked
    def __init__(
        self,
        units: Positive,
        cell: Annotated[Any, Named(cells, exclude={"units"})] = "lstm",
        depth: Positive = 1,
        dropout: Fraction = 0.0,
        recurrent_dropout: Fraction = 0.0,
        residual: bool = False,
        bidirectional: bool = False,
        shared_state: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if shared_state and bidirectional:
            raise ValueError(
                "shared_state=True hands one state from layer to layer within a step, which layers of two directions "
                "never are at together: set bidirectional or shared_state to False."
            )
        self.units = units
        self.cell = cell
        self.depth = depth
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.residual = residual
        self.bidirectional = bidirectional
        self.shared_state = shared_state
        self.seed_generator = keras.random.SeedGenerator()
        directions = ("forward", "backward") if bidirectional else ("forward",)
        self.cells = [
            [
                cells.create(cell, units=units, name=f"{direction}_{layer}", dtype=self.dtype_policy)
                for direction in directions
            ]
            for layer in range(depth)
        ]
        self.width = units * len(directions)

    def build(self, widths: Sequence[int]) -> None:
        """Create the weights, for a first layer that reads parts of the given widths."""
        for layer, directions in enumerate(self.cells):
            for cell in directions:
                cell.build((self.width,) if layer else tuple(widths))
        self.built = True

    @property
    def state_widths(self) -> tuple[tuple[int, ...], ...]:
        """The width of every state tensor, a tuple a layer, or one for all layers that share theirs."""
        widths = tuple((self.width,) * layer[0].state_count for layer in self.cells)
        return widths[:1] if self.shared_state else widths

    def noise(self, batch: Any, training: bool | None) -> tuple[Noise, ...]:
        """Dropout masks for a batch of sequences, one entry a layer."""

        def mask(width: int, rate: float) -> Any:
            return dropout_mask((batch, width), rate, self.seed_generator, self.compute_dtype, training)

        return tuple(
            Noise(tuple(mask(self.units, self.recurrent_dropout) for _ in layer), mask(self.width, self.dropout))
            for layer in self.cells
        )

    def project(self, parts: Sequence[Any], first: int = 0, kernels: Sequence[Any] | None = None) -> Any:
        """What the first layer takes from its input parts; see `Cell.project`."""
        return self.cells[0][0].project(parts, first, kernels)

    def kernels(self) -> tuple[Any, ...]:
        """The first layer's kernel in its parts."""
        return self.cells[0][0].kernels()

    def advance(self, projected: Any, states: States, noise: Sequence[Noise]) -> tuple[Any, States]:
        """One step through all layers, for a stack of one direction.

        Args:
            projected: of shape `(batch, gates * units)`, from `project`.
            states: one tuple a layer, or one for all.
            noise: from `noise`.

        Returns:
            `(output, states)`, the output of shape `(batch, units)`.
        """
        output, following = None, []
        for layer, ((cell,), masks) in enumerate(zip(self.cells, noise, strict=True)):
            if output is not None:
                projected = cell.project((output,))
            state = following[-1] if self.shared_state and layer else states[layer]
            following.append(cell.advance(projected, state, masks.states[0]))
            below, output = output, dropped(following[-1][0], masks.output)
            if self.residual and below is not None:
                output = output + below
        return output, tuple(following[-1:] if self.shared_state else following)

    def scan(
        self,
        parts: Sequence[Any],
        noise: Sequence[Noise],
        states: States | None = None,
        mask: Any = None,
        length: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any, States]:
        """All steps, layer by layer, so that every layer's input projection is one product.

        Args:
            parts: time-major input parts of shape `(time or 1, batch, width)`, or `Symbols` with such ids.
            noise: from `noise`.
            states: the first states, one tuple a layer; `None` for zeros. A stack of two directions starts from zeros.
            mask: `(time, batch)`, or `None`; where it is false the states stay as they are.
            length: the number of steps, where no part has them all.
            training: whether a gradient will be asked for, and is worth saving something for.

        Returns:
            `(outputs, last, states)`: outputs `(time, batch, width)`; the output after each direction's last real step,
            `(batch, width)`; the last states.
        """
        if self.shared_state:
            return self._scan_together(parts, noise, states, mask, length)
        outputs, last, finals = None, None, []
        for layer, (directions, masks) in enumerate(zip(self.cells, noise, strict=True)):
            state = None if states is None else states[layer]
            runs = [
                _run(cell, parts, state, keep, mask, length, way == 1, training)
                for way, (cell, keep) in enumerate(zip(directions, masks.states, strict=True))
            ]
            finals.append(tuple(_joined(tensors) for tensors in zip(*(final for _, final in runs), strict=True)))
            below, outputs = outputs, dropped(_joined([sequence for sequence, _ in runs]), masks.output)
            last_below, last = last, dropped(finals[-1][0], masks.output)
            if self.residual and below is not None:
                outputs, last = outputs + below, last + last_below
            parts = (outputs,)
        return outputs, last, tuple(finals)

    def _scan_together(self, parts, noise, states, mask, length):
        """All layers step by step, as a step of one needs the step of all."""
        projected = _for_all_steps(self.project(parts), length)
        if states is None:
            states = tuple(
                tuple(ops.zeros((ops.shape(projected)[1], width), dtype=projected.dtype) for width in widths)
                for widths in self.state_widths
            )

        def step(carry, x):
            projected, real = x
            output, states = self.advance(projected, carry[0], noise)
            following = states, output
            if mask is not None:
                following = tree.map_structure(lambda new, old: ops.where(real, new, old), following, carry)
            return following, following[1]

        real = () if mask is None else ops.expand_dims(mask, -1)
        (states, last), outputs = scan(step, (states, ops.zeros_like(states[0][0])), (projected, real))
        return outputs, last, states

    def by_hand(self) -> bool:
        """Whether `look` can be used, here and now."""
        return not self.shared_state and all(cell.by_hand() for (cell,) in self.cells)

    def look(self, attend: Any, part: int, projected: Any, noise: Sequence[Noise], states: States, source: Any) -> Any:
        """All steps of a stack whose first layer reads what its last has found, with a gradient by hand.

        Args:
            attend: the `Attention`.
            part: the position, among the first layer's parts, of what was found.
            projected: what the first layer takes from the other parts, `(time, batch, gates * units)`.
            noise: from `noise`.
            states: the first states, one tuple a layer.
            source: what `attend` looks at.

        Returns:
            `(features, weights)`: outputs and, beside them, what was found, `(time, batch, units + width)`; the
            attention weights, `(time, batch, source length)`.
        """
        layers = [cell for (cell,) in self.cells]
        kernel = layers[0].kernel_of(part)
        return gradients.look(layers, attend, kernel, noise, self.residual, projected, states, source)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "cell": self.cell,
            "depth": self.depth,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "residual": self.residual,
            "bidirectional": self.bidirectional,
            "shared_state": self.shared_state,
        }


def _for_all_steps(projected, length):
    """What one step takes from its input, for as many as there are."""
    if length is not None and projected.shape[0] == 1:
        return ops.broadcast_to(projected, (length, *ops.shape(projected)[1:]))
    return projected


def _run(cell, parts, states, keep, mask, length, reverse, training):
    """One layer in one direction, over all steps."""
    projected = _for_all_steps(cell.project(parts), length)  # (time, batch, gates * units)
    if states is None:
        first = ops.zeros((ops.shape(projected)[1], cell.units), dtype=projected.dtype)
        states = (first,) * cell.state_count

    if training and cell.by_hand():
        return gradients.run(cell, projected, states, keep, mask, reverse)

    advance = cell.advance
    if type(cell).advance is Cell.advance:
        weights = cell.recurrent_weights()  # once, not at every step

        def advance(projected, states, keep):
            return cell.combine(projected, cell.recur(states[0], keep, weights), states)[0]

    def step(states, projected):
        following = advance(projected, states, keep)
        return following, following[0]

    def step_where_real(states, x):
        projected, real = x
        following = advance(projected, states, keep)
        following = tuple(ops.where(real, new, old) for new, old in zip(following, states, strict=True))
        return following, following[0]

    if mask is None or all_real(mask):
        states, outputs = scan(step, states, projected, reverse=reverse)
    else:
        states, outputs = scan(step_where_real, states, (projected, ops.expand_dims(mask, -1)), reverse=reverse)
    return outputs, states


def _joined(tensors):
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=-1)
