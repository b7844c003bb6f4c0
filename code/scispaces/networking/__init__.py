"""Chapters of the part on networking."""
