"""Sequences with a target for each frame: from files, and from a rule whose best possible error is known."""

from pathlib import Path

import numpy as np
import pytest

from seq2seq_zoo.tasks import tasks
from seq2seq_zoo.tasks.articulation import DECAY, FRAME, autocovariance, motion
from seq2seq_zoo.training import real_values

SMALL = {"acoustics": 5, "articulators": 2, "train_size": 3, "dev_size": 2, "test_size": 20}


@pytest.fixture
def file(write):
    """Ten sequences of two to eleven frames; the target `y` is 100 times the source `a`."""
    random = np.random.default_rng(0)
    lines = [
        f"{name},{a},{100 * a},{random.normal()}" for name in range(10) for a in random.normal(size=name + 2).tolist()
    ]
    return write("frames.csv", "sequence,a,y,b", *lines)


def create(file, **options):
    return tasks.create("frames", train=file, targets=["y"], **options)


@pytest.mark.parametrize("scaling", ["train", "sequence", None])
def test_frames_keep_their_targets_and_sequences_are_in_one_split(file, scaling):
    data = create(file, scaling=scaling, dev_fraction=0.2).load()
    assert (list(data.source), list(data.target), data.targets) == (["a", "b"], ["y"], "steps")
    assert [len(rows) for rows in data.splits.values()] == [7, 2, 1]
    rows = [row for rows in data.splits.values() for row in rows]
    assert sorted(len(row.target) for row in rows) == list(range(2, 12))
    for row in rows:
        factor = 100 if scaling is None else 1
        np.testing.assert_allclose(row.target[:, 0], factor * row.source[:, 0], rtol=1e-3, atol=1e-3)


def test_scaling_by_train_and_by_sequence(file):
    by_train, by_itself = (create(file, scaling=scaling).load().splits["train"] for scaling in ("train", "sequence"))
    whole = np.concatenate([row.source for row in by_train])
    np.testing.assert_allclose([whole.mean(axis=0), whole.std(axis=0)], [[0, 0], [1, 1]], atol=1e-5)
    for row, other in zip(by_train, by_itself, strict=True):
        np.testing.assert_allclose(other.source.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(row.restore(row.target), other.restore(other.target), rtol=1e-4)


def test_dev_has_its_own_file(file, write):
    dev = write("dev.csv", "b,sequence,y,a", "1,x,200,2", "2,x,300,3")
    data = create(file, dev=dev, scaling=None).load()
    assert [len(rows) for rows in data.splits.values()] == [9, 1, 1]
    np.testing.assert_array_equal(data.splits["dev"][0].source, [[2, 1], [3, 2]])


@pytest.mark.parametrize("scaling", ["train", "sequence", None])
def test_given_splits_that_share_sequences_with_train_are_counted(file, write, scaling):
    header, *lines = Path(file).read_text().splitlines()
    shared = [line for line in lines if line.startswith(("3,", "4,"))]
    test = write("test.csv", header, *shared, "new,1,2,3", "new,2,3,4")
    data = create(file, dev=file, test=test, scaling=scaling).load()
    assert data.notes == [
        "dev: 10 of its 10 sequences are in train, too",
        "test: 2 of its 3 sequences are in train, too",
    ]
    assert create(file, scaling=scaling).load().notes == []


def test_a_file_without_targets_is_scaled_as_train(file, write):
    task = create(file)
    data = task.load()
    rows = task.read_rows(write("new.csv", "a,sequence,b", "1,x,2", "3,x,4", "1,y,2"), data.kept)
    assert [len(row.source) for row in rows] == [2, 1]
    known = data.splits["train"][0]
    np.testing.assert_array_equal(rows[0].scale, known.scale)
    np.testing.assert_array_equal(rows[0].source[0], rows[1].source[0])
    with pytest.raises(ValueError, match=r"scaling 'sequence' needs the mean and standard deviation of each target"):
        create(file, scaling="sequence").read_rows("new.csv", data.kept)


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["sequence,y", "1,2", "2,3", "3,4"], {}, r"has no column but 'sequence' and the targets"),
        (["sequence,a,y"], {"sources": ["a", "y"]}, "'y' is named twice"),
        (["sequence,a,y"], {"sources": []}, "targets and sources, if given, must name at least one column each"),
        (["a,y"], {}, r"line 1: there is no column 'sequence'\. Columns: a, y"),
        (["sequence,a,y", "1,2,3"], {"sources": ["aa"]}, r"there is no column 'aa'\. Did you mean 'a'\?"),
        (["sequence,a,y", "1,2,3", "2,2,3", "1,2,3"], {}, "frames of sequence '1' are not together"),
        (["sequence,a,y", "1,2,3", "2,2,3"], {}, r"too few sequences \(2\) to draw dev and test"),
        (["sequence,a,y", "1,2,3", "2,2,3", "3,2,4"], {}, "'a' is 2 throughout train: a constant"),
        (["sequence,a,y", "1,2,3", "2,2,3", "3,2,4"], {"scaling": "sequence"}, "'a' is 2 throughout sequence '"),
    ],
)
def test_invalid_files_and_options(write, lines, options, message):
    with pytest.raises(ValueError, match=message):
        create(write("bad.csv", *lines), **options).load()


