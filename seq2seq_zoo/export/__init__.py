"""Export to runtimes without Keras: the whole search as one graph, or a Python package.

>>> from seq2seq_zoo.export import formats
>>> print(*formats.list())
litert onnx savedmodel
"""

from seq2seq_zoo.export.formats import ExportError as ExportError
from seq2seq_zoo.export.formats import Format as Format
from seq2seq_zoo.export.formats import export as export
from seq2seq_zoo.export.formats import formats as formats
from seq2seq_zoo.export.formats import generate as generate
from seq2seq_zoo.export.formats import has_search as has_search
from seq2seq_zoo.export.formats import label as label
from seq2seq_zoo.export.formats import predict as predict
from seq2seq_zoo.export.litert import LiteRT as LiteRT
from seq2seq_zoo.export.onnx import Onnx as Onnx
from seq2seq_zoo.export.package import package as package
from seq2seq_zoo.export.savedmodel import SavedModel as SavedModel
from seq2seq_zoo.export.web import web as web
