"""Chapters of the part on physics and dynamical systems."""
