"""The decoder that every mode is: one recurrent step, a forced pass and a free pass over it."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import keras
from keras import ops, tree

from seq2seq_zoo.config.options import Fraction, Named, Positive, checked
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.attention import Attention
from seq2seq_zoo.layers.bridge import bridges
from seq2seq_zoo.layers.cells import States, cells
from seq2seq_zoo.layers.dropout import DropoutMasks, dropout_mask, dropped
from seq2seq_zoo.layers.encoder import Encoded
from seq2seq_zoo.layers.products import EmbeddingLookup, matmul
from seq2seq_zoo.layers.readouts.readout import Readout, WithMask
from seq2seq_zoo.layers.saving import WithConfig
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.schedules import schedules
from seq2seq_zoo.layers.stack import Stack


class Precomputed(NamedTuple):
    """Products with the first layer's kernel that are made before a loop, so that no step makes them."""

    kernels: tuple[Any, ...]
    """The kernel in its parts, since to cut it is to copy it."""
    embedding_products: Any
    """What the layer's gates take from each token's vector, `(vocabulary, gates * units)`, to be looked up; or
    `None`."""
    context_products: Any
    """What they take from each position of the source, `(batch, source length, gates * units)`, to be weighed by
    attention in its place; or `None`."""


class Memory(NamedTuple):
    """Everything that stays the same while one batch is decoded."""

    source: Any
    """What the mode's `prepare` made of the encoded source."""
    embedding_dropout: Any
    """Dropout mask on the embedded previous output, or `None`."""
    layer_dropout: tuple[DropoutMasks, ...]
    """Dropout masks of the recurrent layers."""
    mask: Any
    """Which source positions are real: boolean `(batch, source length)`."""
    precomputed: Precomputed | None = None
    """What a loop of steps need not make again and again."""


