import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml

from seq2seq_zoo import EncoderOnly, Ensemble, Seq2Seq, Tokens, load
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.config.schema import ConfigError
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.run import Run, RunError, read_data
from seq2seq_zoo.layers.cells import cells
from seq2seq_zoo.layers.encoder import Encoder, NoEncoder
from seq2seq_zoo.models.pretrained import Pretrained

OLD = Vocabulary.build(["a b c d"], " ")
# Other ids for the shared tokens and for the special ones.
NEW = Vocabulary(["<pad>", "<end>", "x", "<unk>", "d", "<start>", "b", "a"], " ", start=5, end=1, unknown=3)
LABELS = Vocabulary.build(["no yes"], " ")
SHARED = [(0, 0), (1, 2), (3, 3), (4, 7), (5, 1), (6, 5), (7, 4)]  # new id, old id


def encoder(vocabulary, **options):
    return Encoder(**{"units": 5, "vocabulary_size": len(vocabulary), "unknown": vocabulary.unknown, **options})


def decoder(vocabulary, mode="feedback", tied=False, feedback="token", **options):
    readout = Tokens(len(vocabulary), start=vocabulary.start, end=vocabulary.end, tied=tied, feedback=feedback)
    return modes[mode](**{"units": 5, "readout": readout, **options})


def built(model):
    """The model, built, with random weights and biases."""
    model.build((None, None))
    random = np.random.default_rng(len(model.weights))
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def autoencoder(vocabulary=OLD, of_encoder: Mapping = {}, **of_decoder):
    parts = encoder(vocabulary, **of_encoder), decoder(vocabulary, **of_decoder)
    return built(Seq2Seq(*parts, vocabulary, vocabulary))


def language_model(vocabulary=OLD, **options):
    return built(Seq2Seq(NoEncoder(), decoder(vocabulary, **options), Vocabulary.build([], " "), vocabulary))


def encoder_only(vocabulary=NEW, **options):
    return built(EncoderOnly(encoder(vocabulary, **options), Tokens(len(LABELS)), True, vocabulary, LABELS))


@pytest.fixture
def saved(tmp_path):
    def saved(model):
        path = str(tmp_path / "model.keras")
        model.save(path)
        return path

    return saved


def weights(layer):
    return {weight.path: np.array(weight) for weight in layer.weights}


def assert_vectors(new, old, before):
    """The vectors of shared tokens are the old ones, and the others are unchanged."""
    for id in range(len(NEW)):
        known = dict(SHARED).get(id)
        np.testing.assert_array_equal(new[id], before[id] if known is None else old[known])


@pytest.mark.parametrize("cell", cells)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_copied_encoder_gives_the_same_outputs(saved, cell, bidirectional):
    options = {"cell": cell, "depth": 2, "bidirectional": bidirectional}
    old, new = autoencoder(of_encoder=options), encoder_only(**options)
    before, readout = np.array(new.encoder.embedding.embeddings), weights(new.readout)
    notes = Pretrained(encoder=saved(old)).into(new)
    assert [re.sub(r"from [^;]+", "from FILE", note) for note in notes] == [
        "encoder: 3 of 4 tokens take their vectors from FILE; those of the others are random"
    ]
    assert_vectors(np.array(new.encoder.embedding.embeddings), np.array(old.encoder.embedding.embeddings), before)
    here, there = (
        each.encoder(np.array([vocabulary.encode("a b d e a")])) for each, vocabulary in ((new, NEW), (old, OLD))
    )
    np.testing.assert_allclose(here.sequence, there.sequence, rtol=1e-6)
    np.testing.assert_allclose(here.summary, there.summary, rtol=1e-6)
    for path, weight in weights(new.readout).items():
        np.testing.assert_array_equal(weight, readout[path])


@pytest.mark.parametrize("cell", cells)
def test_a_language_models_decoder_can_be_copied_into_an_encoder(saved, cell):
    old, new = language_model(cell=cell, bridge="zero"), encoder_only(cell=cell)
    before = np.array(new.encoder.embedding.embeddings)
    Pretrained(encoder=saved(old)).into(new)
    assert_vectors(np.array(new.encoder.embedding.embeddings), np.array(old.readout.embedding), before)
    text = "a b d"
    # With the language model's readout, the encoder predicts the next tokens like the language model without a start.
    read = np.array(old.readout.read(new.encoder(np.array([NEW.encode(text)])).sequence))
    memory, states = old.decoder.initialize(old.encoder(np.zeros((1, 1))))
    for step, id in enumerate(OLD.encode(text)):
        logits, states, _ = old.step(np.array([id]), states, memory)
        np.testing.assert_allclose(read[:, step], logits, rtol=1e-4, atol=1e-5)


