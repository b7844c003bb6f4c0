"""Computations and explorers of the textbook 《可交互的科学空间》."""

from importlib.metadata import version

__version__ = version("scispaces")
