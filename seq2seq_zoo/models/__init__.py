"""Keras models made of the layers: text in, text out."""
