"""An encoder-decoder with attention as TensorFlow Addons' users write it.

The cell of `AttentionWrapper` reads the context of the step before, which is zero at the first step. Here it gets the
context of the initial state instead, so that every step reads the context of the state before it. The readout reads the
state only.
"""

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa
from problem import END, START, Problem, Weights, make_weights

CELLS = {
    "lstm": (tf.keras.layers.LSTM, tf.keras.layers.LSTMCell),
    "gru": (tf.keras.layers.GRU, tf.keras.layers.GRUCell),
}


class Attention(tf.keras.Model):
    """Additive attention."""

    def __init__(self, problem: Problem):
        super().__init__()
        units = problem.units
        recurrent, cell = CELLS[problem.cell]
        self.problem = problem
        self.source_embedding = tf.keras.layers.Embedding(problem.sources, units, mask_zero=problem.pads)
        self.encoder = recurrent(units, return_sequences=True, return_state=True)
        self.bridge = tf.keras.layers.Dense(problem.states * units, activation="tanh")
        self.target_embedding = tf.keras.layers.Embedding(problem.vocabulary, units)
        self.mechanism = tfa.seq2seq.BahdanauAttention(units)
        self.cell = tfa.seq2seq.AttentionWrapper(cell(units), self.mechanism, output_attention=False)
        self.readout = tf.keras.layers.Dense(problem.vocabulary)

    def initialize(self, source, beams: int = 1):
        """The initial state of the wrapper, with the source as its memory."""
        embedded = self.source_embedding(source)
        mask = source != 0 if self.problem.pads else None
        values, summary, *_ = self.encoder(embedded, mask=mask)
        lengths = tf.reduce_sum(tf.cast(mask, tf.int32), 1) if self.problem.pads else None
        states = tf.split(self.bridge(summary), self.problem.states, axis=-1)
        if beams > 1:
            values, states = tfa.seq2seq.tile_batch(values, beams), tfa.seq2seq.tile_batch(states, beams)
            lengths = None if lengths is None else tfa.seq2seq.tile_batch(lengths, beams)
        self.mechanism.setup_memory(values, memory_sequence_length=lengths)
        rows = tf.shape(values)[0]
        first = self.cell.get_initial_state(batch_size=rows, dtype=tf.float32)
        alignments, state = self.mechanism([states[0], first.attention_state])
        context = tf.squeeze(tf.matmul(tf.expand_dims(alignments, 1), self.mechanism.values), 1)
        cell_state = states if len(states) > 1 else states[0]
        return first.clone(cell_state=cell_state, attention=context, alignments=alignments, attention_state=state)

    def call(self, inputs):
        """Logits `(batch, length, vocabulary)`, with teacher forcing."""
        source, previous = inputs
        decoder = tfa.seq2seq.BasicDecoder(
            self.cell, tfa.seq2seq.TrainingSampler(), maximum_iterations=previous.shape[1]
        )
        lengths = tf.fill([tf.shape(previous)[0]], previous.shape[1])
        first = self.initialize(source)
        outputs, _, _ = decoder(self.target_embedding(previous), initial_state=first, sequence_length=lengths)
        return self.readout(outputs.rnn_output)

    def greedy(self, source, length: int):
        """Ids `(batch, length)`, or fewer steps if every row has ended."""
        sampler = tfa.seq2seq.GreedyEmbeddingSampler()
        decoder = tfa.seq2seq.BasicDecoder(self.cell, sampler, self.readout, maximum_iterations=length)
        start = tf.fill([tf.shape(source)[0]], START)
        first = self.initialize(source)
        outputs, _, _ = decoder(
            self.target_embedding.embeddings, start_tokens=start, end_token=END, initial_state=first
        )
        return outputs.sample_id

    def beam(self, source, beams: int, length: int):
        """The best ids `(batch, length)`, or fewer steps if every hypothesis has ended."""
        decoder = tfa.seq2seq.BeamSearchDecoder(
            self.cell, beam_width=beams, output_layer=self.readout, maximum_iterations=length
        )
        start = tf.fill([tf.shape(source)[0]], START)
        first = self.initialize(source, beams)
        outputs, _, _ = decoder(
            self.target_embedding.embeddings, start_tokens=start, end_token=END, initial_state=first
        )
        return outputs.predicted_ids[:, :, 0]


def make_model(problem: Problem, weights: Weights | None = None) -> Attention:
    """The model with the problem's weights."""
    model = Attention(problem)
    dummy = np.full((2, 3), END, "int32")
    model((dummy, dummy))
    weights = make_weights(problem) if weights is None else weights
    for layer, side in ((model.encoder.cell, "encoder"), (model.cell._cell, "decoder")):
        bias = weights[f"{side}.0.bias"]
        if problem.cell == "gru":
            second = np.zeros_like(bias)
            second[2 * problem.units :] = weights[f"{side}.0.recurrent_bias"]
            bias = np.stack([bias, second])
        layer.set_weights([weights[f"{side}.0.kernel"], weights[f"{side}.0.recurrent_kernel"], bias])
    model.source_embedding.set_weights([weights["encoder.embedding"]])
    model.target_embedding.set_weights([weights["decoder.embedding"]])
    model.bridge.set_weights([weights["bridge.kernel"], weights["bridge.bias"]])
    model.readout.set_weights([weights["readout.kernel"][: problem.units], weights["readout.bias"]])
    model.mechanism.query_layer.set_weights([weights["attention.query_kernel"]])
    model.mechanism.memory_layer.set_weights([weights["attention.key_kernel"]])
    model.mechanism.attention_v.assign(weights["attention.scale"][:, 0])
    return model
