"""Small models of every registered mode, cell, bridge and attention, for the relations that must hold for all."""

import functools
import itertools

import keras
import numpy as np
from keras import ops

from seq2seq_zoo import Encoder, Seq2Seq, Tokens, Vectors, decoders
from seq2seq_zoo.config.options import options_of
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.layers.attention import attentions
from seq2seq_zoo.layers.bridge import bridges
from seq2seq_zoo.layers.cells import cells

# Full, padded right, padded left, nothing but padding. 1 starts, 2 ends.
SOURCE = np.array([[4, 5, 6, 7], [8, 4, 0, 0], [0, 5, 6, 5], [0, 0, 0, 0]], "int32")
TARGET = np.array([[4, 5, 6, 2], [7, 2, 0, 0], [5, 8, 2, 0], [0, 0, 0, 0]], "int32")
REAL = TARGET != 0
FEATURES = 4  # as wide as the encoder, for peek to add the two
VECTORS = np.where(REAL[..., None], np.random.default_rng(0).normal(size=(*TARGET.shape, FEATURES)), 0).astype(
    "float32"
)
TOKENS = 9
LENGTH = 6

BODIES = {
    "flat": {},
    "deep": {"depth": 2},
    "residual": {"depth": 2, "residual": True},
    "shared": {"depth": 3, "shared_state": True},
}
OPTIONS = {
    "cell": cells,
    "body": ["flat", "deep", "residual"],
    "bridge": bridges,
    "readout": ["tokens", "tied", "vectors"],
    "bidirectional": [False, True],
    "attention": attentions,
    "input_feeding": [True, False],
    "combine": ["concatenate", "add"],
}

QUERY_CANCELS = {"linear"}
"""Attentions whose weights do not depend on the query, since their score is linear in the sum of query and key."""


class Case:
    """One mode with one value for each option; builds an encoder and a decoder with random weights."""

    def __init__(self, mode, **chosen):
        self.mode = mode
        self.chosen = chosen

    def __str__(self):
        values = (value if isinstance(value, str) else name for name, value in self.chosen.items() if value)
        return "-".join([self.mode, *values])

    def build(self):
        own = dict(self.chosen)
        shared = {"cell": own.pop("cell"), **BODIES[own.pop("body")]}
        bidirectional, readout = own.pop("bidirectional"), own.pop("readout")
        # As wide as the encoder's output where something needs it.
        units = 5 if own.get("bridge") != "copy" and "attention" not in own else 4
        encoder = {"units": 2 if bidirectional else 4, "bidirectional": bidirectional, "embedding_dim": 3}
        self.encoder = Encoder(vocabulary_size=TOKENS, **encoder, **shared)
        if self.has_tokens:
            width = FEATURES if own.get("combine") == "add" or readout == "features" else 3
            own_readout = {"tied": {"tied": True}, "features": {"feedback": "features"}}.get(readout, {})
            self.target, readout = TARGET, Tokens(TOKENS, embedding_dim=width, **own_readout)
        else:
            self.target, readout = VECTORS, Vectors(FEATURES, mask_value=0.0)
        self.decoder = decoders.create(self.mode, units=units, readout=readout, max_length=LENGTH, **shared, **own)
        self.model = Seq2Seq(self.encoder, self.decoder)
        self.model.build((None, None))
        randomise(self.model)
        return self

    @property
    def has_tokens(self):
        return self.chosen["readout"] != "vectors"

    def teacher_forced(self, source=SOURCE, target=None):
        return np.asarray(self.model((source, self.target if target is None else target)))

    def free_running(self, source=SOURCE):
        return np.asarray(self.model(source))

    logits = functools.cached_property(teacher_forced)
    outputs = functools.cached_property(free_running)
    encoded = functools.cached_property(lambda self: self.encoder(SOURCE))


def randomise(layer, seed=1):
    """Give every weight random values, biases as well, whose initial zeros would hide errors."""
    random = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign(random.normal(0, 0.7, weight.shape))


def small(mode, **options):
    """A model of any mode, with 4 units and random weights."""
    options = {"units": 4, "readout": Tokens(TOKENS), "max_length": LENGTH, **options}
    model = Seq2Seq(Encoder(4, vocabulary_size=TOKENS), decoders.create(mode, **options))
    model.build((None, None))
    randomise(model)
    return model


LETTERS = "aé漢🙂"
VOCABULARY = Vocabulary(["<pad>", "<start>", "<end>", *LETTERS, "<unk>", "8", "9"], "", unknown=7)


