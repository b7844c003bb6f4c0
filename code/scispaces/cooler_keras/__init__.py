"""Chapters of the part on Keras."""