class Decoder(WithConfig, keras.layers.Layer):
    """A recurrent decoder. Abstract: a mode is a subclass that says what a step *reads*, in at most two pure methods.

    - `inputs(previous, source)`: what a step reads that does not depend on the state. It serves one step and a whole
      sequence alike, so in training its product with the kernel leaves the loop over time.
    - `look(query, source)`: what a step reads that does (attention). Most modes have none.

    `prepare(encoded)` makes whatever `source` they want of the encoded source, once a sequence. All else is here.

    Args:
        units: width of each recurrent layer.
        readout: what an output is: `Tokens(...)`, `Vectors(...)`, `Gaussian(...)` or `Quantiles(...)`.
        cell: a registered cell's name, or a mapping of its `name` and arguments.
        depth: number of recurrent layers.
        bridge: how the encoder's last states become the first: a registered bridge's name, a mapping, or a `Bridge`.
        dropout: share of the embedding and of each layer's outputs to drop in training.
        recurrent_dropout: share of the state that each recurrent product reads to drop in training.
        residual: whether each layer after the first adds its input to its output.
        shared_state: whether all layers thread one state through a step: each starts from the state that the layer
            below has left, and the first from what the last left one step before.
        sampling: a registered schedule's name, a mapping, or a `Schedule`: the probability, over training steps, that
            a step reads the right previous output rather than the decoder's own; `None` for always.
        max_length: the most outputs of a free run.

    Call arguments:
        encoded: an `Encoded`.
        targets: the right answers, `(batch, target length)` ids whose padding is 0, or `(batch, target length, size)`
            vectors. With them, the step for `targets[:, t]` reads `targets[:, t - 1]` (the shift happens inside).
            Without them, the decoder runs freely for at most `max_length` outputs, each step reading the output
            before; outputs after the end of every row are zeros.
        return_attention_scores: whether to return the attention weights as well.
        training: whether to drop out and to sample by schedule.

    Returns:
        Logits `(batch, target length or max_length, vocabulary_size)`, or what else the readout puts out, in float32.
        They carry the mask of real targets for Keras's losses and metrics. With attention scores, `(logits, weights)`,
        the weights `(batch, length, source length)`.
    """

    feeds_back: bool = True
    """Whether a step reads the output before it."""
    input_feeding: bool = True
    """Whether `look` asks with the state before the step, so that the cell reads what it saw; else it asks with the
    state after, and only the readout reads it."""
    readout_context: bool = True
    """Whether the readout reads what `look` saw."""

    @checked
    def __init__(
        self,
        units: Positive,
        readout: Readout,
        cell: Annotated[Any, Named(cells, exclude={"units"})] = "lstm",
        depth: Positive = 1,
        bridge: Annotated[Any, Named(bridges)] = "dense",
        dropout: Fraction = 0.0,
        recurrent_dropout: Fraction = 0.0,
        residual: bool = False,
        shared_state: bool = False,
        sampling: Annotated[Any, Named(schedules)] | None = None,
        max_length: Positive = 100,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.readout = readout
        self.cell = cell
        self.depth = depth
        self.bridge = bridge
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.residual = residual
        self.shared_state = shared_state
        self.sampling = sampling
        self.max_length = max_length
        if sampling is not None and getattr(readout, "softmax_samples", None) is not None:
            raise ValueError(
                "softmax_samples and sampling do not go together: a step that may read its own output needs the logits "
                "of all tokens. Leave one of them out."
            )
        readout.set_default_width(units)
        self.seed_generator = keras.random.SeedGenerator()
        self.stack = Stack(
            units,
            cell,
            depth,
            dropout,
            recurrent_dropout,
            residual,
            shared_state=shared_state,
            name="stack",
            dtype=self.dtype_policy,
        )
        self.masked = WithMask(name="masked", dtype="float32", autocast=False)
        self.first_states = bridges.create(bridge, name="bridge", dtype=self.dtype_policy)
        self.schedule = None if sampling is None else schedules.create(sampling)

    # === What a mode says ===

    def prepare(self, encoded: Encoded) -> Any:
        """What stays the same over time; the encoded source itself unless a mode wants more."""
        return encoded

    def inputs(self, previous: Any, source: Any) -> tuple[Any, ...]:
        """What a step reads whatever its state.

        Args:
            previous: the output before, embedded: `(batch, time, width)`; in a search, hypotheses stand in for time.
                `None` in a mode that does not feed back.
            source: from `prepare`.

        Returns:
            Tensors of shape `(batch, time or 1, width)`, which the cell reads side by side.
        """
        raise NotImplementedError

    def attend(self, query: Any, source: Any) -> tuple[Any, Any]:
        """What a step reads by asking with its state; a mode that does not look leaves this as it is.

        Args:
            query: top states `(batch, time, units)`; in a search, hypotheses stand in for time.
            source: from `prepare`.

        Returns:
            `(context, weights)` of shapes `(batch, time, width)` and `(batch, time, source length)`.
        """
        raise NotImplementedError

    @property
    def has_attention(self) -> bool:
        """Whether this mode looks, and so has attention weights."""
        return type(self).attend is not Decoder.attend

    @property
    def standard_attention(self) -> Attention | None:
        """The attention of a mode whose `look` asks it and does nothing else: its gradient can be taken by hand."""
        return None

    # === The step ===

    def initialize(self, encoded: Encoded, training: bool | None = None) -> tuple[Memory, States]:
        """The memory and the first states for one batch of sources.

        Args:
            encoded: the source.
            training: whether to apply dropout.
        """
        sequence, summary, states, mask = encoded  # lists, where Keras loaded a functional model
        if mask is None:
            mask = ops.ones(ops.shape(sequence)[:2], dtype="bool")
        encoded = Encoded(sequence, summary, tuple(map(tuple, states)), mask)
        batch = ops.shape(encoded.summary)[0]
        previous = None
        if self.feeds_back:
            shape = (batch, 1, self.readout.width)
            previous = dropout_mask(shape, self.dropout, self.seed_generator, self.compute_dtype, training)
        source = self.prepare(encoded)
        memory = Memory(source, previous, self.stack.dropout_masks(batch, training), mask)
        states = self.first_states(encoded)
        if self.readout.feeds_back_features:
            states = (*states, (ops.cast(encoded.summary, self.compute_dtype),))
        return memory, states

    def precompute(self, memory: Memory, steps: int) -> Memory:
        """The memory with the products that a loop of single steps would otherwise repeat at every step.

        A product with the embeddings or with the source's positions is made only where a loop is likely to read most of
        it. Searches and free-running passes call this; it changes no result.

        Args:
            memory: from `initialize`.
            steps: the most steps that each row may take, over all hypotheses.
        """
        kernels, products, found = self.stack.kernels(), None, None
        source, (rows, length) = memory.source, memory.mask.shape
        rows = rows or 1  # where it is not known yet
        # Few searches last as long as they may. A product of a few rows takes as long as one of sixteen: the kernel is
        # read either way.
        reads = steps * max(rows, 16) // 4
        tokens = self.readout.lookup(self.readout.initial_output(1))
        if self._previous_part is not None and tokens is not None and tokens.vectors.shape[0] <= reads:
            products = matmul(tokens.vectors, kernels[self._previous_part])
        if self.input_feeding and self.standard_attention is not None and length is not None and rows * length <= reads:
            found = matmul(source.values, kernels[self._context_part])
        return memory._replace(precomputed=Precomputed(kernels, products, found))

    def step(self, previous: Any, states: States, memory: Memory) -> tuple[Any, States, Any]:
        """One step of a free run or a search.

        A search may follow several hypotheses of each row. They share the row's memory, which is not copied: to a mode
        they look like so many steps of time.

        Args:
            previous: the outputs before, `(batch,)` ids or `(batch, size)` vectors; in a search, `(batch, hypotheses)`.
            states: the states before, `(batch, units)` or `(batch, hypotheses, units)` each.
            memory: from `initialize`.

        Returns:
            `(logits, states, weights)`: logits `(batch, output width)` or `(batch, hypotheses, output width)`; weights
            with a last axis of the source's length, or `None` in a mode that does not look.
        """
        features, states, weights = self._step(previous, states, memory)
        return self.readout.read(features), states, weights

    def _step(self, previous: Any, states: States, memory: Memory) -> tuple[Any, States, Any]:
        """A step up to what the readout reads. A vector that is handed on stands behind the layers' states."""
        one = len(states[0][0].shape) == 2
        if self.readout.feeds_back_features:
            states, (previous,) = states[:-1], states[-1]
        parts = self._parts(ops.expand_dims(previous, 1) if one else previous, memory)
        projected = self.stack.project(parts, kernels=memory.precomputed and memory.precomputed.kernels)
        projected = ops.squeeze(projected, 1) if one else projected
        features, states, weights = self._advance(projected, states, memory)
        if self.readout.feeds_back_features:
            features = self.readout.project_feedback(features)
            states = (*states, (features,))
        return features, states, weights

    def _parts(self, previous: Any, memory: Memory) -> tuple[Any, ...]:
        """What a step reads whatever its state, `(batch, time or 1, width)` each, for one step or for all."""
        if not self.feeds_back:
            return self.inputs(None, memory.source)
        embedded = dropped(self.readout.embed(previous), memory.embedding_dropout)
        parts = self.inputs(embedded, memory.source)
        tokens = self.readout.lookup(previous) if memory.embedding_dropout is None else None
        products = memory.precomputed and memory.precomputed.embedding_products
        if tokens is None or not (products is not None or tokens.pays_off):
            return parts
        # Whatever a mode makes of its last output, what it hands on as it is may be multiplied before it is looked up.
        tokens = tokens._replace(products=products)
        return tuple(tokens if part is embedded else part for part in parts)

    def _advance(self, projected: Any, states: States, memory: Memory) -> tuple[Any, States, Any]:
        """The part of a step that needs the states: features for the readout, the next states, the weights."""
        context = weights = None
        if self.has_attention and self.input_feeding:
            context, weights = self._attend(states[-1][0], memory)
            ahead = memory.precomputed
            if ahead is None or ahead.context_products is None or len(weights.shape) == 2:
                projected = projected + self.stack.project((context,), self._context_part, ahead and ahead.kernels)
            else:
                projected = projected + ops.matmul(weights, ahead.context_products)
        output, states = self.stack.advance(projected, states, memory.layer_dropout)
        if self.has_attention and not self.input_feeding:
            context, weights = self._attend(output, memory)
        return self._features(output, context), states, weights

    def _features(self, output: Any, context: Any) -> Any:
        """What the readout reads of a step, or of all."""
        if context is None or not self.readout_context:
            return output
        return ops.concatenate([output, context], axis=-1)

    def _attend(self, query: Any, memory: Memory) -> tuple[Any, Any]:
        if len(query.shape) == 3:
            return self.attend(query, memory.source)
        context, weights = self.attend(ops.expand_dims(query, 1), memory.source)
        return ops.squeeze(context, 1), ops.squeeze(weights, 1)

    # === Passes over it ===

    def call(
        self,
        encoded: Encoded,
        targets: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Decode a batch."""
        if return_attention_scores and not self.has_attention:
            raise ValueError(f"{type(self).__name__} does not look at its source, so it has no attention scores.")
        memory, states = self.initialize(encoded, training)
        if targets is None and not training:
            memory = self.precompute(memory, self.max_length)
        if targets is None:
            outputs, weights = self._free_running(memory, states, training)
        else:
            if training and self.schedule is not None and self.feeds_back:
                probability = self.schedule(self.training_steps.value)
                self.training_steps.assign_add(1.0)
                outputs, weights = self._scheduled_sampling(targets, memory, states, probability)
            else:
                outputs, weights, _ = self._teacher_forced(memory, states, targets, training=training)
            outputs = self.masked((outputs, self.readout.mask(targets)))
        return (outputs, weights) if return_attention_scores else outputs

    def continue_sequence(
        self, targets: Any, before: Any, states: States, memory: Memory, training: bool | None = None
    ) -> tuple[Any, States | None]:
        """Some steps in the middle of a sequence, told the right answers.

        Args:
            targets: as of a call.
            before: the outputs before them, `(batch,)` ids or `(batch, size)` vectors.
            states: the states before them, `(batch, units)` each.
            memory: from `initialize`.
            training: whether a gradient will be asked for.

        Returns:
            `(outputs, states)`: outputs as of a call; the last states, `None` in a mode whose cell looks.
        """
        outputs, _, last = self._teacher_forced(memory, states, targets, before=before, training=training)
        return self.masked((outputs, self.readout.mask(targets))), last

    def _teacher_forced(
        self,
        memory: Memory,
        states: States,
        targets: Any = None,
        length: Any = None,
        before: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any, States | None]:
        """All steps at once, the output before each being known (or never read): project all, scan only what recurs.
        The last states come back as well, but of a cell that looks."""
        told = None
        if targets is not None:
            length = ops.shape(targets)[1]
            told = self.readout.shift(targets, before)
        if self.readout.feeds_back_features:  # nothing is told
            features, weights, last = self._feature_feedback(memory, states, length)
            return self.readout.read(features), weights, last
        parts = [_time_first(part) for part in self._parts(told, memory)]
        last = None
        if self.has_attention and self.input_feeding:
            projected = self.stack.project(parts)
            projected = ops.broadcast_to(projected, (length, *ops.shape(projected)[1:]))

            def step(states, projected):
                features, states, weights = self._advance(projected, states, memory)
                return states, (features, weights)

            attend = self.standard_attention
            if training and attend is not None and self.stack.has_custom_gradient():
                features, weights = self.stack.attention_pass(
                    attend, self._context_part, projected, memory.layer_dropout, states, memory.source
                )
                features = features if self.readout_context else features[..., : self.units]
            else:
                _, (features, weights) = scan(step, states, projected)
            features, weights = _time_first(features), _time_first(weights)
        else:
            outputs, _, last = self.stack.scan(parts, memory.layer_dropout, states, length=length, training=training)
            features, weights = _time_first(outputs), None
            if self.has_attention:
                context, weights = self.attend(features, memory.source)
                features = self._features(features, context)
        if training and targets is not None:
            return self.readout.training_outputs(features, targets), weights, last
        return self.readout.read(features), weights, last

    def _feature_feedback(self, memory: Memory, states: States, length: Any) -> tuple[Any, Any, States]:
        """All steps, each of which reads what the one before handed on."""

        def step(states, _):
            features, states, weights = self._step(None, states, memory)
            return states, (features, weights) if self.has_attention else (features,)

        last, (features, *weights) = scan(step, states, (), length)
        return _time_first(features), _time_first(weights[0]) if weights else None, last

    def _feedback_loop(
        self,
        memory: Memory,
        states: States,
        choose: Callable[[Any, Any], tuple[Any, Any]],
        xs: Any = (),
        length: int | None = None,
        early: bool = False,
    ) -> tuple[Any, Any]:
        """The loop that feeds each output back: free runs and scheduled sampling.

        Args:
            memory: from `initialize`.
            states: from `initialize`.
            choose: `(logits, x) -> (next, kept)`: what the next step reads, and what to keep of this one.
            xs: a structure of `(length, ...)` tensors, one slice a step for `choose` (what chance decides is drawn
                before).
            length: the number of steps, where `xs` holds no tensor.
            early: whether to stop when every row has ended (such a run has no gradient on JAX).

        Returns:
            `(kept, weights)`, time first; weights are `None` in a mode that does not look.
        """
        first = self.readout.initial_output(ops.shape(states[0][0])[0])

        def step(carry, x):
            states, previous, ended = carry
            logits, states, weights = self.step(previous, states, memory)
            following, kept = choose(logits, x)
            ended = ops.logical_or(ended, self.readout.is_end(following))
            return (states, following, ended), (kept, weights) if self.has_attention else (kept,)

        carry = (states, first, self.readout.is_end(first))
        until = (lambda carry: ops.all(carry[2])) if early else None
        _, kept = scan(step, carry, xs, length, until=until)
        return kept if self.has_attention else (*kept, None)

    def _scheduled_sampling(self, targets: Any, memory: Memory, states: States, probability: Any) -> tuple[Any, Any]:
        """Scheduled sampling: a coin an output says if the next step reads the target or the decoder's own output."""
        batch, length, *features = ops.shape(targets)
        coins = keras.random.uniform((length, batch, *[1] * len(features)), seed=self.seed_generator)

        def choose(logits, x):
            told, target = x
            own = self.readout.predict(logits)
            return ops.where(told, ops.cast(target, own.dtype), own), logits

        outputs, weights = self._feedback_loop(memory, states, choose, xs=(coins < probability, _time_first(targets)))
        return _time_first(outputs), _time_first(weights)

    def _free_running(self, memory: Memory, states: States, training: bool | None) -> tuple[Any, Any]:
        """A free run of `max_length` outputs; but for training, what comes after a row's end is zero."""
        if self.feeds_back:
            outputs, weights = self._feedback_loop(
                memory,
                states,
                lambda logits, _: (self.readout.predict(logits), logits),
                length=self.max_length,
                early=not training,
            )
            outputs, weights = _time_first(outputs), _time_first(weights)
        else:
            outputs, weights, _ = self._teacher_forced(memory, states, length=self.max_length)
        if training:
            return outputs, weights
        ends = ops.cast(self.readout.is_end(self.readout.predict(outputs)), "int32")
        real = ops.expand_dims(ops.equal(ops.cumsum(ends, axis=1) - ends, 0), -1)
        return ops.where(real, outputs, 0.0), None if weights is None else ops.where(real, weights, 0.0)

    # === Keras ===

    def build(self, encoded_shape: Any, targets_shape: Any = None) -> None:
        """Create the weights for sources of the given shapes."""
        encoded = Encoded(*encoded_shape)
        self._build_widths = {
            "sequence": encoded.sequence[-1],
            "summary": encoded.summary[-1],
            "states": [[shape[-1] for shape in layer] for layer in encoded.states],
        }
        states = tuple(tuple(shape[-1] for shape in layer) for layer in encoded.states)
        self.first_states.build(encoded.summary[-1], states, self.stack.state_widths)
        self.build_attention(encoded.sequence[-1])
        # A mode says what it reads in tensors alone: show it some, and see how wide its answers are.
        source = self.prepare(_zeros(self._build_widths, self.compute_dtype))
        previous = ops.zeros((1, 1, self.readout.width), dtype=self.compute_dtype) if self.feeds_back else None
        parts = self.inputs(previous, source)
        self._previous_part = next(
            (place for place, part in enumerate(parts) if self.feeds_back and part is previous), None
        )
        widths = [part.shape[-1] for part in parts]
        self._context_part = len(widths)
        features = self.units
        if self.has_attention:
            context, _ = self.attend(ops.zeros((1, 1, self.units), dtype=self.compute_dtype), source)
            if self.readout_context:
                features += context.shape[-1]
            if self.input_feeding:
                widths.append(context.shape[-1])
        self.stack.build(widths)
        if self.readout.built:
            raise ValueError(
                f"The readout of this {type(self).__name__} already belongs to another decoder. Give each decoder a "
                f"{type(self.readout).__name__} of its own."
            )
        self.readout.build(features, self.feeds_back)
        if self.readout.feeds_back_features:
            self._check_carried(encoded.summary[-1])
        if self.schedule is not None:
            self.training_steps = self.add_weight(
                shape=(), initializer="zeros", trainable=False, autocast=False, dtype="float32", name="training_steps"
            )
        self.built = True

    def _check_carried(self, summary: int) -> None:
        if self.schedule is not None:
            raise ValueError(
                "sampling chooses between the right output and the decoder's own, but with feedback='features' a step "
                "reads neither: leave sampling out."
            )
        if self.readout.width != summary:
            raise ValueError(
                f"With feedback='features' the first step reads the encoder's summary, which must be as wide as the "
                f"vectors fed back: got {summary} and embedding_dim={self.readout.width}. Change the embedding_dim or "
                f"the encoder's units (of which one of two directions puts out twice as many)."
            )

    def build_attention(self, width: int) -> None:
        """Create the weights that `prepare` and `look` need, for a source sequence of the given width."""

    def get_build_config(self) -> dict[str, Any]:
        """The widths that the weights were made for."""
        return self._build_widths

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Create the weights for given widths."""
        self.build(tree.map_structure(lambda x: x.shape, _zeros(config, "float32")))

    def compute_mask(self, encoded: Any, previous_mask: Any = None) -> None:
        """Nothing that comes from the source: the outputs carry the mask of the targets already."""

    def compute_output_shape(self, encoded_shape: Any, targets_shape: Any = None) -> tuple[int | None, ...]:
        """The outputs' shape."""
        length = self.max_length if targets_shape is None else targets_shape[1]
        return (Encoded(*encoded_shape).summary[0], length, self.readout.output_width)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Decoder":
        """The decoder of a `get_config`."""
        arguments: dict[str, Any] = {
            key: keras.saving.deserialize_keras_object(value)
            if isinstance(value, dict) and "class_name" in value and key != "dtype"
            else value
            for key, value in config.items()
        }
        return cls(**arguments)


modes: Registry[Decoder] = Registry(
    "decoder mode",
    base=Decoder,
    group="seq2seq_zoo.decoders",
    serializable=keras.saving.register_keras_serializable,
)


def _time_first(x: Any) -> Any:
    """`(batch, time, ...)` to `(time, batch, ...)` and back; `None` stays."""
    if isinstance(x, EmbeddingLookup):
        return x._replace(ids=ops.transpose(x.ids))
    return None if x is None else ops.transpose(x, (1, 0, *range(2, len(x.shape))))


def _zeros(widths: dict[str, Any], dtype: str) -> Encoded:
    """A source of one row and one step."""
    return Encoded(
        ops.zeros((1, 1, widths["sequence"]), dtype=dtype),
        ops.zeros((1, widths["summary"]), dtype=dtype),
        tuple(tuple(ops.zeros((1, width), dtype=dtype) for width in layer) for layer in widths["states"]),
        ops.ones((1, 1), dtype="bool"),
    )
