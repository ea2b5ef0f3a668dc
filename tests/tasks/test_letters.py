import pytest

from seq2seq_zoo.tasks.copy import Copy
from seq2seq_zoo.tasks.reverse import Reverse


@pytest.mark.parametrize(("task", "step"), [(Copy, 1), (Reverse, -1)])
def test_copy_keeps_and_reverse_reverses_the_letters(task, step):
    data = task(alphabet_size=3, min_length=2, max_length=4, train_size=90, dev_size=10, test_size=17).load()
    pairs = [pair for split in data.splits.values() for pair in split]
    assert len({source for source, _ in pairs}) == 3**2 + 3**3 + 3**4
    assert all(target == source[::step] for source, target in pairs)
    assert data.source.tokens[4:] == ("a", "b", "c")


def test_invalid_arguments():
    with pytest.raises(ValueError, match="`alphabet_size` must be an integer of at least 1 and at most 26, got 27"):
        Copy(alphabet_size=27)
    with pytest.raises(ValueError, match="`min_length` must be at most `max_length`, got 9 and 8"):
        Reverse(min_length=9)
    with pytest.raises(ValueError, match=r"Asked for 2400 pairs .* but only 510 exist"):
        Copy(alphabet_size=2).load()
