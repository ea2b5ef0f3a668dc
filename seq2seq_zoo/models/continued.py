"""Training that goes on from a saved model: all its weights, and its vocabularies with the new tokens of new data."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from seq2seq_zoo.config.options import KERAS_ARGUMENTS, Named, OptionError, options_of
from seq2seq_zoo.data.vocabulary import KINDS, Vocabulary
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.layers.attention import attentions
from seq2seq_zoo.layers.bridge import bridges
from seq2seq_zoo.layers.cells import cells
from seq2seq_zoo.layers.readouts.readout import readouts
from seq2seq_zoo.layers.readouts.tokens import Tokens

TOKEN_AXIS = {"embedding": 0, "kernel": 1, "bias": 0}
"""By the name of a readout's weight: the axis with an entry for each token."""

_NAMED = {"cell": Named(cells, exclude={"units"}), "bridge": Named(bridges), "attention": Named(attentions)}
_OF_TRAINING = ("dropout", "recurrent_dropout", "word_dropout", "sampling", "softmax_samples")
_FROM_DATA = ("vocabulary_size", "size", "start", "end", "unknown", "mask_value", "max_length")
_OF_WEIGHTS = ("_initializer", "_regularizer", "_constraint")


def grown_vocabularies(saved: Any, path: str, source: Vocabulary, target: Vocabulary) -> tuple[Vocabulary, Vocabulary]:
    """The vocabularies of a saved model, with the further tokens of those of the new data.

    Raises:
        OptionError: the saved model has no vocabularies, or texts of another kind.
    """
    grown = []
    olds = (getattr(saved, f"{side}_vocabulary", None) for side in ("source", "target"))
    for new, old in zip((source, target), olds, strict=True):
        if old is None:
            raise OptionError((), f"{path} has no vocabularies, which the texts of the task need: give another model.")
        require_same_separator(path, new, old)
        if new.normalize != old.normalize:
            raise OptionError(
                (),
                f"{path} does not fit: the task has texts in the form {new.normalize}, the model in {old.normalize}. "
                f"Set task.normalize to {old.normalize}.",
            )
        if bool(old.ordinary) != bool(new.ordinary):
            wanted, found = ("sources" if each.ordinary else "no sources" for each in (new, old))
            raise OptionError((), f"{path} does not fit: the task has {wanted}, the model {found}. Change the task.")
        if (old.end is None) != (new.end is None):
            wanted, found = ("no end token" if each.end is None else "an end token" for each in (new, old))
            raise OptionError((), f"{path} does not fit: the task has {wanted}, the model {found}. See task.window.")
        grown.append(old.grown(new.ordinary))
    return grown[0], grown[1]


def require_same_separator(path: str, new: Vocabulary, old: Vocabulary) -> None:
    """Refuse tokens of another kind, such as words in place of characters."""
    if new.separator != old.separator:
        wanted, found = (KINDS[each.separator] for each in (new, old))
        raise OptionError((), f"{path} does not fit: expected {wanted}, found {found}.")


def copy(saved: Any, path: str, model: Any) -> str:
    """Copy all weights of a saved model into a built model, whose vocabularies may have more tokens.

    The entries of new tokens, in the embeddings and in the readouts, are the mean of those of the saved model's tokens.
    The special tokens do not count: no training touches the embedding of padding, and no output is the start.

    Returns:
        A line that says from what the training goes on, and how many tokens are new.

    Raises:
        OptionError: the models do not fit.
    """
    if type(saved) is not type(model):
        wanted, found = (type(each).__name__ for each in (model, saved))
        raise OptionError((), f"{path} does not fit the task: expected a model of class {wanted}, found {found}.")
    _require_same_settings(saved, path, model)
    counts = []
    for side in ("source", "target"):
        new, old = (getattr(each, f"{side}_vocabulary") for each in (model, saved))
        if new is not None and new.tokens[: len(old)] != old.tokens:
            raise OptionError((), f"{path} has other tokens or ids: only a run of `train` makes the vocabularies grow.")
        if new is not None and len(new) > len(old):
            counts.append(f"{len(new) - len(old):,} new {side} token{'s' * (len(new) - len(old) > 1)}")
    tables = _tables(model)
    copies = []
    for part in ("encoder", "decoder" if hasattr(model, "decoder") else "readout", "language"):
        ours, theirs = getattr(model, part, None), getattr(saved, part, None)
        if ours is None or theirs is None:
            continue  # only one of the models has the second readout, that of joint training
        if len(ours.weights) != len(theirs.weights):
            raise OptionError((), f"{path} does not fit: the weights of its {part} are quantized or adapted.")
        for into, weight in zip(ours.weights, theirs.weights, strict=True):
            values = np.array(weight)
            if id(into) in tables:
                axis, side = tables[id(into)]
                old = getattr(saved, f"{side}_vocabulary")
                mean = values.take(old.encode(old.join(old.ordinary)), axis).mean(axis, keepdims=True)
                values = np.concatenate([values, mean.repeat(into.shape[axis] - len(old), axis)], axis)
            if values.shape != tuple(into.shape):
                raise OptionError(
                    (),
                    f"{path} does not fit the task: expected {into.path} of shape {tuple(into.shape)}, found "
                    f"{values.shape}. Give sources and targets as many features as before.",
                )
            copies.append((into, values))
    for into, values in copies:
        into.assign(values)
    means = f"; the vectors of {' and '.join(counts)} start at the mean of the others" if counts else ""
    return f"model: training goes on from {path}{means}"


