"""Chapters of the part on architectures."""
