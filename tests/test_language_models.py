"""Models that read nothing but their own output: over lines, and over a stream with its state carried on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import close, randomise

from seq2seq_zoo import Ensemble, FeedbackDecoder, NoEncoder, Seq2Seq, Tokens, average
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.models import seq2seq as model
from seq2seq_zoo.models.stateful import Stream
from seq2seq_zoo.models.text_model import TextError
from seq2seq_zoo.tasks.task import Data
from seq2seq_zoo.training import Training, evaluation, training

LETTERS = Vocabulary.build(["abcd\n"], "", endless=True)
ENDING = Vocabulary.build(["abcd\n"], "")
NOTHING = Vocabulary.build([], "")
TEXT = np.random.default_rng(0).integers(3, len(LETTERS), (3, 12)).astype("int32")
GO_ON, BEGIN = np.ones((3, 1), "bool"), np.zeros((3, 1), "bool")
BODIES = [{"cell": "gru", "bridge": "zero"}, {"depth": 2, "residual": True}, {"depth": 2, "shared_state": True}]


def small(seed=1, vocabulary=LETTERS, **options):
    """A language model of 5 units, every weight at random."""
    readout = Tokens(len(vocabulary), end=vocabulary.end)
    decoder = FeedbackDecoder(5, readout=readout, **{"max_length": 9, **options})
    made = Seq2Seq(NoEncoder(), decoder, NOTHING, vocabulary)
    made.build((None, None))
    randomise(made, seed)
    bias = made.decoder.readout.bias  # no output has a token that no text can have
    bias.assign(np.where(np.arange(len(vocabulary)) == vocabulary.unknown, -99, bias))
    return made


def texts_of(ids):
    return [LETTERS.decode(row) for row in ids]


# === The state that is carried on ===


@pytest.mark.parametrize("body", BODIES, ids=str)
@pytest.mark.parametrize("length", [1, 4, 12])
def test_windows_one_after_another_are_one_long_pass(body, length):
    made = small(**body)
    stream = Stream(made, batch=3)
    windows = [TEXT[:, start : start + length] for start in range(0, 12, length)]
    logits = [stream((GO_ON if place else BEGIN, window)) for place, window in enumerate(windows)]
    close(np.concatenate(logits, axis=1), made((BEGIN, TEXT)))


def test_what_begins_anew_forgets_and_no_text_knows_another():
    stream, other = Stream(small(), batch=3), np.roll(TEXT, 1, axis=1)
    first, second = TEXT[:, :4], TEXT[:, 4:8]

    def after(text, goes_on):
        stream((BEGIN, text))
        return np.asarray(stream((np.array(goes_on)[:, None], second)))

    on, anew = after(first, [True] * 3), after(first, [False] * 3)
    close(anew, stream.model((BEGIN, second)))
    assert np.abs(on - anew).max(axis=(1, 2)).min() > 1e-3
    # One text begins anew, and the others do not notice.
    close(after(first, [True, False, True]), np.where([[[True]], [[False]], [[True]]], on, anew))
    # One text had another past.
    past = np.where([[True], [False], [False]], other[:, :4], first)
    changed = np.abs(after(past, [True] * 3) - on).max(axis=(1, 2))
    assert changed[0] > 1e-3
    assert changed[1:].max() < 1e-6


@pytest.mark.parametrize("body", BODIES[:2], ids=str)
def test_no_gradient_goes_back_into_the_window_before(body):
    made = small(**body)
    stream, first, second = Stream(made, batch=3), TEXT[:, :4], TEXT[:, 4:8]
    loss = made.readout.loss()

    def gradients(run):
        with tf.GradientTape() as tape:
            value = run()
        weights = [weight.value for weight in made.trainable_weights]
        found = tape.gradient(value, weights, unconnected_gradients="zero")
        return [tf.convert_to_tensor(gradient).numpy() for gradient in found]

    stream((BEGIN, first))
    kept = [np.asarray(state) for state in stream.states]
    here = gradients(lambda: loss(second, stream((GO_ON, second))))

    def told():
        """The same window after states that are numbers."""
        memory, states = made.decoder.initialize(made.encoder(BEGIN))
        states = keras.tree.pack_sequence_as(states, [tf.constant(state) for state in kept])
        return loss(second, made.decoder.continue_sequence(second, tf.constant(first[:, -1]), states, memory)[0])

    for gradient, expected in zip(here, gradients(told), strict=True):
        close(gradient, expected)
    long = gradients(lambda: loss(second, made((BEGIN, TEXT[:, :8]))[:, 4:]))
    assert max(np.abs(a - b).max() for a, b in zip(here, long, strict=True)) > 1e-3


# === Training ===


def stream_of(text, window, dev=None):
    vocabulary = Vocabulary.build([text], "", endless=True)
    splits = {"train": [("", text)], "dev": [("", dev or text)], "test": [("", dev or text)]}
    return Data(splits, NOTHING, vocabulary, window=window)


@pytest.mark.parametrize("steps_per_epoch", [None, 2, 7])
def test_windows_come_in_their_order_and_the_state_begins_anew_with_the_text_and_with_an_epoch(steps_per_epoch):
    data = stream_of("abcdefghijklmnopqrstuvw", window=4)  # two parts of 12 and 11: three windows
    feed = training._StreamWindows(Training(batch_size=2, steps_per_epoch=steps_per_epoch), data, epoch=0)
    assert len(feed) == (steps_per_epoch or 3)
    place = 0
    for _ in range(4):
        for index in range(len(feed)):
            (goes_on, told), targets = feed[index]
            assert told is targets
            assert goes_on.tolist() == [[index > 0 and place % 3 > 0]] * 2
            texts = [data.target.decode(row) for row in targets]
            assert texts == [["abcd", "mnop"], ["efgh", "qrst"], ["ijkl", "uvw"]][place % 3]
            place += 1
        feed.on_epoch_end()


def echo(count, seed):
    """Letters by chance, each said again two places on: what is told across windows of three."""
    letters = np.random.default_rng(seed).choice(list("abcd"), count)
    return "".join(f"{letter}-{letter}." for letter in letters)


@pytest.fixture(scope="module")
def echoing():
    """A model trained on a stream in windows shorter than what there is to remember."""
    keras.utils.set_random_seed(1)
    data = stream_of(echo(1200, 1), window=3, dev=echo(100, 2))
    decoder = FeedbackDecoder(16, cell="gru", readout=Tokens(len(data.target), end=None), max_length=50)
    made = Seq2Seq(NoEncoder(), decoder, NOTHING, data.target)
    made.build((None, None))
    history = Training(epochs=3, batch_size=16, learning_rate=0.02).fit(made, data, seed=1)
    return made, data, history


def test_what_is_carried_on_is_used(echoing):
    """One token in four is left to chance. A model that is told one window alone cannot know more of them."""
    made, data, history = echoing
    assert history[-1]["perplexity"] < 1.1 * 4**0.25
    assert history[-1]["next_token_accuracy"] > 0.78
    text = data.splits["dev"][0][1]
    apart = evaluation.teacher_forced_metrics(made, [("", text[start : start + 3]) for start in range(0, len(text), 3)])
    assert apart["perplexity"] > 1.2 * history[-1]["perplexity"]


def test_a_stream_is_measured_as_one_long_text(echoing, monkeypatch):
    made, data, history = echoing
    text = data.splits["dev"][0][1]
    (score,) = made.score([""], [text])
    assert len(score.token_log_probs) == len(text)
    measured, outputs = evaluation.evaluate_split(made, data, "dev")
    assert outputs == []
    assert measured == {
        "perplexity": pytest.approx(score.perplexity),
        "next_token_accuracy": pytest.approx(np.mean(score.most_likely)),
        "tokens": len(text),
    }
    assert {name: history[-1][name] for name in ("perplexity", "next_token_accuracy")} == pytest.approx(
        {name: measured[name] for name in ("perplexity", "next_token_accuracy")}, rel=1e-4
    )
    monkeypatch.setattr(model, "WINDOW", 100)  # read in pieces, with the state carried on
    (pieces,) = made.score([""], [text])
    close(pieces.token_log_probs, score.token_log_probs)
    assert pieces.most_likely == score.likeliest


def test_a_model_trained_on_a_stream_keeps_nothing_of_it_and_never_ends(echoing, tmp_path):
    made, _, _ = echoing
    fresh = Seq2Seq.from_config(made.get_config())
    fresh.build((None, None))
    assert [weight.shape for weight in made.weights] == [weight.shape for weight in fresh.weights]
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    search = {"name": "sample", "n_best": 4}
    for (answer,) in (made.predictions(["a-"], search), loaded.predictions(["a-"], search)):
        for hypothesis in answer.hypotheses:
            assert hypothesis.text.startswith("a-a.")
            assert len(hypothesis.tokens) == 50
            assert not hypothesis.ended
    assert made.generate(["b-"]) == loaded.generate(["b-"])


def test_a_training_that_goes_on_ends_like_one_that_was_not_stopped(tmp_path):
    data = stream_of(echo(30, 3), window=4)

    def fresh():
        keras.utils.set_random_seed(5)
        decoder = FeedbackDecoder(4, readout=Tokens(len(data.target), end=None), dropout=0.2)
        made = Seq2Seq(NoEncoder(), decoder, NOTHING, data.target)
        made.build((None, None))
        return made

    options = {"batch_size": 4, "steps_per_epoch": 5, "learning_rate": 0.02}
    whole = Training(epochs=4, **options).fit(fresh(), data, seed=1)
    stopped = fresh()
    history = Training(epochs=2, **options).fit(stopped, data, seed=1)
    stopped.save(tmp_path / "model.keras")
    history = Training(epochs=4, **options).fit(keras.saving.load_model(tmp_path / "model.keras"), data, 1, history)
    for record, expected in zip(history, whole, strict=True):
        assert {**record, "seconds": 0} == pytest.approx({**expected, "seconds": 0})


# === Told and generated ===


@pytest.mark.parametrize("vocabulary", [LETTERS, ENDING], ids=["endless", "ending"])
def test_metrics_are_of_real_tokens_and_ends(vocabulary):
    made = small(vocabulary=vocabulary)
    texts = ["ab", "dcba", "a"]
    end = [] if vocabulary is LETTERS else [vocabulary.end]
    total, right, count = 0.0, 0, 0
    for text in texts:
        ids = np.array([[*vocabulary.encode(text), *end]])
        logits = np.asarray(made((BEGIN[:1], ids)))[0].astype("float64")
        for t, id in enumerate(ids[0]):
            total += logits[t, id] - np.log(np.exp(logits[t]).sum())
            right += id == 2 + logits[t, 2:].argmax()  # never padding or start
            count += 1
    found = evaluation.teacher_forced_metrics(made, [("", text) for text in texts], batch_size=2)
    assert found == {
        "perplexity": pytest.approx(np.exp(-total / count), rel=1e-4),
        "next_token_accuracy": right / count,
        "tokens": count,
    }
    with pytest.raises(ValueError, match="Expected at least one target token, got none"):
        evaluation.teacher_forced_metrics(made, [])


@pytest.mark.parametrize(
    "search", ["greedy", {"name": "sample", "n_best": 3}, {"name": "beam", "size": 3, "n_best": 3}]
)
@pytest.mark.parametrize("vocabulary", [LETTERS, ENDING], ids=["endless", "ending"])
def test_a_text_given_is_what_outputs_begin_with_and_warms_the_state(search, vocabulary):
    made = small(vocabulary=vocabulary)
    given = ["ab", "", "dc\nda"]
    answers = made.predictions(given, search)
    for text, answer in zip(given, answers, strict=True):
        assert (answer.source, answer.unknown) == (text, [])
        for each in answer.hypotheses:
            assert each.text.startswith(text)
            if vocabulary is LETTERS:
                assert (len(each.token_log_probs), each.ended) == (9, False)
            # What the search told the model is what the forced pass tells it.
            (score,) = made.score([""], [each.text])
            close(each.token_log_probs[: len(each.tokens)], score.token_log_probs[: len(each.tokens)])
    said = made.predictions([""] * 3, search, prefixes=given)
    assert [[each.text for each in answer.hypotheses] for answer in said] == [
        [each.text for each in answer.hypotheses] for answer in answers
    ]


def test_what_cannot_be_begun_with_is_refused():
    made = small()
    with pytest.raises(TextError, match=r"^The prefix has 'x', which the model does not know\."):
        made.generate(["abx"])
    message = r"^A prefix of 10 tokens is longer than an output can be: give the search a max_length of more than 10, "
    with pytest.raises(TextError, match=message + r"in place of 9\.$"):
        made.generate(["abcdabcdab"])
    assert made.generate(["abcdabcda"]) == ["abcdabcda"]
    assert len(made.generate(["abcdabcdab"], {"name": "greedy", "max_length": 12})[0]) == 12


def test_two_language_models_decide_and_average_as_others_do():
    models = [small(seed=seed) for seed in (1, 2)]
    both = Ensemble(models)
    assert not both.reads
    (text,) = both.generate(["ab"])
    assert text.startswith("ab")
    each = [made.score([""], [text])[0].token_log_probs for made in models]
    close(both.score([""], [text])[0].token_log_probs, np.log(np.mean(np.exp(each), axis=0)))
    assert average(models).generate(["ab"])[0].startswith("ab")


def test_texts_of_any_company_are_scored_alike():
    made = small()
    texts = [*texts_of(TEXT), "a", "bcd"]
    together = made.score([""] * 5, texts)
    for text, score in zip(texts, together, strict=True):
        close(made.score([""], [text])[0].token_log_probs, score.token_log_probs)
    assert [len(score.token_log_probs) for score in together] == [12, 12, 12, 1, 3]