def test_encoder_and_decoder_are_copied_but_not_bridge_and_attention(saved):
    old, new = autoencoder(mode="attention", tied=True), autoencoder(NEW, mode="attention", tied=True)
    connecting = {
        path: weight for path, weight in weights(new.decoder).items() if re.search("/(bridge|attention)/", path)
    }
    before = np.array(new.readout.embedding)
    path = saved(old)
    assert len(Pretrained(path, path).into(new)) == 2
    assert_vectors(np.array(new.readout.embedding), np.array(old.readout.embedding), before)
    np.testing.assert_array_equal(new.readout.projection, old.readout.projection)
    for one, other in zip(new.decoder.stack.weights, old.decoder.stack.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert connecting
    for name, weight in weights(new.decoder).items():
        if name in connecting:
            np.testing.assert_array_equal(weight, connecting[name])
    third = encoder_only(OLD)
    Pretrained(saved(third)).into(new)
    np.testing.assert_array_equal(new.encoder.stack.weights[0], third.encoder.stack.weights[0])


@pytest.mark.parametrize("mode", ["feedback", "peek", "attention"])
def test_a_language_model_copied_into_a_decoder_gives_the_same_logits_without_a_source(saved, mode):
    old, new = language_model(bridge="zero"), autoencoder(NEW, mode=mode, bridge="zero")
    before = weights(new.decoder)
    Pretrained(decoder=saved(old)).into(new)
    cell, kernel = new.decoder.stack.cells[0][0].kernel, new.readout.kernel
    for weight in (cell, kernel):
        of_source = np.array(weight)[5:]
        np.testing.assert_array_equal(of_source, before[weight.path][5:])
        weight.assign(np.concatenate([np.array(weight)[:5], np.zeros_like(of_source)]))
    targets = "b a d"
    new_ids, old_ids = (np.array([[*vocabulary.encode(targets), vocabulary.end]]) for vocabulary in (NEW, OLD))
    here = np.array(new((np.array([[4, 6]]), new_ids)))
    there = np.array(old((np.zeros((1, 1)), old_ids)))
    ids = np.array(SHARED).T
    np.testing.assert_allclose(here[..., ids[0]], there[..., ids[1]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{"mode": "basic"}, {"mode": "peek", "feedback": "features"}], ids=str)
def test_a_decoder_without_token_feedback_can_be_copied_into_one_of_its_mode(saved, options):
    old, new = autoencoder(**options, bridge="copy"), autoencoder(NEW, **options, bridge="copy")
    path = saved(old)
    Pretrained(path, path).into(new)
    here, there = (
        np.array(each(np.array([vocabulary.encode("a b d")]))) for each, vocabulary in ((new, NEW), (old, OLD))
    )
    ids = np.array(SHARED).T
    np.testing.assert_allclose(here[:, :3, ids[0]], there[:, :3, ids[1]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("message", "old", "new", "part"),
    [
        ("expected embedding_dim 7, units 7, found embedding_dim 5", autoencoder, (encoder_only, {"units": 7}), 0),
        ("expected cell gru, found cell lstm", autoencoder, (encoder_only, {"cell": "gru"}), 0),
        (
            "expected embedding_dim 4, depth 2, found embedding_dim 5, depth 1. Make them equal.",
            autoencoder,
            (encoder_only, {"embedding_dim": 4, "depth": 2}),
            0,
        ),
        (
            "`encoder`: P does not fit: expected bidirectional True, found bidirectional False.",
            language_model,
            (encoder_only, {"bidirectional": True}),
            0,
        ),
        ("`encoder`: P does not fit: expected characters, found words.", autoencoder, ("characters", {}), 0),
        ("`encoder`: the new model is a language model, which has none", autoencoder, (language_model, {}), 0),
        ("`decoder`: the new model has none.", autoencoder, (encoder_only, {}), 1),
        ("`decoder`: P has none.", encoder_only, (autoencoder, {}), 1),
        ("expected mode peek, found mode attention.", "attention", (autoencoder, {"mode": "peek"}), 1),
        ("expected tied True, found tied False", autoencoder, (autoencoder, {"tied": True}), 1),
        ("expected feedback features, found feedback token", autoencoder, (autoencoder, {"feedback": "features"}), 1),
        ("expected inputs 15, features 15, found inputs 10, features 10.", "attention", ("both ways", {}), 1),
        ("expected embedding_dim None, mode basic", language_model, (autoencoder, {"mode": "basic"}), 1),
        ("P: expected one model, found an ensemble.", "ensemble", (encoder_only, {}), 0),
        ("weights are matched by token, but P has no vocabulary.", "bare", (encoder_only, {}), 0),
    ],
)  # fmt: skip
def test_models_that_do_not_fit_are_refused_in_one_line(saved, message, old, new, part):
    kinds = {
        "attention": lambda: autoencoder(mode="attention"),
        "both ways": lambda: autoencoder(mode="attention", of_encoder={"bidirectional": True}),
        "bare": lambda: built(Seq2Seq(encoder(OLD), decoder(OLD))),
        "characters": lambda: encoder_only(Vocabulary.build(["abcd"], "")),
        "ensemble": lambda: built(Ensemble([autoencoder(), autoencoder()])),
    }
    path = saved(kinds.get(old, old)())
    model = kinds.get(new[0], new[0])(**new[1])
    before = weights(model)
    with pytest.raises(
        ValueError, match=re.escape(message.replace("P ", f"{path} ").replace("P:", f"{path}:"))
    ) as error:
        Pretrained(*(path if place == part else None for place in (0, 1))).into(model)
    assert "\n" not in str(error.value)
    for name, weight in weights(model).items():
        np.testing.assert_array_equal(weight, before[name])


# === All weights, with vocabularies that grow ===


GROWN = OLD.grown(["e", "a", "f"])
SENTENCE = np.array([OLD.encode("a b d c")])


def assert_means(new, old, axis):
    """A grown weight has the entries of the old one, and then the mean of its ordinary tokens'."""
    new, old = (np.moveaxis(np.array(each), axis, 0) for each in (new, old))
    np.testing.assert_array_equal(new[: len(OLD)], old)
    for entry in new[len(OLD) :]:
        np.testing.assert_allclose(entry, old[4:].mean(axis=0), rtol=1e-5, atol=1e-6)
    assert len(new) == len(GROWN) == len(OLD) + 2


# Only a mode that reads its own output has an embedding to tie the readout to.
@pytest.mark.parametrize(
    ("mode", "tied"), [(mode, tied) for mode in modes for tied in (False, True) if modes[mode].feeds_back or not tied]
)
def test_training_goes_on_from_a_whole_model(saved, mode, tied):
    old = autoencoder(mode=mode, tied=tied, of_encoder={"dropout": 0.5})
    pretrained = Pretrained(model=saved(old))
    same, grown = (autoencoder(vocabulary, mode=mode, tied=tied) for vocabulary in (OLD, GROWN))
    assert pretrained.vocabularies(OLD, Vocabulary.build(["f e a"], " ")) == (OLD, OLD.grown(["e", "f"]))
    assert pretrained.into(same) == [f"model: training goes on from {pretrained.model}"]
    (line,) = pretrained.into(grown)
    assert line.endswith("; the vectors of 2 new source tokens and 2 new target tokens start at the mean of the others")
    np.testing.assert_array_equal(same(SENTENCE), old(SENTENCE))
    forced = SENTENCE, SENTENCE
    np.testing.assert_allclose(np.array(grown(forced))[..., : len(OLD)], old(forced), rtol=1e-4, atol=1e-5)
    assert_means(grown.encoder.embedding.embeddings, old.encoder.embedding.embeddings, 0)
    assert_means(grown.readout.bias, old.readout.bias, 0)
    for name, axis in (("embedding", 0), ("kernel", 1)):
        if getattr(old.readout, name) is not None:
            assert_means(getattr(grown.readout, name), getattr(old.readout, name), axis)


def test_training_goes_on_from_a_model_without_a_decoder_or_without_a_source(saved):
    old, new = (built(EncoderOnly(encoder(each), Tokens(len(LABELS)), False, each, LABELS)) for each in (OLD, GROWN))
    Pretrained(model=saved(old)).into(new)
    np.testing.assert_array_equal(new(SENTENCE), old(SENTENCE))
    old, new = language_model(), language_model(GROWN)
    Pretrained(model=saved(old)).into(new)
    assert_means(new.readout.kernel, old.readout.kernel, 1)


@pytest.mark.parametrize(
    ("message", "old", "new"),
    [
        (
            "P does not fit the configuration: encoder.units is 7 and was 5, decoder.tied is true and was false. Take "
            "those of the model: --set encoder.units=5 --set decoder.tied=false",
            autoencoder,
            lambda: autoencoder(of_encoder={"units": 7}, tied=True),
        ),
        (
            "decoder.mode is peek and was attention. Take those of the model: --set decoder.mode=attention",
            lambda: autoencoder(mode="attention"),
            lambda: autoencoder(mode="peek"),
        ),
        (
            "encoder.cell is gru and was lstm, encoder.embedding_dim is 3 and was 5. Take",
            lambda: autoencoder(of_encoder={"cell": {"name": "lstm", "kernel_initializer": "zeros"}}),
            lambda: autoencoder(of_encoder={"cell": "gru", "embedding_dim": 3}),
        ),
        ("P does not fit the task: expected a model of class Seq2Seq, found EncoderOnly.", encoder_only, autoencoder),
        ("P has other tokens or ids: only a run of `train` makes the vocabularies grow.", autoencoder, "other tokens"),
        ("P: expected one model, found an ensemble.", "ensemble", autoencoder),
    ],
)
def test_a_whole_model_that_does_not_fit_is_refused_in_one_line(saved, message, old, new):
    kinds = {
        "ensemble": lambda: built(Ensemble([autoencoder(), autoencoder()])),
        "other tokens": lambda: autoencoder(NEW),
    }
    path, model = saved(kinds.get(old, old)()), kinds.get(new, new)()
    with pytest.raises(ValueError, match=re.escape(message.replace("P ", f"{path} ").replace("P:", f"{path}:"))):
        Pretrained(model=path).into(model)


@pytest.mark.parametrize(
    ("message", "old", "source", "target"),
    [
        ("P does not fit: expected characters, found words.", autoencoder, Vocabulary.build(["ab"], ""), OLD),
        ("the task has no sources, the model sources. Change the task.", autoencoder, Vocabulary.build([], " "), OLD),
        (
            "the task has no end token, the model an end token. See task.window.",
            language_model,
            Vocabulary.build([], " "),
            Vocabulary.build(["a"], " ", endless=True),
        ),
        ("P has no vocabularies", lambda: built(Seq2Seq(encoder(OLD), decoder(OLD))), OLD, OLD),
    ],
)
def test_vocabularies_of_another_kind_do_not_grow(saved, message, old, source, target):
    path = saved(old())
    with pytest.raises(ValueError, match=f"^`model`: {re.escape(path)}.*" + re.escape(message.removeprefix("P"))):
        Pretrained(model=path).vocabularies(source, target)
    with pytest.raises(ValueError, match="`model` gives all weights: leave `encoder` and `decoder` out"):
        Pretrained(model=path, encoder=path)


# === In a run ===


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Texts, labels, and an autoencoder trained a little."""
    folder = tmp_path_factory.mktemp("pretrained")
    (folder / "texts").write_text("\n".join(f"{a} {b}" for a in "abcdef" for b in "ghij"))
    (folder / "labels").write_text("\n".join(f"{a} x\t{'yes' if a < 'c' else 'no'}" for a in "abcdef"))
    config = {
        "task": {"name": "autoencode", "train": str(folder / "texts")},
        "encoder": {"units": 4, "word_dropout": 0.2},
        "decoder": {"mode": "feedback", "units": 4, "max_length": 4},
        "training": {"epochs": 1},
    }
    run(folder, config, "old").train()
    return folder


def run(folder, config, name):
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    return Run.start(folder / name, read(folder / f"{name}.yaml", factory.schema))


def of_labels(folder, **changes):
    task = {"name": "labels", "train": str(folder / "labels"), "dev_fraction": 0.2, "vocabulary": str(folder / "texts")}
    config = {"task": task, "encoder": {"units": 4}, "decoder": None, "training": {"epochs": 2, "learning_rate": 0.01}}
    return {**config, "pretrained": {"encoder": str(folder / "old")}, **changes}


def test_a_run_starts_with_pretrained_weights_and_resumes_without_them(folder, tmp_path):
    started = run(folder, of_labels(folder, encoder_only={"linear_gain": True, "joint_weight": 0.1}), "new")
    assert started.notes == [
        f"encoder: 10 of 11 tokens take their vectors from {folder / 'old'}; those of the others are random"
    ]
    first = started.model.encoder.stack.get_weights()
    started.train()
    assert (folder / "new" / "predictions.tsv").read_text().startswith("source\ttarget\toutput\n")
    shutil.copytree(folder / "new", tmp_path / "new")
    config = yaml.safe_load((tmp_path / "new" / "config.yaml").read_text())
    assert config["encoder_only"] == {"linear_gain": True, "joint_weight": 0.1}
    config["pretrained"]["encoder"] = str(tmp_path / "gone")
    (tmp_path / "new" / "config.yaml").write_text(yaml.safe_dump(config))
    resumed = Run.resume(tmp_path / "new")
    assert resumed.notes == []
    assert (resumed.model.encoder.stack.get_weights()[0] != first[0]).any()


def test_a_run_names_the_options_that_do_not_fit(folder):
    for config, message in {
        "units": (of_labels(folder, encoder={"units": 5}), "expected embedding_dim 5, units 5, found embedding_dim 4"),
        "path": (of_labels(folder, pretrained={"encoder": "gone"}), "gone: no such file: expected a model"),
        "joint": (
            of_labels(folder, encoder={"units": 4, "bidirectional": True}, encoder_only={"joint_weight": 1}),
            "joint_weight=1.0 needs an encoder that reads in one direction",
        ),
        "decoder": (
            {
                "task": {"name": "copy"},
                "encoder": {"units": 4},
                "decoder": {"mode": "peek", "units": 4},
                "encoder_only": {"linear_gain": True},
            },
            "encoder_only.linear_gain: is for a model without a decoder: leave it out.",
        ),
    }.values():
        with pytest.raises(ConfigError, match=re.escape(message)):
            run(folder, config, "refused")


def test_a_run_goes_on_from_another_with_new_tokens_and_resumes_exactly(folder, tmp_path):
    shutil.copytree(folder / "old", tmp_path / "old")
    config = yaml.safe_load((folder / "old.yaml").read_text())
    config["pretrained"] = {"model": str(tmp_path / "old")}
    old = load(folder / "old")
    same = run(tmp_path, config, "same").model
    texts = [f"{a} {b}" for a in "abcdef" for b in "ghij"]
    assert same.generate(texts) == old.generate(texts)
    assert same.score(texts, texts) == old.score(texts, texts)

    (tmp_path / "more").write_text("\n".join(f"{a} {b}" for a in "Aabcde" for b in "Bghi"))
    config["task"]["train"], config["training"] = str(tmp_path / "more"), {"epochs": 2}
    whole = run(tmp_path, config, "whole")
    assert whole.notes[-1].endswith(
        "the vectors of 2 new source tokens and 2 new target tokens start at the mean of the others"
    )
    for vocabulary in (whole.data.source, whole.model.source_vocabulary):
        assert vocabulary.tokens == (*old.source_vocabulary.tokens, "A", "B")
    whole.train()
    base = {"file": str(tmp_path / "old" / "best.keras")}
    base["sha256"] = hashlib.sha256(Path(base["file"]).read_bytes()).hexdigest()
    for file in ("data.json", "metrics.json"):
        assert json.loads((whole.directory / file).read_text())["from"] == base

    # Resumed before its first epoch, the run needs the old model; after it, its own.
    config["training"]["epochs"] = 1
    directory = run(tmp_path, config, "resumed").directory
    assert Run.resume(directory).train()["from"] == base
    shutil.rmtree(tmp_path / "old")
    Run.resume(directory, ["training.epochs=2"]).train()
    assert read_data(directory).source == whole.data.source
    for ours, theirs in zip(load(directory).weights, load(whole.directory).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_model_from_which_a_run_started_must_not_change_before_its_first_epoch(folder, tmp_path):
    shutil.copytree(folder / "old", tmp_path / "old")
    config = yaml.safe_load((folder / "old.yaml").read_text())
    started = run(tmp_path, {**config, "pretrained": {"model": str(tmp_path / "old")}}, "new")
    started.model.save(tmp_path / "old" / "best.keras")
    with pytest.raises(RunError, match=r"new: .*best.keras, the model from which the run started, has changed since"):
        Run.resume(tmp_path / "new")
    (tmp_path / "old" / "best.keras").unlink()
    with pytest.raises(ConfigError, match=r"pretrained.model: .*best.keras: no such file"):
        Run.resume(tmp_path / "new")
