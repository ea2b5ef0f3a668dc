"""What a model may begin with in place of random weights: those of another one."""

from typing import Any

import numpy as np

from seq2seq_zoo.config.options import KERAS_ARGUMENTS, OptionError, checked, errors_at
from seq2seq_zoo.data.vocabulary import PADDING, Vocabulary
from seq2seq_zoo.decoders import FeedbackDecoder, modes
from seq2seq_zoo.layers.cells import cells
from seq2seq_zoo.layers.encoder import Encoder
from seq2seq_zoo.layers.stack import Stack
from seq2seq_zoo.models.ensemble import Ensemble
from seq2seq_zoo.models.loading import ModelFileError, load

_TOKENS = {"embedding": 0, "kernel": 1, "bias": 0}  # the axis of a readout's weight that has a place for each token


class Pretrained:
    """Saved models whose weights a new model begins with.

    A token's vector goes to the same token, whatever its id; tokens that the saved model does not know keep their
    random vectors. All else must fit: a part is copied whole or not at all.

    Args:
        encoder: path of a saved model or a run whose encoder becomes the new model's; of a language model, the tokens'
            vectors and the recurrent layers of its decoder do.
        decoder: path of a saved model or a run whose decoder gives the new model's its tokens' vectors, its recurrent
            layers and its readout. What joins a decoder to its source begins anew: the bridge and the attention; after
            a decoder of mode feedback, such as a language model's, also what recurrent layers and readout take from the
            source.

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
    >>> lines[0].partition(" as")[0]
    'encoder: 2 of 3 tokens begin'

    Reference:
        Dai and Le 2015, arXiv:1511.01432, section 2; encoder and decoder from two language models: Ramachandran et al.
        2017, arXiv:1611.02683.
    """

    @checked
    def __init__(self, encoder: str | None = None, decoder: str | None = None):
        self.encoder = encoder
        self.decoder = decoder

    def into(self, model: Any) -> list[str]:
        """Copy the weights into a built model.

        Returns:
            A line for each part: how many of its tokens have a pretrained vector now.

        Raises:
            OptionError: a path that holds no model with such a part, or one that does not fit.
        """
        lines = []
        for part, copy, path in (("encoder", _into_encoder, self.encoder), ("decoder", _into_decoder, self.decoder)):
            if path is not None:
                with errors_at(part, refusals=ModelFileError):
                    lines.append(f"{part}: {copy(model, path)}")
        return lines


def _into_encoder(model: Any, path: str) -> str:
    found = _load(path)
    if not isinstance(model.encoder, Encoder):
        raise OptionError((), "a language model has none: give its `decoder` a path.")
    new, old, known = model.encoder, found.encoder, found.source_vocabulary
    if not isinstance(old, Encoder):
        old, known = found.decoder, found.target_vocabulary
    ids = _same_tokens(path, model.source_vocabulary, known)
    _check(path, _options(new), _options(old))
    _copy(_vectors(old), _vectors(new), ids, axis=0)
    _copy_stack(old.stack, new.stack)
    return _note(path, model.source_vocabulary, ids)


def _into_decoder(model: Any, path: str) -> str:
    found = _load(path)
    for whose, each in (("the new model", model), (path, found)):
        if not hasattr(each, "decoder"):
            raise OptionError((), f"{whose} has none.")
    new, old = model.decoder, found.decoder
    ids = _same_tokens(path, model.target_vocabulary, found.target_vocabulary)
    # What a decoder of mode feedback reads and reads out, any other that feeds back does before all else.
    leads = isinstance(old, FeedbackDecoder) and new.feeds_back and not new.readout.tied
    options, widths = [], []
    for each in (new, old):
        readout = each.readout
        own = {"embedding_dim": readout.width if each.feeds_back else None, "tied": readout.tied}
        own |= {"feedback": readout.feedback, "mode": None if leads else modes.name_of(type(each))}
        options.append({**_options(each), **own})
        features = next((weight.shape[0] for weight in readout.weights if _TOKENS.get(weight.name) != 0), None)
        widths.append({"inputs": sum(each.stack.cells[0][0].widths), "features": features})
    _check(path, *options)
    if not leads:
        _check(path, *widths)
    olds = {weight.name: weight for weight in old.readout.weights}
    for weight in new.readout.weights:
        _copy(olds[weight.name], weight, ids, _TOKENS.get(weight.name))
    _copy_stack(old.stack, new.stack)
    return _note(path, model.target_vocabulary, ids)


