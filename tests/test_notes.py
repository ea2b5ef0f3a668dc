"""What a training or an evaluation says about its data."""

import pytest

from seq2seq_zoo import Encoder, Seq2Seq, Tokens
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.experiment import notes
from seq2seq_zoo.tasks.task import Data
from seq2seq_zoo.training import Training
from seq2seq_zoo.training.memory import step_memory

LETTERS = Vocabulary.build(["ab"], "")
ENDLESS = Vocabulary.build(["ab"], "", endless=True)


class Model:
    """As much of a model as the notes need."""

    max_length = 10**6


def data_of(train, dev=None, **options):
    """Data of pairs with sources and targets of these lengths."""
    dev = [(1, 1)] * 50 if dev is None else dev
    made = {split: [("a" * n, "b" * m) for n, m in lengths] for split, lengths in [("train", train), ("dev", dev)]}
    return Data({**made, "test": made["dev"]}, **{"source": LETTERS, "target": LETTERS, **options})


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """The bytes that a step needs in the tests, and those that are free."""
    found = {"needed": 1, "free": 10}
    monkeypatch.setattr(notes, "step_memory", lambda *_: found["needed"])
    monkeypatch.setattr(notes, "available_memory", lambda: found["free"])
    return found


def noted(data, task=("max_source_tokens", "max_target_tokens"), buckets=1):
    return notes.before_training(dict.fromkeys(task), Training(buckets=buckets), data, Model())


def test_targets_longer_than_outputs_are_counted_for_each_split():
    data = data_of([(1, 3), (1, 4), (1, 5)], dev=[(1, 2), (1, 7)])
    assert notes.too_long_targets(data, 8) == []
    assert notes.too_long_targets(data, 5) == [
        "Targets longer than decoder.max_length, 5, so that no output can equal them: 1 of 3 in train, 1 of 2 in dev, "
        "1 of 2 in test. The shortest max_length that would do is 8 with the end token."
    ]
    (line,) = notes.too_long_targets(data, 3, ["train"])
    assert "equal them: 3 of 3 in train. The shortest max_length that would do is 6 with" in line
    endless = data_of([(1, 3)], target=ENDLESS)
    assert notes.too_long_targets(endless, 3) == []
    (line,) = notes.too_long_targets(endless, 2)
    assert line.endswith(
        "1 of 1 in train, 0 of 50 in dev, 0 of 50 in test. The shortest max_length that would do is 3."
    )


@pytest.mark.parametrize("options", [{"targets": "label"}, {"targets": "steps"}, {"target": ENDLESS, "window": 2}])
def test_only_sequences_can_be_too_long(options):
    assert notes.too_long_targets(data_of([(9, 9)], **options), 2) == []


def test_lengths_far_beyond_the_others_are_noted_with_what_helps():
    usual = [(8, 4)] * 200
    assert noted(data_of(usual)) == []
    assert noted(data_of([*usual, (31, 31)])) == []
    (line,) = noted(data_of([*usual, (3000, 2000)]))
    assert line == (
        "In train, the longest source has 3,000 tokens and 99 % have at most 8, the longest target has 2,000 tokens "
        "and 99 % have at most 4: every batch is padded to the longest, which takes time and memory. To save them, "
        "leave longer pairs out with task.max_source_tokens and task.max_target_tokens, or pad fewer batches with "
        "training.buckets."
    )
    for buckets in (4, None):  # four by default, since they pay here
        (line,) = noted(data_of([*usual, (8, 100)]), buckets=buckets)
        assert line.endswith(
            "have at most 4: with training.buckets: 4, the batches of the longest pairs are padded to the longest, "
            "which takes time and memory. To save them, leave longer pairs out with task.max_target_tokens."
        )
    (line,) = noted(data_of([*usual, (8, 40)]), task=(), buckets=4)
    assert line.endswith("are padded to the longest, which takes time and memory.")
    # Long sources that are not rare are no outliers.
    assert noted(data_of([*usual, *[(3000, 4)] * 10])) == []


def test_a_tiny_dev_is_noted_unless_it_is_train():
    few = [(1, 1)] * 14
    assert noted(data_of(few, dev=[(1, 2)] * 50)) == []
    assert noted(data_of(few, dev=[(1, 2)] * 49)) == [
        "dev has only 49 pairs, so it is largely chance which epoch is the best by them. Add some, or use the model of "
        "the last epoch, last.keras."
    ]
    assert noted(data_of(few, dev=few)) == []
    several = data_of(few, dev=[(1, 2)] * 50, references=True)  # which are targets of one source
    assert noted(several)[0].startswith("dev has only 1 sources, so")


def test_a_step_that_needs_more_than_half_of_the_memory_is_noted_with_what_helps(memory):
    data = data_of([(8, 4)] * 200)
    memory |= {"needed": 4e9, "free": 8e9}
    assert noted(data) == []
    memory["free"] = 7.9e9
    (line,) = noted(data)
    assert line == (
        "A training step with 64 pairs of 8 and 5 tokens needs about 4.0 GB, and 7.9 GB are free. To save memory, "
        "leave longer pairs out with task.max_source_tokens and task.max_target_tokens, or lower training.batch_size."
    )
    (line,) = noted(data, task=())
    assert line.endswith("To save memory, lower training.batch_size.")
    memory["free"] = None
    assert noted(data) == []


@pytest.mark.parametrize(
    ("measured", "mode", "batch", "source", "target", "units", "tokens"),
    [  # by benchmarks/speed/memory.py; the last one was a user's
        (292e6, "basic", 64, 400, 400, 64, 100),
        (797e6, "basic", 64, 400, 1600, 64, 100),
        (295e6, "feedback", 64, 400, 400, 64, 100),
        (594e6, "feedback", 32, 400, 400, 256, 100),
        (955e6, "feedback", 32, 400, 400, 64, 4000),
        (253e6, "peek", 64, 400, 400, 64, 100),
        (569e6, "attention", 64, 400, 400, 64, 100),
        (945e6, "attention", 32, 400, 1600, 64, 100),
        (604e6, "attention", 8, 1600, 1600, 32, 100),
        (732e6, "attention", 32, 400, 400, 256, 100),
        (13.7e9, "attention", 64, 3000, 3000, 32, 100),
    ],
)
def test_the_estimate_of_memory_is_near_the_measured_peak(measured, mode, batch, source, target, units, tokens):
    decoder = modes[mode](units, readout=Tokens(tokens))
    model = Seq2Seq(Encoder(units, vocabulary_size=tokens), decoder)
    assert 1 / 1.25 < step_memory(model, batch, source, target) / measured < 1.25
