"""TensorFlow's side of the benchmark: the MLP with Keras layers and Keras's Adam, the stack of MAMDR's public code.

Its Adam is dense on tables: moments of every row decay at every step. Usage: tensorflow_train.py THREADS.
"""

import sys

import tensorflow as tf
from answers import answer_all
from mlp import Batches, Peer, drawn_steps, layer_values, table_rows, table_values, time_steps


class Job:
    def __init__(self, shape):
        self.shape = shape
        self.batches = Batches(shape)
        self.tables = [tf.keras.layers.Embedding(n, shape["embedding"]) for n in table_rows(shape)]
        self.hidden = [tf.keras.layers.Dense(size, activation="relu") for size in shape["hidden"]]
        self.dropout = tf.keras.layers.Dropout(shape["dropout"])
        self.output = tf.keras.layers.Dense(1)
        self.forward([tf.zeros(1, tf.int32)] * 3, training=False)
        for number, table in enumerate(self.tables):
            table.set_weights([table_values(shape, number)])
        for layer, (weight, bias) in zip([*self.hidden, self.output], layer_values(shape)):
            layer.set_weights([weight.T, bias])
        self.variables = [
            variable
            for layer in [*self.tables, *self.hidden, self.output]
            for variable in layer.trainable_variables
        ]
        self.optimizer = tf.keras.optimizers.Adam(shape["learningRate"])
        self.optimizer.build(self.variables)
        ids = [tf.TensorSpec([None], tf.int32)] * 3
        self.logits = tf.function(lambda columns: self.forward(columns, False), input_signature=[ids])
        labels = tf.TensorSpec([None], tf.float32)
        self.step = tf.function(self.one_step, input_signature=[ids, labels])

    def forward(self, columns, training):
        x = tf.concat([table(ids) for table, ids in zip(self.tables, columns)], 1)
        for layer in self.hidden:
            x = self.dropout(layer(x), training=training)
        return tf.squeeze(self.output(x), 1)

    def one_step(self, columns, labels):
        with tf.GradientTape() as tape:
            logits = self.forward(columns, True)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.variables)
        self.optimizer.apply_gradients(zip(gradients, self.variables))
        return loss

    def column(self, values):
        return tf.constant(values, tf.float32 if values.dtype == "float32" else tf.int32)

    def train(self, steps):
        """Seconds per step."""
        drawn = drawn_steps(self, steps)
        return time_steps(drawn, lambda columns, labels: self.step(columns, labels).numpy())

    def score(self, columns):
        return self.logits(columns).numpy()


threads = int(sys.argv[1])
tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(threads)
answer_all(Peer(Job, {"version": tf.__version__}).answers())
