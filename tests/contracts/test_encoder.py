"""The encoder, which all decoder modes share."""

import keras
import numpy as np
import pytest
from cases import BODIES, OPTIONS, SOURCE, TOKENS, close, pairwise, randomise
from references.cells import CELLS
from references.encoder import encode

from seq2seq_zoo import Encoded, Encoder
from seq2seq_zoo.layers.cells import cells

VECTORS = np.random.default_rng(0).normal(size=(4, 4, 3)).astype("float32")
MASK = SOURCE != 0
CHOICES = [
    *pairwise({"cell": list(cells), "body": OPTIONS["body"], "bidirectional": [False, True], "ids": [True, False]}),
    *({"cell": cell, "body": "shared", "bidirectional": False, "ids": False} for cell in cells),
]


@pytest.fixture(scope="module", params=CHOICES, ids=lambda choice: "-".join(map(str, choice.values())))
def case(request):
    choice = dict(request.param)
    vocabulary = {"vocabulary_size": TOKENS, "embedding_dim": 3} if choice.pop("ids") else {}
    encoder = Encoder(4, **BODIES[choice.pop("body")], **choice, **vocabulary)
    encoder.build(SOURCE.shape if vocabulary else VECTORS.shape)
    randomise(encoder)
    return encoder


def read(encoder, padding=((0, 0), (0, 0)), rows=slice(None)):
    """The encoder's outputs as NumPy arrays, with the source padded."""
    mask = np.pad(MASK, padding)[rows]
    source = SOURCE if encoder.embedding else VECTORS
    inputs = np.pad(source, (*padding, (0, 0))[: source.ndim], constant_values=0 if encoder.embedding else 9)[rows]
    encoded = encoder(inputs) if encoder.embedding else encoder(inputs, mask=mask)
    np.testing.assert_array_equal(encoded.mask, mask)
    return keras.tree.map_structure(np.asarray, encoded)


def test_each_row_equals_the_numpy_reference(case):
    if case.cell not in CELLS:
        ours = cells[case.cell].__module__.startswith("seq2seq_zoo.")
        (pytest.fail if ours else pytest.skip)(
            f"Cell {case.cell!r} has no NumPy reference: write one in tests/references/cells.py."
        )
    encoded = read(case)
    for row, real in enumerate(MASK):
        sequence, summary, states = encode(case.cell, case, (SOURCE if case.embedding else VECTORS)[row, real])
        close(encoded.sequence[row, real], sequence)
        close(encoded.summary[row], summary)
        keras.tree.map_structure(close, [[state[row] for state in layer] for layer in encoded.states], states)


def test_padding_and_neighbours_change_no_row(case):
    encoded = read(case)
    for padding in (((0, 0), (3, 0)), ((0, 0), (0, 3))):
        longer = read(case, padding, rows=slice(1, 4))
        close(longer.sequence[longer.mask], encoded.sequence[1:][MASK[1:]])
        close(longer.summary, encoded.summary[1:])
        keras.tree.map_structure(lambda a, b: close(a, b[1:]), longer.states, encoded.states)


def test_compute_output_shape_gives_the_shapes_of_the_outputs(case):
    inputs = SOURCE if case.embedding else VECTORS
    computed = case.compute_output_shape(inputs.shape)
    assert isinstance(computed, Encoded)
    assert keras.tree.map_structure(lambda x: tuple(x.shape), case(inputs)) == computed


def test_an_encoder_is_rebuilt_from_its_config(case):
    twin = Encoder.from_config(case.get_config())
    assert twin.get_config() == case.get_config()


def test_a_source_of_padding_alone_gives_zeros():
    encoder = Encoder(4, vocabulary_size=TOKENS, bidirectional=True, depth=2, residual=True)
    encoder.build((None, None))
    randomise(encoder)
    encoded = encoder(np.zeros((2, 3), "int32"))
    assert not any(np.asarray(x).any() for x in keras.tree.flatten(encoded))


