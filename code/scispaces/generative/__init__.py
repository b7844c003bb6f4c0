"""Computations of the chapters on generative models."""