# === The made-up rule ===


def test_the_exact_motion_agrees_with_small_steps_of_the_differential_equation():
    """Against small steps of the differential equation."""
    rate, (x, v, g) = 20.0, (0.3, -5.0, 1.0)
    expected = motion(rate)[0] @ (x, v, g)
    for _ in range(10_000):
        x, v = x + FRAME / 1e4 * v, v + FRAME / 1e4 * (rate**2 * (g - x) - 2 * rate * v)
    np.testing.assert_allclose(expected, [x, v, DECAY * g], rtol=1e-3)


def test_positions_have_the_theoretical_autocovariance():
    data = tasks.create(
        "articulation", **{**SMALL, "train_size": 4000}, min_frames=12, max_frames=12, scaling=None
    ).load()
    moved = np.stack([row.target for row in data.splits["train"]]).transpose(2, 1, 0)
    for positions, rate in zip(moved, (8, 30), strict=True):
        np.testing.assert_allclose(np.cov(positions), autocovariance(rate, 12), atol=0.1)


def test_the_best_estimates_are_the_conditional_means():
    """Against the joint distribution of everything that is heard and everything that moves, conditioned by hand."""
    task = tasks.create("articulation", **SMALL, noise=0.7, min_frames=6, max_frames=6, scaling=None)
    data = task.load()
    sources = [row.source.astype(float) for row in data.splits["test"]]
    weights, _ = np.linalg.qr(np.random.Generator(np.random.PCG64(0)).normal(size=(5, 2)))
    weights *= np.sqrt(5 / 2)
    moves = np.zeros((12, 12))  # all frames of the first articulator, then of the second
    for number, rate in enumerate((8, 30)):
        moves[6 * number :, 6 * number :][:6, :6] = autocovariance(rate, 6)
    hears = np.kron(weights, np.eye(6))  # all frames of the first acoustic feature, ...
    heard = hears @ moves @ hears.T + 0.7**2 * np.eye(30)
    for name, seen in {"best from all": "all", "from frames so far": "past", "from one": "one"}.items():
        for source, found in zip(sources, data.baselines[name]("test"), strict=True):
            sound = np.sinh(source).T.ravel() / 3
            for frame in range(6):
                frames = {"all": range(6), "past": range(frame + 1), "one": [frame]}[seen]
                known = [6 * feature + each for feature in range(5) for each in frames]
                wanted = [frame, 6 + frame]
                gain = np.linalg.solve(heard[np.ix_(known, known)], (hears @ moves)[np.ix_(known, wanted)])
                np.testing.assert_allclose(found[frame], sound[known] @ gain, atol=1e-4)


def test_estimates_from_more_frames_are_better():
    measured = real_values.evaluate_baselines(
        tasks.create("articulation", train_size=3, dev_size=3, test_size=20).load(), "test"
    )
    errors = [measured[name]["rmse"] for name in ("best from all", "from frames so far", "from one")]
    assert errors[0] < 0.75 * errors[1] < 0.75**2 * errors[2] < 0.3


def test_too_few_acoustic_features_and_reversed_lengths():
    with pytest.raises(ValueError, match=r"acoustics \(2\) must not be below articulators \(3\)"):
        tasks.create("articulation", acoustics=2, articulators=3)
    with pytest.raises(ValueError, match=r"min_frames \(9\) must not be above max_frames \(8\)"):
        tasks.create("articulation", min_frames=9, max_frames=8)
