"""From which length on is linear attention faster?

    python benchmarks/linear_attention.py

Times one head on one thread and writes benchmarks/results/linear_attention.md.
"""

# ruff: noqa: E402, imports come after the number of threads
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is imported

import datetime
import platform
import time
from pathlib import Path

import numpy as np
from machine import machine

from scispaces.architectures.linear_attention import linear_attention, softmax_attention

RESULT = Path(__file__).parent / "results" / "linear_attention.md"
LENGTHS = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
WIDTHS = [16, 32, 64, 128]


def milliseconds(functions, seconds=4.0, at_least=5):
    """Least processor time of each function; they take turns, so that all are hit alike.

    Short calls are timed in groups of some milliseconds, long ones alone.
    """
    sizes, least = [], [np.inf] * len(functions)
    for function in functions:
        began = time.perf_counter()
        function()
        sizes.append(max(1, int(0.004 / (time.perf_counter() - began))))
    start, rounds = time.perf_counter(), 0
    while rounds < at_least or time.perf_counter() - start < seconds:
        for index, (function, size) in enumerate(zip(functions, sizes, strict=True)):
            began = time.process_time()
            for _ in range(size):
                function()
            least[index] = min(least[index], (time.process_time() - began) / size)
        rounds += 1
    return [1000 * t for t in least]


def crossing(lengths, slow, fast):
    """Length at which `slow` becomes slower than `fast`, interpolated in the logarithms."""
    gap = np.log(np.divide(slow, fast))
    above = int(np.argmax(gap > 0))
    if gap[above] <= 0 or above == 0:
        return None
    log_n = np.log(lengths)
    share = -gap[above - 1] / (gap[above] - gap[above - 1])
    return float(np.exp(log_n[above - 1] + share * (log_n[above] - log_n[above - 1])))


def shown(milliseconds):
    """Three digits, never an exponent."""
    return f"{milliseconds:.3g}" if milliseconds < 1000 else f"{milliseconds:.0f}"


def main():
    rng = np.random.default_rng(0)
    columns, crossings = [], []
    for d in WIDTHS:
        times = []
        for n in LENGTHS:
            q, k, v = rng.standard_normal((3, n, d))
            calls = [
                lambda q=q, k=k, v=v: softmax_attention(q, k, v),
                lambda q=q, k=k, v=v: linear_attention(q, k, v),
                lambda q=q, k=k, v=v: linear_attention(q, k, v, causal=True),
            ]
            times.append(milliseconds(calls))
            print(d, n, *map(shown, times[-1]), flush=True)
        columns.append([" / ".join(map(shown, row)) for row in times])
        slow, fast, _ = np.transpose(times)
        n = crossing(LENGTHS, slow, fast)
        crossings.append("无" if n is None else f"{n:.0f}")
    last = [column[-1].split(" / ") for column in columns]
    heads = "".join(f" 宽{d} |" for d in WIDTHS)
    lines = [
        "| 每个头 |" + heads,
        "| :-- |" + " --: |" * len(WIDTHS),
        "| 线性更快，从$n$约为 | " + " | ".join(crossings) + " |",
        f"| $n={LENGTHS[-1]}$，Softmax（毫秒） | " + " | ".join(cell[0] for cell in last) + " |",
        f"| $n={LENGTHS[-1]}$，线性（毫秒） | " + " | ".join(cell[1] for cell in last) + " |",
        f"| $n={LENGTHS[-1]}$，线性、因果（毫秒） | " + " | ".join(cell[2] for cell in last) + " |",
        "",
        f"处理器时间，取多次中最短的。{machine()}，只用一个线程；"
        f"{datetime.date.today()}；Python {platform.python_version()}，NumPy {np.__version__}，"
        "双精度；一个头，特征是elu+1，因果的分块长64。"
        "由`python benchmarks/linear_attention.py`生成。",
        "",
        "<!-- all -->",
        "",
        "每格是Softmax / 线性 / 线性、因果的毫秒数：",
        "",
        "| 长度$n$ |" + heads,
        "| --: |" + " --: |" * len(WIDTHS),
        *(f"| {n} | {' | '.join(row)} |" for n, *row in zip(LENGTHS, *columns, strict=True)),
    ]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
