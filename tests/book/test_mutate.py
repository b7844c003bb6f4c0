"""`make mutate` finds the test that looks at nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scispaces_book.chapters import chapters

ROOT = Path(__file__).parents[2]
MUTATE = ROOT / "tests" / "mutate.py"

MODULE = """
import dataclasses
import functools

import numpy as np

__all__ = ["Pair", "half", "is_even", "pair", "residual", "sample", "split", "third", "unused"]


@dataclasses.dataclass(frozen=True)
class Pair:
    left: float
    right: int


def half(x):
    return x / 2


@functools.cache
def third(x):
    return x / 3


def is_even(n):
    return n % 2 == 0


def split(x):
    return half(x), int(x)


def pair(x):
    return Pair(half(x), 2**70 + int(x))


def residual(x):
    return (x - 1) - x + 1


def sample(size, rng):
    return rng.standard_normal(size)


def unused():
    return 1.0
"""

STRONG = """
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scispaces.mathematics.toy import half, is_even, pair, residual, sample, split, third


@pytest.mark.verifies("eq-toy-half", by="closed form")
@given(x=st.floats(1, 10))
def test_half(x):
    assert half(x) + half(x) == x
    assert third(6.0) == 2.0


@pytest.mark.verifies("eq-toy-half", by="closed form")
def test_the_rest():
    assert is_even(2)
    assert split(3.0) == (1.5, 3)
    assert pair(3.0).left == 1.5
    assert pair(3.0).right - 3 == 2**70
    assert residual(0.3) == pytest.approx(0, abs=1e-12)


@pytest.mark.verifies("eq-toy-half", by="property")
def test_sample():
    assert sample(10_000, np.random.default_rng(0)).std() == pytest.approx(1, abs=0.03)
"""

WEAK = """
import pytest
from scispaces.mathematics.toy import half, is_even, split


@pytest.mark.verifies("eq-toy-half", by="closed form")
def test_sign():
    assert half(3.0) > 0
    assert split(3.0)[0] == 1.5


def test_unmarked():
    assert is_even(2)
"""


@pytest.mark.parametrize("page", chapters(ROOT), ids=lambda page: page.slug)
def test_marked_tests_notice_when_their_functions_change(page):
    run = subprocess.run([sys.executable, MUTATE, page.slug], capture_output=True, text=True)
    if run.returncode:
        pytest.fail(run.stdout + run.stderr, pytrace=False)


def mutate(tmp_path, tests, *slugs):
    """Run a copy of the script in a book of one chapter."""
    for name, text in {
        "code/scispaces/__init__.py": "",
        "code/scispaces/mathematics/__init__.py": "",
        "code/scispaces/mathematics/toy.py": MODULE,
        "chapters/mathematics/toy.md": "",
        "tests/mathematics/test_toy.py": tests,
        "pytest.ini": "[pytest]\nmarkers = verifies\naddopts = --import-mode=importlib\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    script = shutil.copy(MUTATE, tmp_path / "tests" / "mutate.py")
    return subprocess.run(
        [sys.executable, script, *slugs],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "code"), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )


def test_strong_tests_notice_every_change(tmp_path):
    run = mutate(tmp_path, STRONG)
    assert run.returncode == 0, run.stdout + run.stderr
    # half 2, third 2, is_even 1, split 2 + 1, pair 2 + 1, residual 1, sample 1
    assert "toy: 13 of 13 changes noticed" in run.stdout
    assert "toy: no marked test calls unused" in run.stdout


def test_weak_tests_are_named(tmp_path):
    run = mutate(tmp_path, WEAK, "toy")
    assert run.returncode == 1
    assert "toy.split[1] plus 1: unnoticed by test_sign" in run.stdout
    # `split` calls `half`, so that the exact test of one notices changes of the other.
    assert "toy.half" not in run.stdout
    assert "toy: 4 of 5 changes noticed" in run.stdout


def test_a_marked_test_that_fails_anyway_is_named(tmp_path):
    run = mutate(tmp_path, STRONG.replace("== 2.0", "== 3.0"))
    assert run.returncode == 1
    assert "test_half fails as it stands" in run.stdout


def test_a_test_file_that_cannot_be_imported_is_named(tmp_path):
    run = mutate(tmp_path, "import nothing_of_this_name\n" + STRONG)
    assert run.returncode == 1
    assert "No module named 'nothing_of_this_name'" in run.stdout


@pytest.mark.parametrize("slug", ["tea", "toys"])
def test_an_unknown_chapter_is_refused(tmp_path, slug):
    run = mutate(tmp_path, STRONG, slug)
    assert run.returncode == 1
    assert f"no chapter with tests is called {slug}" in run.stderr
