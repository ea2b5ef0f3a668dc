"""Training by Keras's own `fit`, and evaluation by what a model generates."""

from seq2seq_zoo.training.training import Training as Training
from seq2seq_zoo.training.training import TrainingError as TrainingError
