"""Initial weights from other models, in place of random ones."""

import functools
from typing import Any

import numpy as np

from seq2seq_zoo.config.options import KERAS_ARGUMENTS, OptionError, checked, errors_at
from seq2seq_zoo.data.vocabulary import PADDING, Vocabulary
from seq2seq_zoo.decoders import FeedbackDecoder, modes
from seq2seq_zoo.layers.cells import cells
from seq2seq_zoo.layers.encoder import Encoder
from seq2seq_zoo.layers.stack import Stack
from seq2seq_zoo.models import continued
from seq2seq_zoo.models.continued import TOKEN_AXIS
from seq2seq_zoo.models.ensemble import Ensemble
from seq2seq_zoo.models.loading import ModelFileError, load


class Pretrained:
    """Saved models that provide the initial weights of a new model.

    Either the training goes on from a whole `model`, or parts are copied. Everything copied must have the same
    architecture: an encoder or decoder is copied completely or not at all.

    The token vectors of parts are matched by token, not by id. Tokens that are not in the saved model's vocabulary keep
    their random vectors.

    Args:
        encoder: path of a saved model or a run whose encoder is copied. From a language model, the token vectors and
            the recurrent layers of its decoder become the encoder.
        decoder: path of a saved model or a run whose decoder's token vectors, recurrent layers and readout are copied.
            The weights that connect a decoder to its source stay random: those of the bridge and the attention, and, if
            the saved decoder has mode feedback (such as a language model's), the weights of the recurrent layers and of
            the readout for what they read of the source.
        model: path of a saved model or a run from which the training goes on: all weights are copied, and the tokens
            keep their ids. Tokens that only the new data has are added; their vectors and biases start at the mean of
            those of the other tokens, the special ones left out. Not with `encoder` or `decoder`.

    Raises:
        ValueError: `model` is given with `encoder` or `decoder`.

    Example:

    >>> import tempfile
    >>> from seq2seq_zoo import Encoder, FeedbackDecoder, EncoderOnly, Seq2Seq, Tokens
    >>> words, others, labels = (Vocabulary.build([text], " ") for text in ("not so bad", "not too bad", "good bad"))
    >>> old = Seq2Seq(Encoder(8, vocabulary_size=7), FeedbackDecoder(8, readout=Tokens(7)), words, words)
    >>> new = EncoderOnly(Encoder(8, vocabulary_size=7), Tokens(6), True, others, labels)
    >>> old.build((None, None))
    >>> new.build((None, None))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     old.save(f"{folder}/old.keras")
    ...     lines = Pretrained(encoder=f"{folder}/old.keras").into(new)
    >>> lines[0].partition(" from")[0]
    'encoder: 2 of 3 tokens take their vectors'

    Reference:
        Dai and Le 2015, arXiv:1511.01432, section 2; encoder and decoder from two language models: Ramachandran et al.
        2017, arXiv:1611.02683.
    """

    @checked
    def __init__(self, encoder: str | None = None, decoder: str | None = None, model: str | None = None):
        if model is not None and (encoder is not None or decoder is not None):
            raise ValueError("`model` gives all weights: leave `encoder` and `decoder` out.")
        self.encoder = encoder
        self.decoder = decoder
        self.model = model

    @functools.cached_property
    def saved_model(self) -> Any:
        """The saved model from which the training goes on; `None` without `model`."""
        if self.model is None:
            return None
        with errors_at("model", refusals=ModelFileError):
            return _load(self.model)

    def vocabularies(self, source: Vocabulary, target: Vocabulary) -> tuple[Vocabulary, Vocabulary]:
        """The vocabularies of the saved model, with the further tokens of those of the new data.

        Raises:
            OptionError: the saved model has no vocabularies, or texts of another kind.
        """
        with errors_at("model"):
            return continued.grown_vocabularies(self.saved_model, str(self.model), source, target)

    def into(self, model: Any) -> list[str]:
        """Copy the weights into a built model.

        Returns:
            A line for the encoder and for the decoder: how many of the tokens have a pretrained vector. A line for a
            whole model: how many tokens are new.

        Raises:
            OptionError: a path holds no model with an encoder or decoder to copy, or one that does not fit.
        """
        lines = []
        if self.saved_model is not None:
            with errors_at("model"):
                lines.append(continued.copy(self.saved_model, str(self.model), model))
        for part, copy, path in (("encoder", _into_encoder, self.encoder), ("decoder", _into_decoder, self.decoder)):
            if path is not None:
                with errors_at(part, refusals=ModelFileError):
                    lines.append(f"{part}: {copy(model, path)}")
        return lines


def _into_encoder(model: Any, path: str) -> str:
    saved = _load(path)
    if not isinstance(model.encoder, Encoder):
        raise OptionError((), "the new model is a language model, which has none: give a path for `decoder`.")
    new, old, vocabulary = model.encoder, saved.encoder, saved.source_vocabulary
    if not isinstance(old, Encoder):
        old, vocabulary = saved.decoder, saved.target_vocabulary
    ids = _same_tokens(path, model.source_vocabulary, vocabulary)
    _check(path, _options(new), _options(old))
    _copy(_vectors(old), _vectors(new), ids, axis=0)
    _copy_stack(old.stack, new.stack)
    return _note(path, model.source_vocabulary, ids)