@functools.cache
def taught():
    """Models of all modes, trained to reverse three letters and to turn "8" into "88" or "99", equally often; and their
    training data, `(models, sources, targets)`."""
    keras.utils.set_random_seed(1)
    source = np.array([*itertools.product(range(3, 7), repeat=3), *[(8, 0, 0)] * 32])
    target = np.array([(*row[::-1], 2) for row in source[:64]] + [(8, 8, 2, 0), (9, 9, 2, 0)] * 16)
    inputs = [keras.Input((None,), dtype="int32") for _ in range(2)]
    logits, models = {}, {}
    for mode in decoders.list():
        decoder = decoders.create(mode, units=24, cell="gru", readout=Tokens(len(VOCABULARY)), max_length=4)
        encoder = Encoder(24, "gru", vocabulary_size=len(VOCABULARY))
        models[mode] = Seq2Seq(encoder, decoder, VOCABULARY, VOCABULARY)
        logits[mode] = models[mode](inputs)
    together = keras.Model(inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    together.compile(keras.optimizers.Adam(0.02), dict.fromkeys(models, loss), jit_compile=False)
    together.fit([source, target], dict.fromkeys(models, target), batch_size=96, epochs=90, verbose=0)
    return models, source, target


def cases():
    """Every mode, with a small set of option values in which any two values of two options occur together; with one
    state shared by all layers; and as in 2016."""
    for mode in decoders.list():
        known = {**options_of(decoders.modes[mode]), "body": ..., "bidirectional": ...}
        options = {k: list(v) for k, v in OPTIONS.items() if k in known}
        if not decoders.modes[mode].feeds_back:
            options["readout"].remove("tied")
        yield from (Case(mode, **choice) for choice in pairwise(options))
        first = {option: values[0] for option, values in options.items()}
        yield Case(mode, **first | {"body": "shared", "cell": "lstm"})
        old = {"readout": "features", "bridge": "zero", "attention": "linear", "readout_context": False}
        yield Case(mode, **first | {option: value for option, value in old.items() if option in known})


def pairwise(options):
    """A small set of choices of a value for each option, in which any two values of two options occur together."""
    choices = [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]

    def pairs(choice):
        return {str(pair) for pair in itertools.combinations(choice.items(), 2)}

    missing = set().union(*map(pairs, choices))
    while missing:
        best = max(choices, key=lambda choice: len(pairs(choice) & missing))
        missing -= pairs(best)
        yield best


def gradients(model, loss):
    """The gradient of every trainable weight, by path."""
    import tensorflow as tf  # here, since other backends' processes read this file too

    with tf.GradientTape() as tape:
        value = loss()
    found = tape.gradient(value, [weight.value for weight in model.trainable_weights])
    missing = [weight.path for weight, gradient in zip(model.trainable_weights, found, strict=True) if gradient is None]
    assert not missing, f"no gradient for {missing}"
    dense = [tf.convert_to_tensor(gradient).numpy() for gradient in found]
    return {weight.path: gradient for weight, gradient in zip(model.trainable_weights, dense, strict=True)}


def nll(logits, targets=TARGET):
    """The negative log-probability of each target, zero on padding."""
    logits = np.asarray(logits, "float64")
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return np.where(targets != 0, -np.take_along_axis(log_probs, targets[..., None], -1)[..., 0], 0)


class Told:
    """A model's teacher-forced log-probabilities for every output of at most four tokens, for tests/references."""

    def __init__(self, model, sources=SOURCE):
        self.model, self.sources, self.end = model, sources, model.readout.end
        self.tokens = sorted({*range(model.readout.vocabulary_size)} - {0, model.readout.start, self.end})
        outputs = [(*tokens, self.end) for tokens in itertools.product(self.tokens, repeat=3)]
        self.places = {tokens[:length]: place for place, tokens in enumerate(outputs) for length in range(4)}
        inputs = np.repeat(sources, len(outputs), 0), np.tile(outputs, (len(sources), 1))
        logits, weights = model(inputs, return_attention_scores=True) if model.has_attention else (model(inputs), None)
        shape = (len(sources), len(outputs), 4, -1)
        self.log_probs = np.reshape(logits - ops.logsumexp(logits, axis=-1, keepdims=True), shape).astype("float64")
        self.weights = None if weights is None else np.reshape(weights, shape).astype("float64")

    def row(self, row):
        """One source as tests/references/beam.py takes it: from a prefix to the next log-probabilities and weights."""

        def next_step(prefix):
            place = row, self.places[prefix], len(prefix)
            weights = () if self.weights is None else tuple(self.weights[place][self.sources[row] != 0].tolist())
            return self.log_probs[place].tolist(), weights

        return next_step


def until(end, ids):
    """Ids up to and including the end of each row; padding after it."""
    return np.where(np.cumsum(ids == end, axis=1) - (ids == end), 0, ids)


def memorised(model):
    """The state of every random generator and counter, to `recall`."""
    return [(weight, np.asarray(weight)) for weight in model.non_trainable_variables]


def recall(states):
    for weight, value in states:
        weight.assign(value)


close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
