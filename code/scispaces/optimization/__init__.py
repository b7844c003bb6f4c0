"""Chapters of the part on optimization and generalization."""
