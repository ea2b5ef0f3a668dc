"""Every class that a saved model may hold: importing this module registers them all with Keras."""

import seq2seq_zoo.decoders.attention
import seq2seq_zoo.decoders.basic
import seq2seq_zoo.decoders.feedback
import seq2seq_zoo.decoders.peek
import seq2seq_zoo.layers.losses
import seq2seq_zoo.layers.readouts.real_values
import seq2seq_zoo.layers.readouts.tokens
import seq2seq_zoo.models.encoder_only
import seq2seq_zoo.models.ensemble
import seq2seq_zoo.models.seq2seq  # noqa: F401  each import registers classes
