"""Custom gradients of the passes over time, where automatic differentiation is slow.

An automatic gradient keeps every intermediate value of every step, and adds up each weight's gradient in one small
product a step. A custom gradient keeps only what the cell's adjoint reads, its loop backwards carries only the states'
gradients, and each weight's gradient is one product over all steps.
"""

from seq2seq_zoo.layers.gradients.adjoints import has_custom_gradient as has_custom_gradient
from seq2seq_zoo.layers.gradients.attention import attention_pass as attention_pass
from seq2seq_zoo.layers.gradients.recurrence import recurrent_pass as recurrent_pass
