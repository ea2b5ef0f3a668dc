"""Searches over a model's `step`. They know ids, never vocabularies or tasks.

>>> from seq2seq_zoo.decoding import searches
>>> print(*searches.list())
beam greedy sample
"""

from seq2seq_zoo.decoding.beam import Beam as Beam
from seq2seq_zoo.decoding.greedy import Greedy as Greedy
from seq2seq_zoo.decoding.sample import Sample as Sample
from seq2seq_zoo.decoding.scorer import Scorer as Scorer
from seq2seq_zoo.decoding.search import Generated as Generated
from seq2seq_zoo.decoding.search import Search as Search
from seq2seq_zoo.decoding.search import Searcher as Searcher
from seq2seq_zoo.decoding.search import searches as searches
