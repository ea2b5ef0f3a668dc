"""Decoders: the base class, and the four modes, one file for each.

>>> from seq2seq_zoo import decoders
>>> print(*decoders.list())
attention basic feedback peek
"""

import keras  # noqa: F401  before any module here, so that what Keras's import sets off finds none half imported

from seq2seq_zoo.decoders.attention import AttentionDecoder as AttentionDecoder
from seq2seq_zoo.decoders.basic import BasicDecoder as BasicDecoder
from seq2seq_zoo.decoders.decoder import modes
from seq2seq_zoo.decoders.feedback import FeedbackDecoder as FeedbackDecoder
from seq2seq_zoo.decoders.peek import PeekDecoder as PeekDecoder

create = modes.create
list = modes.list
register = modes.register
