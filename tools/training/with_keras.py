"""Keras on its torch backend: four networks fitted, evaluated and used; one of them saved and read again."""

import os
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp())

import keras
import numpy as np
from common import report
from keras import layers

numbers = np.random.RandomState(0)
points = numbers.randn(64, 10).astype("float32")
sides = (points.sum(1) > 0).astype("int32")
images = numbers.rand(32, 12, 12, 3).astype("float32")
words = numbers.randint(0, 20, (32, 8))
found = []


def attentive():
    inputs = layers.Input((8,))
    x = layers.Embedding(20, 8)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))


def stacked(*below):
    return keras.Sequential([*below, layers.Dense(2, activation="softmax")])


def fitted(make, x, optimizer):
    keras.utils.set_random_seed(0)
    net, y = make(), sides[: len(x)]
    net.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = net.fit(x, y, epochs=2, batch_size=16, validation_split=0.25, verbose=0).history
    found.extend(history["loss"] + history["val_loss"] + net.evaluate(x, y, verbose=0))
    found.append(np.square(net.predict(x, verbose=0)).sum())
    return net


net = fitted(lambda: stacked(layers.Dense(16, activation="relu"), layers.Dropout(0.2)), points, "adam")
fitted(
    lambda: stacked(
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.SeparableConv2D(6, 3),
        layers.GlobalAveragePooling2D(),
    ),
    images,
    "sgd",
)
fitted(
    lambda: stacked(
        layers.Embedding(20, 8), layers.LSTM(6, return_sequences=True), layers.Bidirectional(layers.GRU(4))
    ),
    words,
    "rmsprop",
)
fitted(attentive, words, keras.optimizers.AdamW(1e-3))
with tempfile.TemporaryDirectory() as folder:
    net.save(Path(folder) / "net.keras")
    again = keras.models.load_model(Path(folder) / "net.keras")
found.append(np.square(again.predict(points, verbose=0)).sum())
report(*found)