def _into_decoder(model: Any, path: str) -> str:
    saved = _load(path)
    for whose, each in (("the new model", model), (path, saved)):
        if not hasattr(each, "decoder"):
            raise OptionError((), f"{whose} has none.")
    new, old = model.decoder, saved.decoder
    ids = _same_tokens(path, model.target_vocabulary, saved.target_vocabulary)
    # In every mode that feeds back, the inputs and the features of mode feedback come before its own. So the kernels of
    # a feedback decoder are the first rows of the other one's.
    is_prefix = isinstance(old, FeedbackDecoder) and new.feeds_back and not new.readout.tied
    options, widths = [], []
    for each in (new, old):
        readout = each.readout
        own = {"embedding_dim": readout.width if each.feeds_back else None, "tied": readout.tied}
        own |= {"feedback": readout.feedback, "mode": None if is_prefix else modes.name_of(type(each))}
        options.append({**_options(each), **own})
        features = next((weight.shape[0] for weight in readout.weights if TOKEN_AXIS.get(weight.name) != 0), None)
        widths.append({"inputs": sum(each.stack.cells[0][0].widths), "features": features})
    _check(path, *options)
    if not is_prefix:
        _check(path, *widths)
    olds = {weight.name: weight for weight in old.readout.weights}
    for weight in new.readout.weights:
        _copy(olds[weight.name], weight, ids, TOKEN_AXIS.get(weight.name))
    _copy_stack(old.stack, new.stack)
    return _note(path, model.target_vocabulary, ids)


def _load(path: str) -> Any:
    saved = load(path)
    if isinstance(saved, Ensemble):
        raise OptionError((), f"{path}: expected one model, found an ensemble.")
    return saved


def _vectors(part: Any) -> Any:
    """The token vectors of an encoder or a decoder; `None` if it reads no tokens."""
    if not isinstance(part, Encoder):
        return part.readout.embedding
    return None if part.embedding is None else part.embedding.embeddings


def _options(part: Any) -> dict[str, Any]:
    """What must be equal in two encoders or decoders, so that the weights of one mean the same in the other."""
    stack, vectors = part.stack, _vectors(part)
    cell = stack.cells[0][0]
    own = ("units", "depth", "bidirectional", "residual", "shared_state")
    return {
        "cell": cells.name_of(type(cell)),
        "embedding_dim": None if vectors is None else vectors.shape[1],
        **{key: getattr(stack, key) for key in own},
        **{key: value for key, value in cell.get_config().items() if key not in {*KERAS_ARGUMENTS, *own}},
    }


def _check(path: str, new: dict[str, Any], old: dict[str, Any]) -> None:
    """Refuse a saved encoder or decoder whose options differ from those of the new one."""
    differ = [key for key in new if new[key] != old.get(key)]
    if differ:
        expected, found = (", ".join(f"{key} {each.get(key)}" for key in differ) for each in (new, old))
        raise OptionError((), f"{path} does not fit: expected {expected}, found {found}. Make them equal.")


def _same_tokens(path: str, new: Vocabulary | None, old: Vocabulary | None) -> np.ndarray:
    """The ids of the tokens that both vocabularies have, special ones first: a row of new ids, and a row of old."""
    if new is None or old is None:
        whose = "the new model" if new is None else path
        raise OptionError((), f"weights are matched by token, but {whose} has no vocabulary.")
    continued.require_same_separator(path, new, old)
    known = set(old.ordinary)
    texts = [new.join([token]) for token in new.ordinary if token in known]
    both = [(*new.encode(text), *old.encode(text)) for text in texts]
    special = [(PADDING, PADDING), (new.start, old.start), (new.end, old.end), (new.unknown, old.unknown)]
    return np.array([ids for ids in [*special, *both] if None not in ids]).T


def _copy(old: Any, new: Any, ids: np.ndarray | None = None, axis: int | None = None) -> None:
    """Copy a weight: all of it, or the entries of some tokens along an axis. The old one may have fewer rows."""
    values, saved = np.array(new), np.array(old)
    if ids is None or axis is None:
        values[: len(saved)] = saved
    elif axis == 0:
        values[ids[0]] = saved[ids[1]]
    else:
        values[: len(saved), ids[0]] = saved[:, ids[1]]
    new.assign(values)


def _copy_stack(old: Stack, new: Stack) -> None:
    for olds, news in zip(old.cells, new.cells, strict=True):
        for one, other in zip(olds, news, strict=True):
            for weight, into in zip(one.weights, other.weights, strict=True):
                _copy(weight, into)


def _note(path: str, vocabulary: Vocabulary, ids: np.ndarray) -> str:
    """What to report about the tokens of an encoder or decoder."""
    every = vocabulary.encode(vocabulary.join(vocabulary.ordinary))
    known = np.isin(every, ids[0]).sum()
    others = "; those of the others are random" if known < len(every) else ""
    return f"{known:,} of {len(every):,} tokens take their vectors from {path}{others}"
