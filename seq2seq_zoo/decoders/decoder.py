"""The base class of all decoders: one recurrent step, and the teacher-forced and the free-running pass over it."""

from collections.abc import Callable
from typing import Annotated, Any

import keras
from keras import ops, tree

from seq2seq_zoo.config.options import Fraction, Named, Positive, checked
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.decoders.feature_feedback import FeatureFeedback
from seq2seq_zoo.decoders.memory import Memory
from seq2seq_zoo.decoders.precomputed import precompute
from seq2seq_zoo.layers.attention import Attention
from seq2seq_zoo.layers.bridge import bridges
from seq2seq_zoo.layers.cells import States, cells
from seq2seq_zoo.layers.draws import drawn
from seq2seq_zoo.layers.dropout import dropout_mask, dropped
from seq2seq_zoo.layers.encoder import Encoded
from seq2seq_zoo.layers.products import EmbeddingLookup
from seq2seq_zoo.layers.readouts.readout import Readout, WithMask
from seq2seq_zoo.layers.saving import WithConfig
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.schedules import Schedule, schedules
from seq2seq_zoo.layers.stack import Stack
from seq2seq_zoo.layers.sublayer import Tensor


class Decoder(WithConfig, keras.layers.Layer):
    """A recurrent decoder. Abstract: a mode is a subclass that defines what a step reads, in at most two pure methods.

    - `inputs(previous, source)`: what a step reads that does not depend on the state. It serves single steps and whole
      sequences, so in training its product with the kernel is computed once, outside the loop over time.
    - `attend(query, source)`: what a step reads that depends on the state. Only modes with attention define it.

    Both take `source` from `prepare(encoded)`, which computes once for each batch what is constant over time.

    The base class does the rest:

    1. `initialize(encoded)` returns the memory, which is constant over time, and the initial states.
    2. `step(previous, states, memory)` takes one step: it returns logits, the next states and the attention weights.
    3. The teacher-forced pass knows the targets: each step reads the previous target, and all steps are one pass.
    4. The free-running pass does not: each step reads the output of the step before.

    Args:
        units: width of each recurrent layer.
        readout: what an output is: `Tokens(...)`, `Vectors(...)`, `Gaussian(...)` or `Quantiles(...)`.
        cell: the name of a registered cell, or a mapping of its `name` and arguments.
        depth: number of recurrent layers.
        bridge: how the encoder's final states become the decoder's initial states: the name of a registered bridge, a
            mapping of its `name` and arguments, or a `Bridge`.
        dropout: share of the embedded outputs and of each layer's outputs that is dropped in training.
        recurrent_dropout: share of the state that is dropped before each recurrent product in training.
        residual: whether each layer after the first adds its input to its output.
        shared_state: whether all layers share one state: within a step, each layer starts from the state that the
            layer below computed, and the first layer starts from the state of the last layer one step before.
        sampling: scheduled sampling: the name of a registered schedule, a mapping of its `name` and arguments, or a
            `Schedule`. It gives, for each training step, the probability that a decoder step reads the previous target
            rather than the decoder's own output; `None` for teacher forcing alone.
        max_length: the largest number of outputs of a free-running pass.

    Call arguments:
        encoded: an `Encoded`.
        targets: for teacher forcing: `(batch, target length)` ids padded with 0, or `(batch, target length, size)`
            vectors. Step t reads `targets[:, t - 1]`; the decoder shifts the targets itself. Without targets, the pass
            is free-running: at most `max_length` outputs, where outputs after the end of a row are zeros.
        return_attention_scores: whether to return the attention weights as well.
        training: whether to apply dropout and scheduled sampling.

    Returns:
        Logits `(batch, target length or max_length, vocabulary_size)` in float32, or whatever else the readout puts
        out. They carry the mask of the targets for the losses and metrics of Keras. With `return_attention_scores`,
        `(logits, weights)`, where the weights are `(batch, length, source length)`.
    """

    feeds_back: bool = True
    """Whether a step reads the previous output."""
    input_feeding: bool = True
    """Whether the cell reads the context. The query is then the state before the step; otherwise it is the state after
    the step, and only the readout reads the context."""
    readout_context: bool = True
    """Whether the readout reads the context."""

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
        readout.set_default_policy(self.dtype_policy)
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
        self.feature_feedback: FeatureFeedback | None = None

    # === What a mode defines ===

    def prepare(self, encoded: Encoded) -> Any:
        """What the mode computes from the source once for each batch; by default the encoded source itself."""
        return encoded

    def inputs(self, previous: Tensor, source: Any) -> tuple[Tensor, ...]:
        """What a step reads that does not depend on the state.

        Args:
            previous: the embedded previous output, `(batch, time, width)`; in a search, the hypotheses of a row take
                the place of time. `None` in a mode that does not feed back.
            source: from `prepare`.

        Returns:
            The input parts, `(batch, time or 1, width)` each. The cell reads their concatenation.
        """
        raise NotImplementedError  # a mode defines it

    def attend(self, query: Tensor, source: Any) -> tuple[Tensor, Tensor]:
        """What a step reads that depends on the state; only a mode with attention defines it.

        Args:
            query: states of the top layer, `(batch, time, units)`; in a search, the hypotheses of a row take the place
                of time.
            source: from `prepare`.

        Returns:
            `(context, weights)` of shapes `(batch, time, width)` and `(batch, time, source length)`.
        """
        raise NotImplementedError  # a mode defines it

    def build_attention(self, width: int) -> None:
        """Create the weights of `prepare` and `attend`, for encoder outputs of the given width."""

    @property
    def has_attention(self) -> bool:
        """Whether the mode attends to the source, and so has attention weights."""
        return type(self).attend is not Decoder.attend

    @property
    def standard_attention(self) -> Attention | None:
        """The attention layer, if `attend` calls it and does nothing else: its pass has a custom gradient."""
        return None

    # === The step ===

    def initialize(self, encoded: Encoded, training: bool | None = None) -> tuple[Memory, States]:
        """The memory and the initial states for a batch of sources.

        Args:
            encoded: the encoded sources.
            training: whether to draw dropout masks.
        """
        sequence, summary, states, mask = encoded  # lists, where Keras loaded a functional model
        if mask is None:
            mask = getattr(sequence, "_keras_mask", None)  # of a layer before, such as an Embedding(mask_zero=True)
        if mask is None:
            mask = ops.ones(ops.shape(sequence)[:2], dtype="bool")
        encoded = Encoded(sequence, summary, tuple(map(tuple, states)), mask)
        batch = ops.shape(encoded.summary)[0]
        embedding_dropout = None
        if self.feeds_back:
            shape = (batch, 1, self.readout.width)
            embedding_dropout = dropout_mask(shape, self.dropout, self.seed_generator, self.compute_dtype, training)
        source = self.prepare(encoded)
        memory = Memory(source, embedding_dropout, self.stack.dropout_masks(batch, training), mask)
        return memory, self._recurrence().initial_states(encoded)

    def precompute(self, memory: Memory, steps: int) -> Memory:
        """The memory with products that a loop over `step` would otherwise repeat at every step.

        Optional: searches and free-running passes call it before their loop. No result changes but for rounding.

        Args:
            memory: from `initialize`.
            steps: the largest possible number of steps of each row, summed over its hypotheses.
        """
        embeddings = values = None
        lookup = self.readout.lookup(self.readout.initial_output(1))
        if lookup is not None and self._previous_part is not None:
            embeddings = self._previous_part, lookup.vectors
        if self.input_feeding and self.standard_attention is not None:
            values = self._context_part, memory.source.values
        precomputed = precompute(self.stack.kernels(), memory.mask.shape, steps, embeddings, values)
        return memory._replace(precomputed=precomputed)

    def step(self, previous: Tensor, states: States, memory: Memory) -> tuple[Tensor, States, Tensor | None]:
        """One step of a free-running pass or of a search.

        A search follows several hypotheses of each row. They share the row's memory, which is not copied: in the
        methods of a mode, the hypotheses take the place of time.

        Args:
            previous: the previous outputs, `(batch,)` ids or `(batch, size)` vectors; in a search,
                `(batch, hypotheses)` ids.
            states: the states before the step, `(batch, units)` or `(batch, hypotheses, units)` each.
            memory: from `initialize`.

        Returns:
            `(logits, states, weights)`: logits `(batch, output width)` or `(batch, hypotheses, output width)`; the next
            states; attention weights `(batch, source length)` or `(batch, hypotheses, source length)`, `None` without
            attention.
        """
        features, states, weights = self._recurrence().step_features(previous, states, memory)
        return self.readout.read(features), states, weights

    def _recurrence(self) -> "Decoder | FeatureFeedback":
        """Whose `initial_states`, `step_features` and `sequence_features` are used: the decoder's own, unless features
        are fed back."""
        return self.feature_feedback or self

    def initial_states(self, encoded: Encoded) -> States:
        """The states before the first step, from the bridge."""
        return self.first_states(encoded)

    def step_features(self, previous: Tensor, states: States, memory: Memory) -> tuple[Tensor, States, Tensor | None]:
        """One step up to the features that the readout reads; arguments as of `step`."""
        one_hypothesis = len(states[0][0].shape) == 2
        parts = self._parts(ops.expand_dims(previous, 1) if one_hypothesis else previous, memory)
        projected = self.stack.project(parts, kernels=memory.precomputed.kernels)
        projected = ops.squeeze(projected, 1) if one_hypothesis else projected
        return self._advance(projected, states, memory)

    def _parts(self, previous: Tensor, memory: Memory) -> tuple[Any, ...]:
        """The mode's `inputs`, for one step or for all steps, `(batch, time or 1, width)` each."""
        if not self.feeds_back:
            return self.inputs(None, memory.source)
        embedded = dropped(self.readout.embed(previous), memory.embedding_dropout)
        parts = self.inputs(embedded, memory.source)
        if memory.embedding_dropout is not None:
            return parts
        return memory.precomputed.with_lookup(parts, embedded, self.readout.lookup(previous))

    def _advance(self, projected: Tensor, states: States, memory: Memory) -> tuple[Tensor, States, Tensor | None]:
        """The part of a step that depends on the states, given the product of `inputs` with the kernel."""
        context = weights = None
        if self.has_attention and self.input_feeding:
            context, weights = self._attend(states[-1][0], memory)
            product = memory.precomputed.project_context(self.stack, self._context_part, context, weights)
            projected = projected + product
        output, states = self.stack.advance(projected, states, memory.layer_dropout)
        if self.has_attention and not self.input_feeding:
            context, weights = self._attend(output, memory)
        return self._features(output, context), states, weights

    def _attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """The mode's `attend`, for queries with or without an axis of hypotheses."""
        if len(query.shape) == 3:
            return self.attend(query, memory.source)
        context, weights = self.attend(ops.expand_dims(query, 1), memory.source)
        return ops.squeeze(context, 1), ops.squeeze(weights, 1)

    def _features(self, output: Tensor, context: Tensor | None) -> Tensor:
        """What the readout reads: the top layer's output, and the context beside it if it reads that."""
        if context is None or not self.readout_context:
            return output
        return ops.concatenate([output, context], axis=-1)

    # === The passes over it ===

    def call(
        self,
        encoded: Encoded,
        targets: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Decode a batch: with teacher forcing if there are targets, free-running otherwise."""
        if return_attention_scores:
            self._require_attention()
        memory, states = self.initialize(encoded, training)
        if targets is None:
            outputs, weights = self._free_running(memory, states, training)
        elif training and self.schedule is not None and self.feeds_back:
            outputs, weights = self._scheduled_sampling(memory, states, targets, self.schedule)
        else:
            outputs, weights, _ = self._teacher_forced(memory, states, targets, training=training)
        return (outputs, weights) if return_attention_scores else outputs

    def _teacher_forced(
        self,
        memory: Memory,
        states: States,
        targets: Tensor,
        before: Tensor | None = None,
        training: bool | None = None,
    ) -> tuple[Tensor, Tensor | None, States | None]:
        """Teacher forcing: each step reads the previous target, so all steps are computed in one pass.

        Args:
            memory: from `initialize`.
            states: the states before the first step.
            targets: as of a call.
            before: the outputs before the targets; the readout's initial output if not given.
            training: whether a gradient will be taken.

        Returns:
            `(outputs, weights, states)`; the final states are `None` if the cell reads the context.
        """
        batch = self.readout.teacher_forcing(targets, before)
        features, weights, final = self._recurrence().sequence_features(
            batch.previous, states, memory, ops.shape(targets)[1], training
        )
        outputs = batch.training_outputs(features) if training else self.readout.read(features)
        return self.masked((outputs, batch.mask)), weights, final

    def continue_sequence(
        self, targets: Tensor, before: Tensor, states: States, memory: Memory, training: bool | None = None
    ) -> tuple[Tensor, States | None]:
        """Teacher forcing in the middle of a sequence.

        Args:
            targets: as of a call.
            before: the outputs before the targets, `(batch,)` ids or `(batch, size)` vectors.
            states: the states after these outputs, `(batch, units)` each.
            memory: from `initialize`.
            training: whether a gradient will be taken.

        Returns:
            `(outputs, states)`: outputs as of a call; the final states, `None` if the cell reads the context.
        """
        outputs, _, final = self._teacher_forced(memory, states, targets, before, training)
        return outputs, final

    def sequence_features(
        self, previous: Tensor, states: States, memory: Memory, length: Any, training: bool | None = None
    ) -> tuple[Tensor, Tensor | None, States | None]:
        """The features of all steps, whose previous outputs are known: the inputs of all steps are multiplied by the
        kernel at once, and only what depends on the states is in the loop over time.

        Args:
            previous: what each step reads as its previous output, `(batch, length)` ids or `(batch, length, size)`
                vectors; `None` in a mode that does not feed back.
            states: the states before the first step.
            memory: from `initialize`.
            length: the number of steps.
            training: whether a gradient will be taken.

        Returns:
            `(features, weights, states)`: `(batch, length, width)`; `(batch, length, source length)`, `None` without
            attention; the final states, `None` if the cell reads the context.
        """
        parts = [_time_first(part) for part in self._parts(previous, memory)]
        if self.has_attention and self.input_feeding:
            projected = self.stack.project(parts)
            projected = ops.broadcast_to(projected, (length, *ops.shape(projected)[1:]))
            attention_loop = self._loop_with_custom_gradient if training and self._has_custom_gradient() else self._loop
            features, weights = attention_loop(projected, states, memory)
            return _time_first(features), _time_first(weights), None
        outputs, _, final = self.stack.scan(parts, memory.layer_dropout, states, length=length, training=training)
        output, context, weights = _time_first(outputs), None, None
        if self.has_attention:
            context, weights = self.attend(output, memory.source)
        return self._features(output, context), weights, final

    def _loop(self, projected: Tensor, states: States, memory: Memory) -> tuple[Tensor, Tensor]:
        """The loop over time of a cell that reads the context: features and attention weights, time first."""

        def step(states: States, projected: Tensor) -> tuple[States, tuple[Tensor, Tensor]]:
            features, states, weights = self._advance(projected, states, memory)
            return states, (features, weights)

        return scan(step, states, projected)[1]

    def _has_custom_gradient(self) -> bool:
        return self.standard_attention is not None and self.stack.has_custom_gradient()

    def _loop_with_custom_gradient(self, projected: Tensor, states: States, memory: Memory) -> tuple[Tensor, Tensor]:
        """`_loop` with a custom gradient, which is faster in training; see `layers/gradients`."""
        features, weights = self.stack.attention_pass(
            self.standard_attention, self._context_part, projected, memory.layer_dropout, states, memory.source
        )
        return features if self.readout_context else features[..., : self.units], weights

    def _free_running(self, memory: Memory, states: States, training: bool | None) -> tuple[Tensor, Tensor | None]:
        """Free running: each step reads the output of the step before, for `max_length` steps.

        Except in training, the loop stops when every row has ended, and outputs after a row's end are zeros.
        """
        if not self.feeds_back:
            features, weights, _ = self.sequence_features(None, states, memory, self.max_length)
            outputs = self.readout.read(features)
        else:
            if not training:
                memory = self.precompute(memory, self.max_length)
            outputs, weights = self._feedback_loop(
                memory, states, lambda own, _: own, length=self.max_length, stop_early=not training
            )
        if training:
            return outputs, weights
        ends = ops.cast(self.readout.is_end(self.readout.predict(outputs)), "int32")
        real = ops.expand_dims(ops.equal(ops.cumsum(ends, axis=1) - ends, 0), -1)
        return ops.where(real, outputs, 0.0), None if weights is None else ops.where(real, weights, 0.0)

    def _scheduled_sampling(
        self, memory: Memory, states: States, targets: Tensor, schedule: Schedule
    ) -> tuple[Tensor, Tensor | None]:
        """Scheduled sampling: at random, each step reads the previous target or the decoder's own output."""
        probability = schedule(self.training_steps.value)
        self.training_steps.assign_add(1.0)
        batch, length, *size = ops.shape(targets)
        ones = [1] * len(size)
        numbers = drawn(
            lambda rows: keras.random.uniform((length, rows, *ones), dtype="float32", seed=self.seed_generator),
            batch,
            axis=1,
        )

        def following(own: Tensor, x: tuple[Tensor, Tensor]) -> Tensor:
            use_target, target = x
            return ops.where(use_target, ops.cast(target, own.dtype), own)

        xs = numbers < probability, _time_first(targets)
        outputs, weights = self._feedback_loop(memory, states, following, xs)
        return self.masked((outputs, self.readout.mask(targets))), weights

    def _feedback_loop(
        self,
        memory: Memory,
        states: States,
        following: Callable[[Tensor, Any], Tensor],
        xs: Any = (),
        length: int | None = None,
        stop_early: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The loop over `step` in which each step reads what follows from the step before.

        Args:
            memory: from `initialize`.
            states: from `initialize`.
            following: `(own, x) -> previous`: what the next step reads as its previous output, given the decoder's own
                output of this step and the step's slice of `xs`.
            xs: a structure of `(length, ...)` tensors. Random numbers are drawn before the loop and passed here.
            length: the number of steps, where `xs` holds no tensor.
            stop_early: whether to stop when every row has ended (such a loop has no gradient on JAX).

        Returns:
            `(outputs, weights)`, `(batch, length, ...)` each; the weights are `None` without attention.
        """
        first = self.readout.initial_output(ops.shape(states[0][0])[0])

        def step(carry: Any, x: Any) -> tuple[Any, tuple[Tensor, ...]]:
            states, previous, ended = carry
            logits, states, weights = self.step(previous, states, memory)
            previous = following(self.readout.predict(logits), x)
            ended = ops.logical_or(ended, self.readout.is_end(previous))
            return (states, previous, ended), (logits,) if weights is None else (logits, weights)

        carry = (states, first, self.readout.is_end(first))
        until = (lambda carry: ops.all(carry[2])) if stop_early else None
        _, outputs = scan(step, carry, xs, length, until=until)
        logits, *weights = map(_time_first, outputs)
        return logits, weights[0] if weights else None

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
        # A mode declares no widths: they are those of what its methods return for zeros.
        source = self.prepare(_zeros(self._build_widths, self.compute_dtype))
        previous = ops.zeros((1, 1, self.readout.width), dtype=self.compute_dtype) if self.feeds_back else None
        parts = self.inputs(previous, source)
        unchanged = [i for i, part in enumerate(parts) if previous is not None and part is previous]
        self._previous_part = unchanged[0] if unchanged else None
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
            self.feature_feedback = FeatureFeedback(self, encoded.summary[-1])
        if self.schedule is not None:
            self.training_steps = self.add_weight(
                shape=(), initializer="zeros", trainable=False, autocast=False, dtype="float32", name="training_steps"
            )
        self.built = True

    def get_build_config(self) -> dict[str, Any] | None:
        """The widths of the encoder's outputs that the weights were created for; `None` before they are created."""
        return self._build_widths if self.built else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Create the weights for the widths of `get_build_config`."""
        self.build(tree.map_structure(lambda x: x.shape, _zeros(config, "float32")))

    def compute_mask(self, encoded: Any, previous_mask: Any = None) -> None:
        """No mask from the source: the outputs already carry the mask of the targets."""

    def compute_output_shape(self, encoded_shape: Any, targets_shape: Any = None) -> tuple[int | None, ...]:
        """The shape of the outputs."""
        length = self.max_length if targets_shape is None else targets_shape[1]
        return (Encoded(*encoded_shape).summary[0], length, self.readout.output_width)

    def compute_output_spec(
        self,
        encoded: Encoded,
        targets: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        """What `call` returns for `keras.Input`s: the outputs are float32 whatever the precision of the layer."""
        del training
        shapes = tree.map_structure(lambda each: each.shape, tuple(encoded))
        shape = self.compute_output_shape(shapes, None if targets is None else targets.shape)
        outputs = keras.KerasTensor(shape, self.masked.compute_dtype)
        if not return_attention_scores:
            return outputs
        self._require_attention()
        length = Encoded(*encoded).sequence.shape[1]
        return outputs, keras.KerasTensor((*shape[:2], length), self.compute_dtype)

    def _require_attention(self) -> None:
        if not self.has_attention:
            raise ValueError(
                f"{type(self).__name__} does not attend to its source, so it has no attention scores. Leave out "
                f"return_attention_scores, or use a mode with attention."
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Decoder":
        """The decoder with the arguments that `get_config` returned."""
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
    """`(batch, time, ...)` to `(time, batch, ...)`, and back."""
    if isinstance(x, EmbeddingLookup):
        return x._replace(ids=ops.transpose(x.ids))
    return ops.transpose(x, (1, 0, *range(2, len(x.shape))))


def _zeros(widths: dict[str, Any], dtype: str) -> Encoded:
    """An encoded source of one row and one position, all zeros."""
    return Encoded(
        ops.zeros((1, 1, widths["sequence"]), dtype=dtype),
        ops.zeros((1, widths["summary"]), dtype=dtype),
        tuple(tuple(ops.zeros((1, width), dtype=dtype) for width in layer) for layer in widths["states"]),
        ops.ones((1, 1), dtype="bool"),
    )
