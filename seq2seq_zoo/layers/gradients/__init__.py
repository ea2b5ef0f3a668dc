"""Custom gradients of the passes over time."""

from seq2seq_zoo.layers.gradients.attention import attention_pass as attention_pass
from seq2seq_zoo.layers.gradients.recurrence import recurrent_pass as recurrent_pass
