"""Training with Keras's own `fit`, and evaluation of generated outputs."""

from seq2seq_zoo.training.training import Training as Training
from seq2seq_zoo.training.training import TrainingError as TrainingError
