"""The stack of recurrent layers that encoder and decoders share."""

from collections.abc import Sequence
from typing import Annotated, Any

import keras
from keras import ops, tree

from seq2seq_zoo.config.options import Fraction, Named, Positive, checked
from seq2seq_zoo.layers import gradients
from seq2seq_zoo.layers.backend import is_unpadded
from seq2seq_zoo.layers.cells import Cell, States, cells
from seq2seq_zoo.layers.dropout import DropoutMasks, dropout_mask, dropped
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.sublayer import Sublayer


class Stack(Sublayer):
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

    def dropout_masks(self, batch: Any, training: bool | None) -> tuple[DropoutMasks, ...]:
        """Dropout masks for a batch of sequences, one entry a layer."""

        def mask(width: int, rate: float) -> Any:
            return dropout_mask((batch, width), rate, self.seed_generator, self.compute_dtype, training)

        return tuple(
            DropoutMasks(tuple(mask(self.units, self.recurrent_dropout) for _ in layer), mask(self.width, self.dropout))
            for layer in self.cells
        )

    def project(self, parts: Sequence[Any], first: int = 0, kernels: Sequence[Any] | None = None) -> Any:
        """What the first layer takes from its input parts; see `Cell.project`."""
        return self.cells[0][0].project(parts, first, kernels)

    def kernels(self) -> tuple[Any, ...]:
        """The first layer's kernel in its parts."""
        return self.cells[0][0].kernels()

    def advance(self, projected: Any, states: States, noise: Sequence[DropoutMasks]) -> tuple[Any, States]:
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
        noise: Sequence[DropoutMasks],
        states: States | None = None,
        mask: Any = None,
        length: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any, States]:
        """All steps, layer by layer, so that every layer's input projection is one product.

        Args:
            parts: time-major input parts of shape `(time or 1, batch, width)`, or `EmbeddingLookup` with such ids.
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

    def has_custom_gradient(self) -> bool:
        """Whether `look` can be used, here and now."""
        return not self.shared_state and all(cell.has_custom_gradient() for (cell,) in self.cells)

    def attention_pass(
        self, attend: Any, part: int, projected: Any, noise: Sequence[DropoutMasks], states: States, source: Any
    ) -> Any:
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
        return gradients.attention_pass(layers, attend, kernel, noise, self.residual, projected, states, source)


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

    if training and cell.has_custom_gradient():
        return gradients.recurrent_pass(cell, projected, states, keep, mask, reverse)

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

    if mask is None or is_unpadded(mask):
        states, outputs = scan(step, states, projected, reverse=reverse)
    else:
        states, outputs = scan(step_where_real, states, (projected, ops.expand_dims(mask, -1)), reverse=reverse)
    return outputs, states


def _joined(tensors):
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=-1)
