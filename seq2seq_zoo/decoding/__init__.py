"""Searches over a model's steps. They know token ids, but neither vocabularies nor tasks.

- `Search` is a rule that selects tokens: `Greedy`, `Sample` and `Beam` are the registered ones.
- `Searcher` is the loop that runs one: it constrains, reorders and traces back.
- `Scorer` gives the log-probabilities of targets that exist already.

>>> from seq2seq_zoo.decoding import searches
>>> print(*searches.list())
beam greedy sample
"""

import keras  # noqa: F401  before any module here, so that what Keras's import sets off finds none half imported

from seq2seq_zoo.decoding.beam import Beam as Beam
from seq2seq_zoo.decoding.greedy import Greedy as Greedy
from seq2seq_zoo.decoding.sample import Sample as Sample
from seq2seq_zoo.decoding.scorer import Scorer as Scorer
from seq2seq_zoo.decoding.search import Search as Search
from seq2seq_zoo.decoding.search import searches as searches
from seq2seq_zoo.decoding.searcher import Generated as Generated
from seq2seq_zoo.decoding.searcher import Searcher as Searcher
