"""The graphs that are exported, as TensorFlow functions of plain tensors: search, encoder and step, or the outputs of a
model without a search."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import ops, tree

from seq2seq_zoo.data.inputs import Inputs
from seq2seq_zoo.data.vocabulary import FEATURES, PADDING, Vocabulary, input_vocabulary
from seq2seq_zoo.export.formats import has_search, source_shape
from seq2seq_zoo.layers.backend import exporting
from seq2seq_zoo.models.text_model import TextModel

# White space of `str.split` that TensorFlow's `split` does not know.
SPACES = r"[\x{1c}-\x{1f}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"


class Graphs(tf.Module):
    """A model's search as one graph; and its encoder and its step, for users who write a loop of their own. A model
    without a search has one graph of its outputs.

    Each is a TensorFlow function from named tensors to a mapping of names to tensors:

    - `search`: from `sources` to the fields of a `Generated`.
    - `encode`: from `sources` to `memory_0`, `memory_1`, ... and `state_0`, ...
    - `step`: from `previous` (ids; at first the start id), the memory and the states to `logits`, `next_state_0`, ...
      and, for a model with attention, `weights`.
    - `predict`, for a model without a search: from `sources` to labels, as the fields of a `Generated` with one
      hypothesis; or to real `values` `(batch, time, features)` and, if the readout predicts a distribution, `quantiles`
      `(batch, levels, time, features)`.
    - `text`: from texts to texts and scores, if `text` is true.

    Args:
        model: a built model in single precision.
        search: a search that is not random; see `TextModel.search`. For a model without a search, its `Inputs` in their
            own units, or `None` for tokens or scaled values.
        batch: number of rows of every call; `None` for any number.
        text: whether to add `text`, which needs a model with vocabularies.
        parts: whether to add `encode` and `step`.
    """

    def __init__(self, model: Any, search: Any, batch: int | None, text: bool = False, parts: bool = True):
        super().__init__()
        if has_search(model):
            sources = _sources(model, batch)
            run = _search(model, search)
            self.functions = {"search": _traced(run, sources)}
            if parts:
                encode, step = _encode_and_step(model, sources, batch)
                self.functions.update(encode=encode, step=step)
        else:
            run = _labels(model) if model.readout.vocabulary_size is not None else _values(model, search)
            self.functions = {"predict": _traced(run, _sources(model, batch, search))}
        if text:
            self.functions["text"] = self._text(model, run)
        # TensorFlow saves what is an attribute here: the functions' weights, and not all that the layers hold.
        self.weights = [variable.value for variable in model.variables]

    def _text(self, model: Any, search: Callable[..., dict[str, Any]]) -> Any:
        """The search, or the labels, from texts to texts: both vocabularies as operations of TensorFlow."""
        target = model.vocabularies[1]
        source = input_vocabulary(*model.vocabularies)
        ids = tf.constant([id for id in range(len(source)) if id not in _special(source)], tf.int32)
        tokens = tf.constant([source.tokens[id] for id in ids.numpy()])
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tokens, ids), source.unknown)

        def text(texts: Any) -> dict[str, Any]:
            split = _split(texts, source.separator)
            # With one more column of padding, so that there is at least one if all texts are empty.
            generated = search(tf.pad(self.table.lookup(split).to_tensor(PADDING), ((0, 0), (0, 1))))
            ids = generated["ids"]
            is_hidden = tf.constant([id in (PADDING, target.start, target.end) for id in range(len(target))])
            tokens = tf.gather(tf.constant(target.tokens), ids)
            tokens = tf.ragged.boolean_mask(tokens, tf.logical_not(tf.gather(is_hidden, ids)))
            return {
                "texts": tf.strings.reduce_join(tokens, axis=-1, separator=target.separator),
                "scores": generated["scores"],
            }

        return _traced(text, tf.TensorSpec((None,), tf.string, "texts"))


def _search(model: TextModel, search: Any) -> Callable[[Any], dict[str, Any]]:
    """The search as a function of sources."""
    searcher = model.searcher(search)

    def run(sources: Any) -> dict[str, Any]:
        # A language model has no sources: its outputs start with the ids that it is given.
        return searcher({"sources": sources} if model.has_source else {"sources": sources, "prefix": sources})

    return run


def _labels(model: Any) -> Callable[[Any], dict[str, Any]]:
    """The most likely labels as a function of sources: the fields of a `Generated`. Padding has the label 0."""

    def run(sources: Any) -> dict[str, Any]:
        encoded = model.encoder(sources)
        logits = model.readout.read(encoded.summary[:, None] if model.whole else encoded.sequence)
        is_real = ops.ones_like(logits[..., 0], dtype="bool") if model.whole else encoded.mask
        ids = model.readout.predict(logits)
        log_probs = ops.take_along_axis(ops.log_softmax(logits), ops.expand_dims(ids, -1), axis=-1)[..., 0]
        log_probs = ops.where(is_real, log_probs, 0.0)
        return {
            "ids": ops.where(is_real, ids, PADDING)[:, None],
            "lengths": ops.sum(ops.cast(is_real, "int32"), axis=-1, keepdims=True),
            "scores": ops.sum(log_probs, axis=-1, keepdims=True),
            "log_probs": log_probs[:, None],
        }

    return run


def _values(model: Any, inputs: Inputs | None) -> Callable[[Any], dict[str, Any]]:
    """The real-valued outputs as a function of sources, both in their own units if these are known."""

    def run(sources: Any) -> dict[str, Any]:
        source, mean, scale = (sources, 0.0, 1.0) if inputs is None else inputs.scaled(sources, ops)
        numbers = model(source)
        outputs = {"values": model.readout.predict(numbers) * scale + mean}
        quantiles = [quantile * scale + mean for quantile in model.readout.quantiles_of(numbers).values()]
        return {**outputs, "quantiles": ops.stack(quantiles, axis=1)} if quantiles else outputs

    return run


def _split(texts: Any, separator: str) -> Any:
    """The tokens of texts, as `Vocabulary.split` gives them."""
    if separator == " ":
        return tf.strings.split(tf.strings.regex_replace(texts, SPACES, " "))
    if separator == FEATURES:
        features = tf.strings.split(tf.strings.regex_replace(texts, "(?s) .*", ""), FEATURES)
        features = tf.ragged.boolean_mask(features, features != "")
        characters = tf.strings.unicode_split(tf.strings.regex_replace(texts, "^[^ ]* ?", ""), "UTF-8")
        return tf.concat([features + FEATURES, characters], axis=1)
    return tf.strings.unicode_split(texts, "UTF-8")


def _encode_and_step(model: TextModel, sources: tf.TensorSpec, batch: int | None) -> tuple[Any, Any]:
    """The encoder and the step, which pass the memory and the states to each other as plain tensors."""
    structure: Any = None
    names: dict[str, Any] = {}

    def encode(sources: Any) -> dict[str, Any]:
        nonlocal structure
        memory, states = model.initialize(sources)
        structure = {"memory": memory, "state": states}
        names.clear()
        for kind in ("memory", "state"):
            # A tensor may occur several times in a memory. None stands for a dropout mask.
            tensors = {id(leaf): leaf for leaf in tree.flatten(structure[kind]) if leaf is not None}
            names.update({f"{kind}_{i}": leaf for i, leaf in enumerate(tensors.values())})
        return dict(names)

    def step(previous: Any, *tensors: Any) -> dict[str, Any]:
        given = {id(names[name]): tensor for name, tensor in zip(specs, tensors, strict=True)}
        memory, states = (
            tree.map_structure(lambda leaf: given.get(id(leaf)), structure[kind]) for kind in ("memory", "state")
        )
        logits, states, weights = model.step(previous, states, memory)
        outputs = {"logits": logits, **{f"next_state_{i}": leaf for i, leaf in enumerate(tree.flatten(states))}}
        return outputs if weights is None else {**outputs, "weights": weights}

    _traced(encode, sources).get_concrete_function()
    previous = tf.TensorSpec((batch,), "int32", "previous")
    specs = {name: tf.TensorSpec(leaf.shape, leaf.dtype, name) for name, leaf in names.items()}
    # A mode may not read all of the memory. Then the graphs leave out what it does not read.
    tensors = _traced(step, previous, *specs.values()).get_concrete_function().inputs[1:]
    specs = {name: spec for (name, spec), tensor in zip(specs.items(), tensors, strict=False) if tensor.consumers()}

    def encode_used(sources: Any) -> dict[str, Any]:
        return {name: leaf for name, leaf in encode(sources).items() if name in specs}

    return _traced(encode_used, sources), _traced(step, previous, *specs.values())


def _traced(function: Callable[..., Any], *specs: tf.TensorSpec) -> Any:
    """A TensorFlow function whose loops other runtimes can run."""

    @functools.wraps(function)
    def plain(*tensors: Any, **named: Any) -> Any:
        with exporting():
            return function(*tensors, **named)

    return tf.function(plain, specs, autograph=False)


def _sources(model: Any, batch: int | None, inputs: Inputs | None = None) -> tf.TensorSpec:
    """Shape and type of the sources: ids or vectors."""
    _, *shape = source_shape(model) if inputs is None else (None, inputs.length, len(inputs.columns))
    return tf.TensorSpec((batch, *shape), "int32" if len(shape) == 1 else "float32", "sources")


def _special(vocabulary: Vocabulary) -> tuple[int | None, ...]:
    return (PADDING, vocabulary.start, vocabulary.end, vocabulary.unknown)
