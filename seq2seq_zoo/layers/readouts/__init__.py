"""Readouts: what an output is, and how it becomes the next step's input."""

from seq2seq_zoo.layers.readouts.readout import readouts as readouts
from seq2seq_zoo.layers.readouts.real_values import Gaussian as Gaussian
from seq2seq_zoo.layers.readouts.real_values import Quantiles as Quantiles
from seq2seq_zoo.layers.readouts.real_values import Vectors as Vectors
from seq2seq_zoo.layers.readouts.tokens import Tokens as Tokens