def test_a_mask_and_padding_ids_are_combined():
    encoder = Encoder(4, vocabulary_size=TOKENS)
    mask = np.array([[1, 0, 1, 1]], bool)
    encoded = encoder(np.array([[4, 5, 6, 0]]), mask=mask)
    np.testing.assert_array_equal(encoded.mask, [[True, False, True, False]])
    close(encoded.summary, encoder(np.array([[4, 6]])).summary)


def test_a_masking_layer_masks_vectors():
    vectors = np.where(MASK[..., None], VECTORS, 0)
    encoder = Encoder(4, bidirectional=True)
    by_layer, by_argument = encoder(keras.layers.Masking()(vectors)), encoder(vectors, mask=MASK)
    keras.tree.map_structure(close, by_layer, by_argument)
    assert np.asarray(encoder(vectors).mask).all()


def test_dropout_applies_in_training_and_is_the_same_at_every_step():
    encoder, source = Encoder(16, "simple", vocabulary_size=TOKENS, dropout=0.5), np.full((4, 5), 6)
    encoder(source)
    recurrent_kernel = encoder.stack.cells[0][0].recurrent_kernel
    recurrent_kernel.assign(np.zeros(recurrent_kernel.shape))
    kept, dropped = np.asarray(encoder(source).sequence), np.asarray(encoder(source, training=True).sequence)
    assert kept.all()
    assert 0.2 < (dropped == 0).mean() < 0.8
    close(dropped, dropped[:, :1].repeat(5, axis=1))


def test_recurrent_dropout_applies_in_training():
    encoder = Encoder(16, vocabulary_size=TOKENS, recurrent_dropout=0.5)
    a, b, c = (np.asarray(encoder(SOURCE, training=training).summary) for training in (None, False, True))
    close(a, b)
    assert np.abs(a - c).max() > 1e-4


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_mask_value_masks_vectors(value):
    vectors = np.where(MASK[..., None], VECTORS, np.float32(value))
    vectors[0, 0, 0] = value  # one feature of a real step
    expected = Encoder(4, bidirectional=True)(vectors, mask=MASK)
    keras.utils.set_random_seed(1)
    encoder = Encoder(4, bidirectional=True, mask_value=value)
    keras.tree.map_structure(close, encoder(vectors), expected)
    np.testing.assert_array_equal(encoder(vectors, mask=np.eye(4, dtype=bool)).mask, MASK & np.eye(4, dtype=bool))
    with pytest.raises(ValueError, match=r"mask_value=0\.5 is for a source of vectors, but this Encoder has a vocab"):
        Encoder(4, vocabulary_size=TOKENS, mask_value=0.5)


@pytest.mark.parametrize(
    ("options", "shape", "words"),
    [
        ({"vocabulary_size": 9}, (2, 3, 4), r"expects ids of shape \(batch, length\), .* got a tensor of rank 3\."),
        ({}, (2, 3), r"expects vectors of shape \(batch, length, features\), .* got a tensor of rank 2\."),
        ({"vocabulary_size": 9}, (2, 0), "A sequence needs at least one step, got none"),
    ],
)
def test_a_source_of_the_wrong_shape_is_refused(options, shape, words):
    with pytest.raises(ValueError, match=words):
        Encoder(4, **options)(np.zeros(shape, "int32"))


def test_a_cell_is_given_by_name_or_by_mapping():
    encoder = Encoder(4, cell={"name": "gru", "activation": "relu"}, vocabulary_size=TOKENS)
    assert encoder.stack.cells[0][0].activation is keras.activations.relu
    assert Encoder.from_config(encoder.get_config()).get_config() == encoder.get_config()
    with pytest.raises(
        ValueError, match=r"`cell\.activatoin` is not an option of cell 'gru'\. Did you mean 'activation'"
    ):
        Encoder(4, cell={"name": "gru", "activatoin": "relu"})
