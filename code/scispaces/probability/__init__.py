"""Chapters of the part on probability and information."""
