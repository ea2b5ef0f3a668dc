"""The encoder, which all decoder modes share, and its substitute for language models."""

from typing import Annotated, Any, NamedTuple

import keras
from keras import ops, tree

from seq2seq_zoo.config.options import Fraction, Named, NonNegative, Positive, checked
from seq2seq_zoo.layers.cells import States, cells
from seq2seq_zoo.layers.draws import drawn
from seq2seq_zoo.layers.dropout import dropout_mask, dropped
from seq2seq_zoo.layers.products import EmbeddingLookup
from seq2seq_zoo.layers.saving import Constraint, Initializer, Regularizer, WithConfig
from seq2seq_zoo.layers.stack import Stack
from seq2seq_zoo.layers.sublayer import as_ids, unpadded_steps


class Encoded(NamedTuple):
    """An encoder's outputs, which a decoder reads. Any other encoder fits a decoder if it returns one of these."""

    sequence: Any
    """`H`, the output of every step: `(batch, source length, width)`."""
    summary: Any
    """`c`, the output after the last real step (of each direction): `(batch, width)`."""
    states: States
    """The final states, one tuple a layer: `(batch, width)` each."""
    mask: Any = None
    """Which steps are real, not padding: boolean `(batch, source length)`; `None` if all are."""


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Encoder(WithConfig, keras.layers.Layer):
    """Recurrent layers over a source of token ids or of real-valued vectors.

    Padding changes no result, on whichever side of the source it is: in each direction, the summary and the final
    states are those after the last real token.

    Args:
        units: width of each layer (of each direction).
        cell: a registered cell's name, or a mapping of its `name` and arguments.
        depth: number of layers.
        bidirectional: whether each layer reads in both directions; its outputs are then `2 * units` wide.
        dropout: share of the embedding and of each layer's outputs to drop in training.
        recurrent_dropout: share of the state that each recurrent product reads to drop in training.
        residual: whether each layer after the first adds its input to its output.
        shared_state: whether all layers share one state: within a step, each layer starts from the state that the
            layer below has reached, and the first layer from the last layer's state one step before.
        embedding_dim: width of the embedding; `units` if not given.
        vocabulary_size: number of token ids, padding included; `None` for a source of vectors.
        mask_value: in a source of vectors, a step is padding if all its features equal this value; `None` if no value
            marks padding.
        word_dropout: share of the source's tokens that the unknown token replaces in training. This trains the unknown
            token's embedding, even if every token of the training texts is in the vocabulary.
        unknown: id of the unknown token; `None` if there is none.
        embeddings_initializer: of the embedding matrix, as Keras's layers take it: a name, a configuration or an
            object.
        embeddings_regularizer: of the embedding matrix; its loss is one of the model's `losses`.
        embeddings_constraint: of the embedding matrix, after each training step.

    Call arguments:
        inputs: ids `(batch, source length)`, where 0 is padding; or vectors `(batch, source length, features)`.
        mask: boolean `(batch, source length)`, true at real steps. Keras passes the mask of a `Masking` layer on
            automatically.
        training: whether to apply dropout.

    Returns:
        An `Encoded`.

    Raises:
        ValueError: `mask_value` is given for ids; `word_dropout` for vectors, or without an unknown token.

    Example:

    >>> import numpy as np
    >>> encoder = Encoder(8, vocabulary_size=10, bidirectional=True)
    >>> encoded = encoder(np.array([[4, 5, 6], [7, 0, 0]]))
    >>> encoded.sequence.shape, encoded.summary.shape
    (TensorShape([2, 3, 16]), TensorShape([2, 16]))

    Reference:
        Sutskever et al. 2014, arXiv:1409.3215, section 2; bidirectional: Bahdanau et al. 2015, arXiv:1409.0473,
        A.2.1.
    """

    @checked
    def __init__(
        self,
        units: Positive,
        cell: Annotated[Any, Named(cells, exclude={"units"})] = "lstm",
        depth: Positive = 1,
        bidirectional: bool = False,
        dropout: Fraction = 0.0,
        recurrent_dropout: Fraction = 0.0,
        residual: bool = False,
        shared_state: bool = False,
        embedding_dim: Positive | None = None,
        vocabulary_size: Positive | None = None,
        mask_value: float | None = None,
        word_dropout: Fraction = 0.0,
        unknown: NonNegative | None = 3,
        embeddings_initializer: Initializer = "uniform",
        embeddings_regularizer: Regularizer = None,
        embeddings_constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if vocabulary_size is not None and mask_value is not None:
            raise ValueError(
                f"mask_value={mask_value} is for a source of vectors, but this {type(self).__name__} has a "
                f"vocabulary_size. Leave mask_value out: among ids, 0 is padding."
            )
        if vocabulary_size is None and word_dropout:
            raise ValueError(
                f"word_dropout={word_dropout} is for ids, but this {type(self).__name__} reads vectors. Give it a "
                f"vocabulary_size, or leave word_dropout out."
            )
        if unknown is None and word_dropout:
            raise ValueError(
                f"word_dropout={word_dropout} replaces tokens by the unknown token, but unknown is None. Give its id, "
                f"or leave word_dropout out."
            )
        self.units = units
        self.cell = cell
        self.depth = depth
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.residual = residual
        self.shared_state = shared_state
        self.embedding_dim = embedding_dim
        self.vocabulary_size = vocabulary_size
        self.mask_value = mask_value
        self.word_dropout = word_dropout
        self.unknown = unknown
        self.embeddings_initializer = embeddings_initializer
        self.embeddings_regularizer = embeddings_regularizer
        self.embeddings_constraint = embeddings_constraint
        self.seed_generator = keras.random.SeedGenerator()
        self.embedding: Any = None
        if vocabulary_size is not None:
            self.embedding = keras.layers.Embedding(
                vocabulary_size,
                embedding_dim or units,
                embeddings_initializer=embeddings_initializer,
                embeddings_regularizer=embeddings_regularizer,
                embeddings_constraint=embeddings_constraint,
                name="embedding",
                dtype=self.dtype_policy,
            )
        self.stack = Stack(
            units,
            cell,
            depth,
            dropout,
            recurrent_dropout,
            residual,
            bidirectional,
            shared_state,
            name="stack",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the weights for sources of the given shape."""
        self._check_rank(len(input_shape))
        if self.embedding is not None:
            self.embedding.build(input_shape)
            self.stack.build((self.embedding.output_dim,))
        else:
            self.stack.build((input_shape[-1],))
        self.built = True

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Encoded:
        """Encode the source."""
        self._check_rank(len(inputs.shape))
        batch, length = ops.shape(inputs)[:2]
        if self.embedding is not None:
            inputs = as_ids(inputs, type(self).__name__)
            real = ops.not_equal(inputs, 0)
            if training and self.word_dropout:
                numbers = drawn(lambda rows: keras.random.uniform((rows, length), seed=self.seed_generator), batch)
                inputs = ops.where(numbers < self.word_dropout, ops.cast(self.unknown, inputs.dtype), inputs)
            inputs = ops.transpose(inputs)  # time first: ids are cheaper to transpose than embeddings
            x = self.embedding(inputs)
        else:
            real = None if self.mask_value is None else unpadded_steps(inputs, self.mask_value)
            x = ops.transpose(inputs, (1, 0, 2))
        if real is not None:
            mask = real if mask is None else ops.logical_and(real, mask)
        steps = None if mask is None else ops.transpose(mask)
        input_dropout = dropout_mask((batch, x.shape[-1]), self.dropout, self.seed_generator, x.dtype, training)
        x = dropped(x, input_dropout)
        if self.embedding is not None and input_dropout is None and _is_plain_lookup(self.embedding):
            lookup = EmbeddingLookup(inputs, ops.convert_to_tensor(self.embedding.embeddings))
            x = lookup if lookup.pays_off else x
        sequence, summary, states = self.stack.scan(
            (x,), self.stack.dropout_masks(batch, training), mask=steps, training=training
        )
        if mask is None:
            mask = ops.ones((batch, length), dtype="bool")
        return Encoded(ops.transpose(sequence, (1, 0, 2)), summary, states, mask)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return no mask for Keras to attach to a tensor: the mask is a field of the `Encoded`."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Encoded:
        """The shapes of `call`'s outputs."""
        batch, length = input_shape[:2]
        states = tuple(tuple((batch, width) for width in widths) for widths in self.stack.state_widths)
        return Encoded((batch, length, self.stack.width), (batch, self.stack.width), states, (batch, length))

    def compute_output_spec(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Encoded:
        """What `call` returns for a `keras.Input`: the mask is boolean."""
        del mask, training
        shapes = self.compute_output_shape(inputs.shape)
        tensors = tree.map_shape_structure(lambda shape: keras.KerasTensor(shape, self.compute_dtype), tuple(shapes))
        return Encoded(*tensors)._replace(mask=keras.KerasTensor(shapes.mask, "bool"))

    def _check_rank(self, rank: int) -> None:
        wanted = 3 if self.vocabulary_size is None else 2
        if rank != wanted:
            described = {
                2: "ids of shape (batch, length), since it has a vocabulary_size",
                3: "vectors of shape (batch, length, features), since it has no vocabulary_size",
            }
            raise ValueError(f"{type(self).__name__} expects {described[wanted]}, got a tensor of rank {rank}.")


def _is_plain_lookup(embedding: Any) -> bool:
    """Whether a layer only looks up rows of its matrix: an `Embedding`, neither quantized nor adapted (LoRA)."""
    return type(embedding) is keras.layers.Embedding and not (embedding.quantization_mode or embedding.lora_enabled)


@keras.saving.register_keras_serializable("seq2seq_zoo")
class NoEncoder(keras.layers.Layer):
    """Takes the place of an encoder where there is no source: it makes a decoder a language model.

    With the bridge "dense" the decoder's initial states are then learned; with "zero" they are zeros.

    Call arguments:
        inputs: anything with one entry a row, such as sources of padding alone, `(batch, 1)`.

    Returns:
        An `Encoded` of zeros, without states, whose only step is padding.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import FeedbackDecoder, NoEncoder, Seq2Seq, Tokens
    >>> model = Seq2Seq(NoEncoder(), FeedbackDecoder(8, readout=Tokens(10)))
    >>> model((np.zeros((2, 1)), np.array([[4, 5, 2], [6, 2, 0]]))).shape
    TensorShape([2, 3, 10])
    """

    def build(self, input_shape: Any) -> None:
        """Create nothing: there are no weights."""
        self.built = True

    def call(self, inputs: Any) -> Encoded:
        """Return zeros."""
        batch = ops.shape(inputs)[0]
        summary = ops.zeros((batch, 1), dtype=self.compute_dtype)
        return Encoded(summary[:, None], summary, (), ops.zeros((batch, 1), dtype="bool"))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return no mask for Keras to attach to a tensor."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Encoded:
        """The shapes of `call`'s outputs."""
        batch = input_shape[0]
        return Encoded((batch, 1, 1), (batch, 1), (), (batch, 1))
