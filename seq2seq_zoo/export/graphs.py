"""What is exported: a search, an encoder and a step, as TensorFlow functions of plain tensors."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import tree

from seq2seq_zoo.data.vocabulary import PADDING, Vocabulary
from seq2seq_zoo.export.formats import input_vocabulary
from seq2seq_zoo.layers.backend import exporting
from seq2seq_zoo.models.text_model import TextModel

# What `str.split` takes for white space and TensorFlow's `split` does not.
SPACES = r"[\x{1c}-\x{1f}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"


class Graphs(tf.Module):
    """A model's search, and its encoder and single step apart, for those who write a loop of their own.

    Each is a TensorFlow function of named tensors to a mapping of names to tensors:

    - `search`: `sources` to the fields of a `Generated`.
    - `encode`: `sources` to `memory_0`, `memory_1`, ... and `state_0`, ...
    - `step`: `previous` (ids; the start id at first), the memory and the states to `logits`, `next_state_0`, ... and,
      if the mode looks, `weights`.
    - `text`: texts to texts and scores, if the model has vocabularies and `text` is asked for.

    Args:
        model: built, in single precision.
        search: a search that leaves nothing to chance; see `TextModel.search`.
        batch: rows of every call; `None` for any number.
        text: whether to make `text`.
    """

    def __init__(self, model: TextModel, search: Any, batch: int | None, text: bool = False):
        super().__init__()
        searcher = model.searcher(search)
        sources = _sources(model, batch)

        def run(sources: Any) -> dict[str, Any]:
            # What a language model is given, it does not read: its outputs begin with it.
            return searcher({"sources": sources} if model.has_source else {"sources": sources, "prefix": sources})

        self.functions = {"search": _traced(run, sources)}
        encode, step = _parts(model, sources, batch)
        self.functions.update(encode=encode, step=step)
        if text:
            self.functions["text"] = self._text(model, run)
        # What the functions hold, where TensorFlow looks for it (and not the layers, of which it would save more).
        self.weights = [variable.value for variable in model.variables]

    def _text(self, model: TextModel, search: Callable[..., dict[str, Any]]) -> Any:
        target = model.vocabularies[1]
        source = input_vocabulary(model.vocabularies)
        ids = tf.constant([id for id in range(len(source)) if id not in _special(source)], tf.int32)
        tokens = tf.constant([source.tokens[id] for id in ids.numpy()])
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tokens, ids), source.unknown)

        def text(texts: Any) -> dict[str, Any]:
            if source.separator:
                cut = tf.strings.split(tf.strings.regex_replace(texts, SPACES, " "))
            else:
                cut = tf.strings.unicode_split(texts, "UTF-8")
            # One column of padding more, so that there is one where all texts are empty.
            found = search(tf.pad(self.table.lookup(cut).to_tensor(PADDING), ((0, 0), (0, 1))))
            silent = tf.constant([id in (PADDING, target.start, target.end) for id in range(len(target))])
            said = tf.gather(tf.constant(target.tokens), found["ids"])
            said = tf.ragged.boolean_mask(said, tf.logical_not(tf.gather(silent, found["ids"])))
            return {
                "texts": tf.strings.reduce_join(said, axis=-1, separator=target.separator),
                "scores": found["scores"],
            }

        return _traced(text, tf.TensorSpec((None,), tf.string, "texts"))


def _parts(model: TextModel, sources: tf.TensorSpec, batch: int | None) -> tuple[Any, Any]:
    structure: Any = None
    names: dict[str, Any] = {}

    def encode(sources: Any) -> dict[str, Any]:
        nonlocal structure
        memory, states = model.initialize(sources)
        structure = {"memory": memory, "state": states}
        names.clear()
        for kind in ("memory", "state"):
            # One tensor may have several places in a memory; places without a tensor are dropout's.
            tensors = {id(leaf): leaf for leaf in tree.flatten(structure[kind]) if leaf is not None}
            names.update({f"{kind}_{i}": leaf for i, leaf in enumerate(tensors.values())})
        return dict(names)

    def step(previous: Any, *tensors: Any) -> dict[str, Any]:
        given = {id(names[name]): tensor for name, tensor in zip(specs, tensors, strict=True)}
        memory, states = (
            tree.map_structure(lambda leaf: given.get(id(leaf)), structure[kind]) for kind in ("memory", "state")
        )
        logits, states, weights = model.step(previous, states, memory)
        found = {"logits": logits, **{f"next_state_{i}": leaf for i, leaf in enumerate(tree.flatten(states))}}
        return found if weights is None else {**found, "weights": weights}

    _traced(encode, sources).get_concrete_function()
    previous = tf.TensorSpec((batch,), "int32", "previous")
    specs = {name: tf.TensorSpec(leaf.shape, leaf.dtype, name) for name, leaf in names.items()}
    # A mode reads of the memory what it wants, and only that shall be asked for.
    tensors = _traced(step, previous, *specs.values()).get_concrete_function().inputs[1:]
    specs = {name: spec for (name, spec), tensor in zip(specs.items(), tensors, strict=False) if tensor.consumers()}

    def encode_what_is_read(sources: Any) -> dict[str, Any]:
        return {name: leaf for name, leaf in encode(sources).items() if name in specs}

    return _traced(encode_what_is_read, sources), _traced(step, previous, *specs.values())


def in_single_precision(model: TextModel) -> TextModel:
    """The model itself, or its equal that computes in float32, as other runtimes do."""
    if model.step_policy.compute_dtype == "float32":
        return model

    def whole(config: Any) -> Any:
        if isinstance(config, dict):
            return {key: "float32" if key == "dtype" else whole(value) for key, value in config.items()}
        return [whole(each) for each in config] if isinstance(config, list) else config

    equal = type(model).from_config(whole(model.get_config()))
    equal.build((None, None))
    equal.set_weights(model.get_weights())
    return equal


def _traced(function: Callable[..., Any], *specs: tf.TensorSpec) -> Any:
    @functools.wraps(function)
    def plain(*tensors: Any, **named: Any) -> Any:
        with exporting():
            return function(*tensors, **named)

    return tf.function(plain, specs, autograph=False)


def _sources(model: Any, batch: int | None) -> tf.TensorSpec:
    encoder = getattr(model, "models", [model])[0].encoder
    if not model.has_source or encoder.vocabulary_size is not None:
        return tf.TensorSpec((batch, None), "int32", "sources")
    return tf.TensorSpec((batch, None, encoder.stack.cells[0][0].widths[0]), "float32", "sources")


def _special(vocabulary: Vocabulary) -> tuple[int | None, ...]:
    return (PADDING, vocabulary.start, vocabulary.end, vocabulary.unknown)