def _load(path: str) -> Any:
    found = load(path)
    if isinstance(found, Ensemble):
        raise OptionError((), f"{path}: expected one model, found an ensemble.")
    return found


def _vectors(part: Any) -> Any:
    """The tokens' vectors of an encoder or a decoder; `None` of a decoder that reads no tokens."""
    if not isinstance(part, Encoder):
        return part.readout.embedding
    return None if part.embedding is None else part.embedding.embeddings


def _options(part: Any) -> dict[str, Any]:
    """What two parts must have alike, if the weights of one are to mean the same in the other."""
    stack, vectors = part.stack, _vectors(part)
    cell = stack.cells[0][0]
    own = ("units", "depth", "bidirectional", "residual", "shared_state")
    return {
        "cell": cells.name_of(type(cell)),
        "embedding_dim": None if vectors is None else vectors.shape[1],
        **{key: getattr(stack, key) for key in own},
        **{key: value for key, value in cell.get_config().items() if key not in {*KERAS_ARGUMENTS, *own}},
    }


def _check(path: str, wanted: dict[str, Any], found: dict[str, Any]) -> None:
    differ = [key for key in wanted if wanted[key] != found.get(key)]
    if differ:
        wants, has = (", ".join(f"{key} {each.get(key)}" for key in differ) for each in (wanted, found))
        raise OptionError((), f"{path} does not fit: expected {wants}, found {has}. Give both the same.")


def _same_tokens(path: str, new: Vocabulary | None, old: Vocabulary | None) -> np.ndarray:
    """The ids of each token that both know, the special ones first: a row of the new ones, and a row of the old."""
    if new is None or old is None:
        whose = "the new model" if new is None else path
        raise OptionError((), f"weights are matched token by token, and {whose} has no vocabulary.")
    if new.separator != old.separator:
        wanted, found = ("words" if each.separator else "characters" for each in (new, old))
        raise OptionError((), f"{path} does not fit: expected {wanted}, found {found}.")
    known = set(old.ordinary)
    both = [(*new.encode(token), *old.encode(token)) for token in new.ordinary if token in known]
    special = [(PADDING, PADDING), (new.start, old.start), (new.end, old.end), (new.unknown, old.unknown)]
    return np.array([ids for ids in [*special, *both] if None not in ids]).T


def _copy(old: Any, new: Any, ids: np.ndarray | None = None, axis: int | None = None) -> None:
    """Copy a weight: all of it, or the tokens' places along an axis. The old one may have fewer rows."""
    values, given = np.array(new), np.array(old)
    if ids is None or axis is None:
        values[: len(given)] = given
    elif axis == 0:
        values[ids[0]] = given[ids[1]]
    else:
        values[: len(given), ids[0]] = given[:, ids[1]]
    new.assign(values)


def _copy_stack(old: Stack, new: Stack) -> None:
    for olds, news in zip(old.cells, new.cells, strict=True):
        for one, other in zip(olds, news, strict=True):
            for weight, into in zip(one.weights, other.weights, strict=True):
                _copy(weight, into)


def _note(path: str, vocabulary: Vocabulary, ids: np.ndarray) -> str:
    every = vocabulary.encode(vocabulary.join(vocabulary.ordinary))
    known = np.isin(every, ids[0]).sum()
    others = f"; {len(every) - known:,} that it does not know begin at random" if known < len(every) else ""
    return f"{known:,} of {len(every):,} tokens begin as {path} has them{others}"
