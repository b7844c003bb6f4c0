"""What makes two builds give the same bytes."""

import os
from pathlib import Path

import sphinx_exercise
from myst_nb.sphinx_ext import add_global_html_resources

__all__ = ["KERNEL_ENVIRONMENT", "setup"]

KERNEL_ENVIRONMENT = {
    # Explorers store their pictures instead of opening widgets.
    "SCISPACES_STATIC": "1",
    # One thread a kernel: sums have one order, and kernels side by side do not fight.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    # Sets have one order.
    "PYTHONHASHSEED": "0",
}
"""Environment variables of every process that executes a chapter."""


def copy_late_styles(app):
    """Copy the style sheets that extensions copy when all pages are written.

    Pages name style sheets with a checksum if the file is there: in the second build, that is.
    """
    if app.builder.format == "html":
        Path(app.outdir, "_static").mkdir(parents=True, exist_ok=True)
        add_global_html_resources(app, None)
        sphinx_exercise.copy_asset_files(app, None)


def setup(app):
    """Fix with Sphinx what differs from build to build."""
    os.environ.update(KERNEL_ENVIRONMENT)
    app.connect("builder-inited", copy_late_styles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
