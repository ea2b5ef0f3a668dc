"""The stack of recurrent layers that encoder and decoders share."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import keras
from keras import ops, tree

from seq2seq_zoo.config.options import Fraction, Named, Positive, checked
from seq2seq_zoo.layers import gradients
from seq2seq_zoo.layers.attention import Attention, AttentionMemory
from seq2seq_zoo.layers.backend import is_unpadded
from seq2seq_zoo.layers.cells import Cell, LayerStates, States, cells
from seq2seq_zoo.layers.dropout import DropoutMasks, dropout_mask, dropped
from seq2seq_zoo.layers.products import EmbeddingLookup
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.sublayer import Sublayer, Tensor

Parts = Sequence[Tensor | EmbeddingLookup]
"""What a first layer reads: tensors side by side, each with a width of its own."""


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Stack(Sublayer):
    """Recurrent layers on top of one another: the body of the encoder and of every decoder.

    Dropout masks are drawn once a sequence and hold for all its steps, as in Gal and Ghahramani 2016
    (arXiv:1512.05287). So a step is the same step in a search, in training and in a pass over a whole sequence.

    Args:
        units: width of each layer (of each direction).
        cell: a registered cell's name, or a mapping of its `name` and arguments.
        depth: number of layers.
        dropout: share of each layer's outputs to drop in training.
        recurrent_dropout: share of the state that the recurrent product reads to drop in training.
        residual: whether each layer after the first adds its input to its output.
        bidirectional: whether each layer reads in both directions and concatenates the two outputs.
        shared_state: whether all layers share one state: within a step, each layer starts from the state that the
            layer below has reached, and the first layer from the last layer's state one step before.

    Raises:
        ValueError: `shared_state` and `bidirectional` are both set.
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
                "shared_state=True passes one state from layer to layer within a step, but with bidirectional=True the "
                "two directions never reach a step together. Set bidirectional or shared_state to False."
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
        """The width of each state tensor: one tuple a layer, or a single one for a shared state."""
        widths = tuple((self.width,) * layer[0].state_count for layer in self.cells)
        return widths[:1] if self.shared_state else widths

    def dropout_masks(self, batch: Any, training: bool | None) -> tuple[DropoutMasks, ...]:
        """Dropout masks for a batch of sequences, one entry a layer."""

        def mask(width: int, rate: float) -> Tensor | None:
            return dropout_mask((batch, width), rate, self.seed_generator, self.compute_dtype, training)

        return tuple(
            DropoutMasks(tuple(mask(self.units, self.recurrent_dropout) for _ in layer), mask(self.width, self.dropout))
            for layer in self.cells
        )

    def project(self, parts: Parts, first: int = 0, kernels: Sequence[Tensor] | None = None) -> Tensor:
        """The product of the first layer's kernel with its input parts; see `Cell.project`."""
        return self.cells[0][0].project(parts, first, kernels)

    def kernels(self) -> tuple[Tensor, ...]:
        """The first layer's kernel, cut into one matrix for each input part."""
        return self.cells[0][0].kernels()

    def advance(
        self, projected: Tensor, states: States, dropout_masks: Sequence[DropoutMasks]
    ) -> tuple[Tensor, States]:
        """One step through all layers, for a stack of one direction.

        Args:
            projected: of shape `(batch, gates * units)`, from `project`.
            states: one tuple a layer, or a single one if the state is shared.
            dropout_masks: from `dropout_masks()`.

        Returns:
            `(output, states)`, the output of shape `(batch, units)`.
        """
        output, following = None, []
        for layer, ((cell,), masks) in enumerate(zip(self.cells, dropout_masks, strict=True)):
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
        parts: Parts,
        dropout_masks: Sequence[DropoutMasks],
        states: States | None = None,
        mask: Tensor | None = None,
        length: Any = None,
        training: bool | None = None,
    ) -> tuple[Tensor, Tensor, States]:
        """All steps. Layers run one after another, so that each layer's input projection is one product.

        Args:
            parts: time-major input parts of shape `(time or 1, batch, width)`, or `EmbeddingLookup`s of such ids.
            dropout_masks: from `dropout_masks()`.
            states: the initial states, one tuple a layer; `None` for zeros. A stack of two directions starts from
                zeros.
            mask: boolean `(time, batch)`, or `None`; where it is false, the states stay as they are.
            length: the number of steps, where each part has only one.
            training: whether a gradient will be taken; only then may the pass save values for a custom gradient.

        Returns:
            `(outputs, last, states)`: the outputs, `(time, batch, width)`; the output after each direction's last real
            step, `(batch, width)`; the final states.
        """
        if self.shared_state:
            return self._scan_shared_state(parts, dropout_masks, states, mask, length)
        outputs, last, finals = None, None, []
        for layer, (directions, masks) in enumerate(zip(self.cells, dropout_masks, strict=True)):
            initial = None if states is None else states[layer]
            passes = [
                _scan_layer(cell, parts, initial, keep, mask, length, direction == 1, training)
                for direction, (cell, keep) in enumerate(zip(directions, masks.states, strict=True))
            ]
            sequences, states_by_direction = zip(*passes, strict=True)
            finals.append(tuple(map(_concatenated, zip(*states_by_direction, strict=True))))
            below, outputs = outputs, dropped(_concatenated(sequences), masks.output)
            last_below, last = last, dropped(finals[-1][0], masks.output)
            if self.residual and below is not None:
                outputs, last = outputs + below, last + last_below
            parts = (outputs,)
        return outputs, last, tuple(finals)

    def _scan_shared_state(self, parts, dropout_masks, states, mask, length):
        """All steps of layers that share a state: each step runs through all layers before the next begins."""
        projected = _for_all_steps(self.project(parts), length)
        if states is None:
            states = tuple(
                tuple(ops.zeros((ops.shape(projected)[1], width), dtype=projected.dtype) for width in widths)
                for widths in self.state_widths
            )

        def step(carry, x):
            projected, real = x
            output, states = self.advance(projected, carry[0], dropout_masks)
            following = states, output
            if mask is not None:
                following = tree.map_structure(lambda new, old: ops.where(real, new, old), following, carry)
            return following, following[1]

        real = () if mask is None else ops.expand_dims(mask, -1)
        (states, last), outputs = scan(step, (states, ops.zeros_like(states[0][0])), (projected, real))
        return outputs, last, states

    def has_custom_gradient(self) -> bool:
        """Whether `attention_pass` can be used here and now. For a stack of one direction."""
        return not self.shared_state and all(gradients.has_custom_gradient(cell) for (cell,) in self.cells)

    def attention_pass(
        self,
        attention: Attention,
        context_part: int,
        projected: Tensor,
        dropout_masks: Sequence[DropoutMasks],
        states: States,
        source: AttentionMemory,
    ) -> tuple[Tensor, Tensor]:
        """All steps of a stack whose first layer reads the attention's context, with a custom gradient.

        Args:
            attention: one that `is_standard`.
            context_part: the context's position among the first layer's input parts.
            projected: the product with the other parts, `(time, batch, gates * units)`.
            dropout_masks: from `dropout_masks()`.
            states: the initial states, one tuple a layer.
            source: what the attention prepared of the source.

        Returns:
            `(features, weights)`: the outputs beside the contexts, `(time, batch, units + width)`; the attention
            weights, `(time, batch, source length)`.
        """
        layers = [cell for (cell,) in self.cells]
        context_kernel = layers[0].kernel_of(context_part)
        return gradients.attention_pass(
            layers, attention, context_kernel, dropout_masks, self.residual, projected, states, source
        )


