"""Chapters of the part on mathematics."""
