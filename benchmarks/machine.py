"""Says on what kind of machine a measurement was made."""

import os
import platform
from pathlib import Path

__all__ = ["machine"]


def machine():
    """Return the processor's model and the number of cores in use.

    Returns
    -------
    str
    """
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores"