def _scan_layer(cell, parts, states, keep, mask, length, reverse, training):
    """All steps of one layer in one direction: the outputs and the final states."""
    projected = _for_all_steps(cell.project(parts), length)  # (time, batch, gates * units)
    if states is None:
        zeros = ops.zeros((ops.shape(projected)[1], cell.units), dtype=projected.dtype)
        states = (zeros,) * cell.state_count
    if training and gradients.has_custom_gradient(cell):
        return gradients.recurrent_pass(cell, projected, states, keep, mask, reverse)

    advance = _advance_in_a_loop(cell, keep)

    def step(states, projected):
        following = advance(projected, states)
        return following, following[0]

    def masked_step(states, x):
        projected, real = x
        following = advance(projected, states)
        following = tuple(ops.where(real, new, old) for new, old in zip(following, states, strict=True))
        return following, following[0]

    if mask is None or is_unpadded(mask):
        states, outputs = scan(step, states, projected, reverse=reverse)
    else:
        states, outputs = scan(masked_step, states, (projected, ops.expand_dims(mask, -1)), reverse=reverse)
    return outputs, states


def _advance_in_a_loop(cell: Cell, keep: Tensor | None) -> Callable[[Tensor, LayerStates], LayerStates]:
    """`cell.advance`, which reads the recurrent weights once before the loop instead of at every step."""
    if type(cell).advance is not Cell.advance:  # a cell that defines the whole step
        return lambda projected, states: cell.advance(projected, states, keep)
    weights = cell.recurrent_weights()
    return lambda projected, states: cell.combine(projected, cell.recur(states[0], keep, weights), states)


def _for_all_steps(projected, length):
    """A projection of one step, repeated for `length` steps; any other as it is."""
    if length is not None and projected.shape[0] == 1:
        return ops.broadcast_to(projected, (length, *ops.shape(projected)[1:]))
    return projected


def _concatenated(tensors):
    """The tensors of all directions, side by side."""
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=-1)
