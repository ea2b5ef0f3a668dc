"""Loading: files that are broken, foreign or malicious are refused in one line."""

import json
import re
import zipfile

import keras
import pytest
from cases import SOURCE, TARGET, close, small

from seq2seq_zoo import Seq2Seq, load
from seq2seq_zoo.cli.models import load_model
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.models.loading import ModelFileError

LETTERS = Vocabulary(["<pad>", "<start>", "<end>", "<unk>", *"abcde"], separator="")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model's file, and the model."""
    path, model = tmp_path_factory.mktemp("models") / "model.keras", small("attention")
    model.source_vocabulary = model.target_vocabulary = LETTERS
    model.save(path)
    return path, model


def refused(path):
    with pytest.raises(ModelFileError) as error:
        load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ").removeprefix("the model cannot be loaded: ")


def rewritten(saved, path, change):
    """The file with its configuration changed."""
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config["config"])
                content = json.dumps(config)
            target.writestr(name, content)
    return path


def test_a_loaded_model_gives_the_same_results(saved):
    path, model = saved
    loaded = load(path)
    assert loaded.vocabularies == (LETTERS, LETTERS)
    assert loaded.generate(["abc", ""]) == model.generate(["abc", ""])
    close(loaded.score(["ab"], ["ba"])[0].log_prob, model.score(["ab"], ["ba"])[0].log_prob)


def test_a_functional_model_is_loaded_and_refused_by_the_commands(tmp_path):
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    inner = keras.Model([source, target], small("peek")((source, target)))
    model = keras.Model(
        [source, target], keras.layers.Activation("softmax")(inner([source, target]))
    )  # one model within another
    path = tmp_path / "functional.keras"
    model.save(path)
    close(load(path)([SOURCE, TARGET]), model([SOURCE, TARGET]))
    message = f"{path}: the commands use a Seq2Seq, an Ensemble or an EncoderOnly, found a Functional: use it"
    with pytest.raises(ModelFileError, match=re.escape(message)):
        load_model(path)


def test_broken_files_are_refused(saved, tmp_path):
    path, content = tmp_path / "broken.keras", saved[0].read_bytes()
    assert refused(path) == "no such file: expected a model (.keras) or a run directory with one."
    for broken in (b"", b"hello", content[: len(content) // 2]):
        path.write_bytes(broken)
        assert refused(path) == "not a model: expected a .keras file."
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(2000) + content[middle + 2000 :])
    assert refused(path).startswith("Bad CRC-32")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    assert refused(path) == (
        "expected a model with layers of this package, such as a Seq2Seq, found a Sequential without. Load it with "
        "keras.models.load_model."
    )


def test_files_of_other_versions_are_refused(saved, tmp_path):
    def message(change):
        return refused(rewritten(saved[0], tmp_path / "other.keras", change))

    assert message(lambda config: config["decoder"]["config"].update(shade=3)) == (
        "AttentionDecoder: `shade` is not an option."
    )
    assert message(lambda config: config["decoder"]["config"].pop("units")).startswith(
        "AttentionDecoder: `units` is missing"
    )
    future = {"registered_name": "seq2seq_zoo>FutureDecoder", "class_name": "FutureDecoder"}
    assert message(lambda config: config["decoder"].update(future)) == "Could not locate class 'FutureDecoder'."
    assert message(lambda config: config["target_vocabulary"]["tokens"].append("f")) == (
        "The target vocabulary does not fit Tokens: vocabulary_size is 10 in the vocabulary and 9 in the layer."
    )


def test_files_that_would_run_code_are_refused(saved, tmp_path):
    touch = {"module": "os", "class_name": "system", "config": {"command": f"touch {tmp_path}/done"}}
    function = {"class_name": "__lambda__", "config": {"code": "4wE=", "defaults": None, "closure": None}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "code", "function": function}}
    for harmful, words in ((touch, "Could not locate class 'system'."), (layer, "Requested the deserialization of a")):
        for part in ("encoder", "decoder"):
            entry = {**harmful, "registered_name": None}
            path = rewritten(
                saved[0], tmp_path / "code.keras", lambda config, part=part, e=entry: config.update({part: e})
            )
            assert refused(path).startswith(words)
    assert not (tmp_path / "done").exists()


def test_a_vocabulary_that_does_not_fit_is_refused():
    model = small("peek")
    short = Vocabulary(LETTERS.tokens[:-1], separator="")
    other = Vocabulary(LETTERS.tokens, separator="", end=3, unknown=2)
    for vocabularies, message in (
        ((short, LETTERS), "source vocabulary does not fit Encoder: vocabulary_size is 8 in the vocabulary and 9"),
        ((LETTERS, short), "target vocabulary does not fit Tokens: vocabulary_size is 8 in the vocabulary and 9"),
        ((LETTERS, other), "target vocabulary does not fit Tokens: end is 3 in the vocabulary and 2"),
    ):
        with pytest.raises(ValueError, match=message):
            Seq2Seq(model.encoder, model.decoder, *vocabularies)
