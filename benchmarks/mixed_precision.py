"""Time and memory of a small transformer's training step in three precisions.

    python benchmarks/mixed_precision.py [--steps 20]

Writes benchmarks/results/mixed_precision.md.  Runs on whatever device JAX has; the table names it.
The seconds are those of the process on all its cores: other work on the machine does not count.
"""

import argparse
import datetime
import os
import platform
import statistics
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
import jax
import keras
import numpy as np
from machine import machine

RESULTS = Path(__file__).parent / "results" / "mixed_precision.md"
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")
VOCABULARY, LENGTH, WIDTH, HEADS, BLOCKS, BATCH = 512, 64, 128, 4, 2, 16


def transformer(policy):
    """Return a compiled model; its head computes in float32."""
    keras.utils.set_random_seed(0)
    dtype = {"dtype": policy}
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Embedding(VOCABULARY, WIDTH, **dtype)(inputs)
    for _ in range(BLOCKS):
        y = keras.layers.LayerNormalization(**dtype)(x)
        attention = keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS, **dtype)
        # Asked for the weights, Keras takes the plain path: on a CPU the fused one refuses float16.
        x = x + attention(y, y, use_causal_mask=True, return_attention_scores=True)[0]
        y = keras.layers.LayerNormalization(**dtype)(x)
        y = keras.layers.Dense(4 * WIDTH, "gelu", **dtype)(y)
        x = x + keras.layers.Dense(WIDTH, **dtype)(y)
    model = keras.Model(inputs, keras.layers.Dense(VOCABULARY, dtype="float32")(x))
    optimizer = keras.optimizers.Adam(1e-3)
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    return model


def state_of(model):
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return tuple([v.value for v in group] for group in groups)


def measure(policy, xla, steps):
    """Return milliseconds a step, seconds of the first, megabytes of temporaries, the mean
    loss of the first 4 steps."""
    model = transformer(policy)
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (BATCH, LENGTH + 1))
    data = (ids[:, :-1], ids[:, 1:])
    state, step, memory = state_of(model), model.train_step, None
    start = time.process_time()
    if xla:
        step = jax.jit(step).lower(state, data).compile()
        memory = step.memory_analysis().temp_size_in_bytes / 1e6
    logs, state = jax.block_until_ready(step(state, data))
    first, seconds, losses = time.process_time() - start, [], [float(logs["loss"])]
    for _ in range(steps if xla else max(3, steps // 5)):
        start = time.process_time()
        logs, state = jax.block_until_ready(step(state, data))
        seconds.append(time.process_time() - start)
        losses.append(float(logs["loss"]))
    return statistics.median(seconds) * 1e3, first, memory, losses[3]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    steps = parser.parse_args().steps
    rows = []
    for policy in POLICIES:
        for xla in (True, False):
            milliseconds, first, memory, loss = measure(policy, xla, steps)
            held = "—" if memory is None else f"{memory:.1f}"
            rows.append(
                f"| `{policy}` | {'是' if xla else '否'} | {milliseconds:.0f} | {first:.1f} "
                f"| {held} | {loss:.3f} |"
            )
            print(rows[-1], flush=True)
    device = jax.devices()[0]
    where = machine() if device.platform == "cpu" else device.device_kind
    table = [
        "| 精度 | 整步用XLA编译 | 每步（毫秒） | 首步（秒） | 临时内存（MB） | 前4步平均损失 |",
        "| :-- | :-: | --: | --: | --: | --: |",
        *rows,
        "",
        f"{where}，{device.platform.upper()}；"
        f"Python {platform.python_version()}，JAX {jax.__version__}，Keras {keras.__version__}；"
        f"{datetime.date.today().isoformat()}。"
        f"毫秒是进程在所有核上的处理器时间，{steps}步（不编译的{max(3, steps // 5)}步）的中位数；"
        "编译与第一次执行合计在“首步”里。",
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
