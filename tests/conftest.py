"""Tests compute as chapters are executed, with one thread: sums have one order."""

import os

from scispaces_book.reproducible import KERNEL_ENVIRONMENT

THREADS = ("XLA_FLAGS", "JAX_PLATFORMS", *(n for n in KERNEL_ENVIRONMENT if n.endswith("_THREADS")))

# Before numpy is imported, which reads them then.
os.environ.update({name: KERNEL_ENVIRONMENT[name] for name in THREADS})