def _tables(model: Any) -> dict[int, tuple[int, str]]:
    """By the `id` of each weight with an entry for each token: the axis of the tokens, and whose tokens they are."""
    embedding = getattr(model.encoder, "embedding", None)
    tables = {} if embedding is None else {id(embedding.embeddings): (0, "source")}
    for readout, side in ((model.readout, "target"), (getattr(model, "language", None), "source")):
        for weight in readout.weights if isinstance(readout, Tokens) else ():
            if weight.name in TOKEN_AXIS:
                tables[id(weight)] = TOKEN_AXIS[weight.name], side
    return tables


def _require_same_settings(saved: Any, path: str, model: Any) -> None:
    new, old = _settings(model), _settings(saved)
    differ = [key for key in new if key in old and new[key] != old[key]]  # another mode has other options
    # A width that is not given follows the units: it is enough to name these.
    differ = [key for key in differ if not key.endswith(".embedding_dim") or f"{key.split('.')[0]}.units" not in differ]
    if differ:
        keys = ", ".join(f"{key} is {_yaml(new[key])} and was {_yaml(old[key])}" for key in differ)
        changes = " ".join(f"--set {key}={_yaml(old[key])}" for key in differ)
        raise OptionError((), f"{path} does not fit the configuration: {keys}. Take those of the model: {changes}")


def _settings(model: Any) -> dict[str, Any]:
    """The options that determine a model's weights and what it does with them, by their keys in a configuration."""
    settings: dict[str, Any] = {}
    decoder, readout = getattr(model, "decoder", None), model.readout
    layers = [("encoder", model.encoder)]
    if decoder is None:
        settings["task.of"] = "texts" if model.whole else "tokens"
    else:
        settings["decoder.mode"] = modes.name_of(type(decoder))
        layers += [("decoder", decoder), *([("decoder", readout)] if isinstance(readout, Tokens) else [])]
    for section, layer in layers:
        settings |= {f"{section}.{key}": value for key, value in _own_settings(layer).items()}
    if not isinstance(readout, Tokens):
        settings["readout"] = {"name": readouts.name_of(type(readout)), **_own_settings(readout)}
    return settings


def _own_settings(layer: Any) -> dict[str, Any]:
    own = {key: value for key, value in layer.get_config().items() if key not in (*KERAS_ARGUMENTS, "readout")}
    if own.get("embedding_dim", 0) is None:
        own["embedding_dim"] = layer.units
    for key in own.keys() & _NAMED:
        named = {"name": own[key]} if isinstance(own[key], str) else own[key]
        if "name" in named:  # otherwise it was an instance
            options = options_of(_NAMED[key].registry[named["name"]])
            given = {option: value for option, value in _NAMED[key].check(named).items() if option != "name"}
            changed = {option: value for option, value in given.items() if value != options[option].default}
            own[key] = {"name": named["name"], **_lasting(changed)}
    return _lasting(own)


def _lasting(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that still matter after training, and that do not follow from the data."""
    ignored = (*_OF_TRAINING, *_FROM_DATA)
    return {key: value for key, value in options.items() if key not in ignored and not key.endswith(_OF_WEIGHTS)}


def _yaml(value: Any) -> str:
    """A value as a configuration has it: a name alone if there is nothing else."""
    if isinstance(value, Mapping) and [*value] == ["name"]:
        value = value["name"]
    return value if isinstance(value, str) else json.dumps(value)
