"""Language models, which read their own outputs alone: of lines, and of a stream whose state is carried on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import close, randomise

from seq2seq_zoo import Ensemble, FeedbackDecoder, NoEncoder, Seq2Seq, Tokens, average
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.models import seq2seq as model
from seq2seq_zoo.models.stateful import StatefulLanguageModel
from seq2seq_zoo.models.text_model import TextError
from seq2seq_zoo.tasks.task import Data
from seq2seq_zoo.training import Training, evaluation, training

LETTERS = Vocabulary.build(["abcd\n"], "", endless=True)
ENDING = Vocabulary.build(["abcd\n"], "")
NO_VOCABULARY = Vocabulary.build([], "")
TEXT = np.random.default_rng(0).integers(3, len(LETTERS), (3, 12)).astype("int32")
CONTINUED, INITIAL = np.ones((3, 1), "bool"), np.zeros((3, 1), "bool")
BODIES = [{"cell": "gru", "bridge": "zero"}, {"depth": 2, "residual": True}, {"depth": 2, "shared_state": True}]


def small(seed=1, vocabulary=LETTERS, **options):
    """A language model of 5 units with random weights."""
    readout = Tokens(len(vocabulary), end=vocabulary.end)
    decoder = FeedbackDecoder(5, readout=readout, **{"max_length": 9, **options})
    made = Seq2Seq(NoEncoder(), decoder, NO_VOCABULARY, vocabulary)
    made.build((None, None))
    randomise(made, seed)
    bias = made.decoder.readout.bias  # no output has a token that no text can have
    bias.assign(np.where(np.arange(len(vocabulary)) == vocabulary.unknown, -99, bias))
    return made


def texts_of(ids):
    return [LETTERS.decode(row) for row in ids]


# === The state between windows ===


@pytest.mark.parametrize("body", BODIES, ids=str)
@pytest.mark.parametrize("length", [1, 4, 12])
def test_consecutive_windows_equal_one_long_pass(body, length):
    made = small(**body)
    stream = StatefulLanguageModel(made, batch=3)
    windows = [TEXT[:, start : start + length] for start in range(0, 12, length)]
    logits = [stream((CONTINUED if place else INITIAL, window)) for place, window in enumerate(windows)]
    close(np.concatenate(logits, axis=1), made((INITIAL, TEXT)))


def test_a_text_that_starts_anew_forgets_and_texts_do_not_affect_each_other():
    stream, other = StatefulLanguageModel(small(), batch=3), np.roll(TEXT, 1, axis=1)
    first, second = TEXT[:, :4], TEXT[:, 4:8]

    def after(text, goes_on):
        stream((INITIAL, text))
        return np.asarray(stream((np.array(goes_on)[:, None], second)))

    on, anew = after(first, [True] * 3), after(first, [False] * 3)
    close(anew, stream.model((INITIAL, second)))
    assert np.abs(on - anew).max(axis=(1, 2)).min() > 1e-3
    # One text starts anew, which does not affect the others.
    close(after(first, [True, False, True]), np.where([[[True]], [[False]], [[True]]], on, anew))
    # One text had a different past.
    past = np.where([[True], [False], [False]], other[:, :4], first)
    changed = np.abs(after(past, [True] * 3) - on).max(axis=(1, 2))
    assert changed[0] > 1e-3
    assert changed[1:].max() < 1e-6


@pytest.mark.parametrize("body", BODIES[:2], ids=str)
def test_no_gradient_reaches_the_window_before(body):
    made = small(**body)
    stream, first, second = StatefulLanguageModel(made, batch=3), TEXT[:, :4], TEXT[:, 4:8]
    loss = made.readout.loss()

    def gradients(run):
        with tf.GradientTape() as tape:
            value = run()
        weights = [weight.value for weight in made.trainable_weights]
        found = tape.gradient(value, weights, unconnected_gradients="zero")
        return [tf.convert_to_tensor(gradient).numpy() for gradient in found]

    stream((INITIAL, first))
    kept = [np.asarray(state) for state in stream.states]
    here = gradients(lambda: loss(second, stream((CONTINUED, second))))

    def after_constants():
        """The same window, after states that are constants."""
        memory, states = made.decoder.initialize(made.encoder(INITIAL))
        states = keras.tree.pack_sequence_as(states, [tf.constant(state) for state in kept])
        return loss(second, made.decoder.continue_sequence(second, tf.constant(first[:, -1]), states, memory)[0])

    for gradient, expected in zip(here, gradients(after_constants), strict=True):
        close(gradient, expected)
    long = gradients(lambda: loss(second, made((INITIAL, TEXT[:, :8]))[:, 4:]))
    assert max(np.abs(a - b).max() for a, b in zip(here, long, strict=True)) > 1e-3


# === Training ===


def stream_of(text, window, dev=None):
    vocabulary = Vocabulary.build([text], "", endless=True)
    splits = {"train": [("", text)], "dev": [("", dev or text)], "test": [("", dev or text)]}
    return Data(splits, NO_VOCABULARY, vocabulary, window=window)


@pytest.mark.parametrize("steps_per_epoch", [None, 2, 7])
def test_windows_are_in_order_and_the_state_is_reset_at_the_start_of_the_text_and_of_an_epoch(steps_per_epoch):
    data = stream_of("abcdefghijklmnopqrstuvw", window=4)  # two parts of 12 and 11: three windows
    feed = training._StreamWindows(Training(batch_size=2, steps_per_epoch=steps_per_epoch), data, epoch=0)
    assert len(feed) == (steps_per_epoch or 3)
    place = 0
    for _ in range(4):
        for index in range(len(feed)):
            (goes_on, previous_targets), targets = feed[index]
            assert previous_targets is targets
            assert goes_on.tolist() == [[index > 0 and place % 3 > 0]] * 2
            texts = [data.target.decode(row) for row in targets]
            assert texts == [["abcd", "mnop"], ["efgh", "qrst"], ["ijkl", "uvw"]][place % 3]
            place += 1
        feed.on_epoch_end()


def echo(count, seed):
    """Random letters, each repeated two places later, often in the next window of three."""
    letters = np.random.default_rng(seed).choice(list("abcd"), count)
    return "".join(f"{letter}-{letter}." for letter in letters)


@pytest.fixture(scope="module")
def echoing():
    """A model trained on a stream, in windows that separate letters from their repetitions."""
    keras.utils.set_random_seed(1)
    data = stream_of(echo(1200, 1), window=3, dev=echo(100, 2))
    decoder = FeedbackDecoder(16, cell="gru", readout=Tokens(len(data.target), end=None), max_length=50)
    made = Seq2Seq(NoEncoder(), decoder, NO_VOCABULARY, data.target)
    made.build((None, None))
    history = Training(epochs=3, batch_size=16, learning_rate=0.02).fit(made, data, seed=1)
    return made, data, history


def test_training_learns_from_the_state_of_the_window_before(echoing):
    """One token in four is random. A model that knows its own window alone can predict fewer of the others."""
    made, data, history = echoing
    assert history[-1]["perplexity"] < 1.1 * 4**0.25
    assert history[-1]["next_token_accuracy"] > 0.78
    text = data.splits["dev"][0][1]
    apart = evaluation.teacher_forced_metrics(made, [("", text[start : start + 3]) for start in range(0, len(text), 3)])
    assert apart["perplexity"] > 1.2 * history[-1]["perplexity"]


def test_a_stream_is_evaluated_as_one_long_text(echoing, monkeypatch):
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
    assert pieces.most_likely == score.most_likely


def test_a_model_trained_on_a_stream_stores_no_state_and_never_ends(echoing, tmp_path):
    made, _, _ = echoing
    fresh = Seq2Seq.from_config(made.get_config())
    fresh.build((None, None))
    assert [weight.shape for weight in made.weights] == [weight.shape for weight in fresh.weights]
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    search = {"name": "sample", "n_best": 4}
    for (prediction,) in (made.predictions(["a-"], search), loaded.predictions(["a-"], search)):
        for hypothesis in prediction.hypotheses:
            assert hypothesis.text.startswith("a-a.")
            assert len(hypothesis.tokens) == 50
            assert not hypothesis.ended
    assert made.generate(["b-"]) == loaded.generate(["b-"])


def test_resumed_training_equals_uninterrupted_training(tmp_path):
    data = stream_of(echo(30, 3), window=4)

    def fresh():
        keras.utils.set_random_seed(5)
        decoder = FeedbackDecoder(4, readout=Tokens(len(data.target), end=None), dropout=0.2)
        made = Seq2Seq(NoEncoder(), decoder, NO_VOCABULARY, data.target)
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


# === Metrics and generation ===


@pytest.mark.parametrize("vocabulary", [LETTERS, ENDING], ids=["endless", "ending"])
def test_metrics_count_real_tokens_and_ends(vocabulary):
    made = small(vocabulary=vocabulary)
    texts = ["ab", "dcba", "a"]
    end = [] if vocabulary is LETTERS else [vocabulary.end]
    total, right, count = 0.0, 0, 0
    for text in texts:
        ids = np.array([[*vocabulary.encode(text), *end]])
        logits = np.asarray(made((INITIAL[:1], ids)))[0].astype("float64")
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
def test_outputs_continue_the_given_text_from_its_state(search, vocabulary):
    made = small(vocabulary=vocabulary)
    given = ["ab", "", "dc\nda"]
    predictions = made.predictions(given, search)
    for text, prediction in zip(given, predictions, strict=True):
        assert (prediction.source, prediction.unknown) == (text, [])
        for each in prediction.hypotheses:
            assert each.text.startswith(text)
            if vocabulary is LETTERS:
                assert (len(each.token_log_probs), each.ended) == (9, False)
            # The search gives the model the same previous tokens as teacher forcing.
            (score,) = made.score([""], [each.text])
            close(each.token_log_probs[: len(each.tokens)], score.token_log_probs[: len(each.tokens)])
    prefixed = made.predictions([""] * 3, search, prefixes=given)
    assert [[each.text for each in prediction.hypotheses] for prediction in prefixed] == [
        [each.text for each in prediction.hypotheses] for prediction in predictions
    ]


def test_unknown_and_too_long_prefixes_are_refused():
    made = small()
    with pytest.raises(TextError, match=r"^The prefix contains 'x', which is not in the model's vocabulary\."):
        made.generate(["abx"])
    message = r"^A prefix has 10 tokens, but an output has at most 9: give the search a max_length above 10\.$"
    with pytest.raises(TextError, match=message):
        made.generate(["abcdabcdab"])
    assert made.generate(["abcdabcda"]) == ["abcdabcda"]
    assert len(made.generate(["abcdabcdab"], {"name": "greedy", "max_length": 12})[0]) == 12


def test_language_models_can_be_ensembled_and_averaged():
    models = [small(seed=seed) for seed in (1, 2)]
    both = Ensemble(models)
    assert not both.has_source
    (text,) = both.generate(["ab"])
    assert text.startswith("ab")
    each = [made.score([""], [text])[0].token_log_probs for made in models]
    close(both.score([""], [text])[0].token_log_probs, np.log(np.mean(np.exp(each), axis=0)))
    assert average(models).generate(["ab"])[0].startswith("ab")


def test_scores_do_not_depend_on_the_other_texts():
    made = small()
    texts = [*texts_of(TEXT), "a", "bcd"]
    together = made.score([""] * 5, texts)
    for text, score in zip(texts, together, strict=True):
        close(made.score([""], [text])[0].token_log_probs, score.token_log_probs)
    assert [len(score.token_log_probs) for score in together] == [12, 12, 12, 1, 3]
