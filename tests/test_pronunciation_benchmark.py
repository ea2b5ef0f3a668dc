"""The parts of benchmarks/pronunciation: g2p_en's network in our layers, error rates, ratios and tables."""

import itertools
import json
import re
import string
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from references.cells import sigmoid

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks" / "pronunciation"
RECENT = ROOT.parent / "shared" / "data" / "cmudict_recent" / "words.txt"
WORK = ROOT / "runs" / "pronunciation"


@pytest.fixture(scope="module")
def scripts():
    """The modules `measure` and `peer`, which are a folder of scripts. They set environment variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM", "OPENBLAS_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP"):
            patch.setenv(f"{name}_THREADS", "1")
        patch.syspath_prepend(FOLDER)
        import measure
        import peer

        yield SimpleNamespace(measure=measure, peer=peer)
        del sys.modules["measure"], sys.modules["peer"]


# === The network of g2p_en ===


class Peer:
    """A network as that of g2p_en, with 5 units and random weights, in plain NumPy."""

    graphemes = ("<pad>", "<unk>", "</s>", *string.ascii_lowercase)
    phonemes = ("<pad>", "<unk>", "<s>", "</s>", "AA1", "B", "K", "T")

    def __init__(self):
        random = np.random.default_rng(152)  # outputs differ, in length too
        shapes = {"enc_emb": (29, 3), "dec_emb": (8, 4), "fc_w": (8, 5), "fc_b": (8,)}
        for side, width in (("enc", 3), ("dec", 4)):
            shapes |= {
                f"{side}_w_ih": (15, width),
                f"{side}_w_hh": (15, 5),
                f"{side}_b_ih": (15,),
                f"{side}_b_hh": (15,),
            }
        for name, shape in shapes.items():
            setattr(self, name, random.normal(size=shape))
        self.fc_b[3] -= 2  # outputs of several sounds

    def step(self, side, x, h):
        weights = {name: getattr(self, f"{side}_{name}") for name in ("w_ih", "w_hh", "b_ih", "b_hh")}
        r, z, n = np.split(weights["w_ih"] @ x + weights["b_ih"], 3)
        hr, hz, hn = np.split(weights["w_hh"] @ h + weights["b_hh"], 3)
        z = sigmoid(z + hz)
        return (1 - z) * np.tanh(n + sigmoid(r + hr) * hn) + z * h

    def predict(self, word):
        h = np.zeros(5)
        for letter in [*word, "</s>"]:
            id = self.graphemes.index(letter) if letter in self.graphemes else 1
            h = self.step("enc", self.enc_emb[id], h)
        ids = [2]
        while len(ids) <= 20:
            h = self.step("dec", self.dec_emb[ids[-1]], h)
            logits = self.fc_w @ h + self.fc_b
            logits[[0, 2]] = -np.inf  # our searches never choose padding or start
            ids.append(int(logits.argmax()))
            if ids[-1] == 3:
                break
        return [self.phonemes[id] for id in ids[1:] if id != 3]


def test_the_converted_network_is_that_of_the_peer(scripts):
    peer, words = Peer(), ["a", "zoo", "it's", "covfefe", "pneumonoultramicroscopic", "b", "cat"]
    assert len({" ".join(peer.predict(word)) for word in words}) > 3
    model = scripts.peer.converted(peer)
    assert scripts.peer.equal_outputs(peer, model, words) == len(words)
    peer.enc_emb[2] += 1  # the end of a word is read
    assert scripts.peer.equal_outputs(peer, model, words) < len(words)


def test_another_network_is_not_measured(scripts, monkeypatch):
    monkeypatch.setattr(scripts.measure, "equal_outputs", lambda peer, model, words: len(words) - 1)
    with pytest.raises(SystemExit, match=r"^Only 499 of 500 outputs of the converted network are those of g2p_en\.$"):
        scripts.measure.converted_and_checked(Peer(), ["zoo"] * 1000)


def test_its_own_code_is_imported_without_what_it_downloads(scripts, tmp_path):
    package = tmp_path / "g2p_en" / "g2p_en"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "g2p.py").write_text(
        "import inflect, nltk\n"
        "from nltk.corpus import cmudict\n"
        "nltk.download('cmudict')\n"
        "class G2p:\n"
        "    words = cmudict.dict()\n"
        "    def predict(self, word):\n"
        "        return [*word.upper()]\n"
    )
    before = {name for name in sys.modules if name.startswith(("nltk", "inflect", "g2p_en"))}
    assert scripts.peer.load_peer(tmp_path).predict("zoo") == ["Z", "O", "O"]
    assert {name for name in sys.modules if name.startswith(("nltk", "inflect", "g2p_en"))} == before


@pytest.mark.skipif(not RECENT.exists(), reason=f"needs {RECENT.relative_to(ROOT.parent)} beside the repository")
@pytest.mark.skipif(not (WORK / "g2p_en").exists(), reason="needs a package that benchmarks/pronunciation downloads")
def test_the_known_error_rates_of_the_peer(scripts):
    model = scripts.peer.converted(scripts.peer.load_peer(WORK))
    scores, _ = scripts.measure.score(model, scripts.measure.recent_answers(RECENT))
    assert round(100 * scores["wer"], 1) == 74.5
    assert round(100 * scores["wer_without_stress"], 1) == 65.8


# === Scores ===


class Answering:
    """A model with given outputs."""

    vocabularies = (SimpleNamespace(ordinary=()), None)

    def __init__(self, **outputs):
        self.outputs = outputs

    def generate(self, sources):
        return [self.outputs[source] for source in sources]

    def count_params(self):
        return 1234


ANSWERS = [("a", ["AH0", "EY1"]), ("bee", ["B IY1"]), ("tomato", ["T AH0 M EY1 T OW2", "T AH0 M AA1 T OW2"])]


def test_each_pronunciation_is_right_and_the_nearest_one_counts(scripts):
    model = Answering(a="EY1", bee="B IY0", tomato="T AH0 M AA1 T")
    scores, wrong = scripts.measure.score(model, ANSWERS)
    assert scores["wer"] == pytest.approx(2 / 3)
    assert scores["per"] == pytest.approx(2 / 9)
    assert scores["wer_without_stress"] == pytest.approx(1 / 3)
    assert scores["per_without_stress"] == pytest.approx(1 / 9)
    assert wrong.tolist() == [False, False, True]


def test_a_ratio_is_of_means_over_seeds_and_paired_by_word(scripts):
    random = np.random.default_rng(0)
    theirs = random.random(2_000) < 0.6
    ours = theirs & (random.random(2_000) < 0.5)
    found = scripts.measure.ratio([ours, ours], [theirs])
    assert found["ratio"] == pytest.approx(ours.mean() / theirs.mean())
    assert found["low"] < found["ratio"] < found["high"]
    assert found["high"] - found["low"] < 0.1
    assert scripts.measure.ratio([theirs], [theirs]) == {"ratio": 1, "low": 1, "high": 1}


def test_the_first_model_is_compared_with_all_others_and_the_peer_on_new_words_only(scripts, monkeypatch):
    right, wrong = Answering(bee="B IY1"), Answering(bee="B IY2 Z")
    models = {"one": right, "two": wrong, "three": wrong}
    monkeypatch.setattr(scripts.measure, "load", lambda path, compile: models[path])
    monkeypatch.setattr(scripts.measure, "config_of", lambda path: {"seed": path})
    splits = {"test": [("bee", ["B IY1"])], "recent": [("bee", ["B IY1"])]}
    record = scripts.measure.score_all({"ours": ["one", "two"], "other": ["three"]}, wrong, splits)
    assert record["words"] == {"test": 1, "recent": 1}
    assert [[*row["scores"]] for row in record["models"]] == [["test", "recent"]] * 3 + [["recent"]]
    ratios = [(each["split"], each["of"], each["to"], each["without_stress"]["ratio"]) for each in record["ratios"]]
    assert ratios == [
        ("test", "ours", "other", 0.5),
        ("recent", "ours", "other", 0.5),
        ("recent", "ours", "g2p_en", 0.5),
    ]
    assert scripts.measure.score_all({}, right, splits)["ratios"] == []
    tables = "\n".join(scripts.measure.score_tables({"score": record}))
    assert (
        "| ours | 2 | 1,234 | 50.0 <sub>0.0–100.0</sub> | 50.0 <sub>0.0–100.0</sub> | 50.0 <sub>0.0–100.0</sub> |"
        in tables
    )
    assert "| g2p_en | 1 | 1,234 | 100.0 | 100.0 | 100.0 |" in tables
    assert "| ours to g2p_en, words that entered CMUdict after January 2015 | 0.50 | 0.50 to 0.50 |" in tables


def test_a_run_with_other_splits_is_refused(scripts, tmp_path):
    lines = "encoder: {units: 4}\ndecoder: {mode: basic, units: 4}\n"
    (tmp_path / "config.yaml").write_text("task: {name: pronunciation}\n" + lines)
    assert scripts.measure.config_of(str(tmp_path))["task"]["name"] == "pronunciation"
    for task in ("{name: pronunciation, seed: 1}", "{name: pronunciation, recent: true}", "{name: copy}"):
        (tmp_path / "config.yaml").write_text(f"task: {task}\n" + lines)
        with pytest.raises(SystemExit, match="expected a model of the task pronunciation with its default splits"):
            scripts.measure.config_of(str(tmp_path))
    assert scripts.measure.config_of(str(tmp_path / "model.keras")) is None


@pytest.mark.skipif(not RECENT.exists(), reason=f"needs {RECENT.relative_to(ROOT.parent)} beside the repository")
def test_the_words_of_the_last_test_are_in_no_split(scripts):
    from seq2seq_zoo.tasks.pronunciation import Pronunciation

    answers = scripts.measure.recent_answers(RECENT)
    assert len(answers) == 1_572
    known = {word for pairs in Pronunciation().load().splits.values() for word, _ in pairs}
    assert not known & {word for word, _ in answers}


# === Speed ===


def test_ratios_of_speed_are_those_of_each_round(scripts):
    rows = [
        {"name": "g2p_en", "runs_as": "its own code", "at_once": 1, "differ": None, "words_per_second": [100, 50, 100]},
        {"name": "ours", "runs_as": "keras", "at_once": 64, "differ": 0, "words_per_second": [400, 100, 1000]},
    ]
    *_, theirs, ours, _ = scripts.measure.speed_table({"speed": {"words": 1024, "rows": rows}})
    assert theirs == "| g2p_en | its own code | 1 | 100 | 1.0 <sub>1.0–1.0</sub> |  |"
    assert ours == "| ours | keras | 64 | 400 | 4.0 <sub>2.0–10.0</sub> | 0 |"


def test_every_contestant_is_measured_in_every_round(scripts, monkeypatch):
    from seq2seq_zoo import Encoder, FeedbackDecoder, Seq2Seq, Tokens
    from seq2seq_zoo.data.vocabulary import Vocabulary

    letters, sounds = Vocabulary.build([string.ascii_lowercase], ""), Vocabulary.build(["B IY1"], " ")
    encoder = Encoder(4, vocabulary_size=len(letters))
    model = Seq2Seq(encoder, FeedbackDecoder(4, readout=Tokens(len(sounds)), max_length=4), letters, sounds)
    model.build((None, None))
    monkeypatch.setattr(scripts.measure, "EXPORTS", [("litert", None)])  # each takes some seconds
    clock = itertools.count(step=2)  # every measurement takes two seconds
    monkeypatch.setattr(scripts.measure, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    rows = scripts.measure.speed({"tiny": model}, Peer(), ["bee", "zoo", "a"], rounds=2)["rows"]
    assert [(row["runs_as"], row["at_once"], row["differ"]) for row in rows] == [
        ("its own code", 1, None),
        ("keras", 64, 0),
        ("litert float32", 64, 0),
        ("keras", 1, 0),
        ("litert float32", 1, 0),
    ]
    assert all(row["words_per_second"] == [1.5, 1.5] for row in rows)


def test_one_at_once_is_a_call_for_each_word(scripts):
    calls = []

    def predictions(words, batch_size):
        calls.append((words, batch_size))
        return [SimpleNamespace(text=word.upper()) for word in words]

    model = SimpleNamespace(predictions=predictions)
    assert (
        scripts.measure.outputs(model, ["a", "zoo"], 64)
        == scripts.measure.outputs(model, ["a", "zoo"], 1)
        == ["A", "ZOO"]
    )
    assert calls == [(["a", "zoo"], 64), (["a"], 1), (["zoo"], 1)]


def test_the_recorded_tables_are_those_of_the_records(scripts):
    folder = ROOT / "benchmarks" / "results" / "pronunciation"
    records = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    tables = "\n".join([*scripts.measure.score_tables(records), *scripts.measure.speed_table(records)])
    assert (folder / "tables.md").read_text("utf-8") == tables
    assert not any(re.search(r'[\s"](/\w+){2}', path.read_text("utf-8")) for path in folder.glob("*.json"))
