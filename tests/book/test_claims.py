"""Every claim has its test, every mark its claim."""

from pathlib import Path

import pytest

from scispaces_book.chapters import pages
from scispaces_book.claims import (
    KINDS,
    equations,
    errata,
    evidence,
    label_faults,
    marks,
    test_functions,
    truth_faults,
)

ROOT = Path(__file__).parents[2]

CHAPTER = """---
kernelspec: {name: python3}
---
(tea)=
# 茶

$$ T = T_0 e^{-t/\\tau} $$ (eq-tea-law)

```{exercise}
:label: ex-tea-milk
先加还是后加？
```

```{solution} ex-tea-milk
:class: dropdown

$$ \\tau = 30 $$ (def-tea-tau)
```

```{math}
:label: eq-tea-limit
T \\to 0
```

:::{erratum} eq-tea-law
:test: test_law
原文漏了负号。
:::
"""

TESTS = """import pytest


@pytest.mark.verifies("eq-tea-law", by="closed form")
@pytest.mark.verifies("eq-tea-limit", by="property")
def test_law():
    pass


class TestTea:
    @pytest.mark.verifies("eq-tea-law", by="library")
    def test_peer(self):
        pass
"""


def book(root, chapter=CHAPTER, tests=TESTS):
    """Write a book of one chapter and return its root."""
    for name, text in {
        "chapters/physics/tea.md": chapter,
        "tests/physics/test_tea.py": tests,
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def said(faults):
    return "\n".join(map(str, faults))


def refuse(faults):
    if faults:
        pytest.fail(said(faults), pytrace=False)


def test_every_claim_has_a_test_and_every_mark_its_claim():
    refuse(truth_faults(ROOT))


def test_every_mark_is_well_formed():
    refuse(marks(ROOT)[1])


def test_every_label_stands_once_and_carries_its_slug():
    refuse(label_faults(ROOT))


def test_the_book_has_claims():
    # The tests above would pass on an empty book, or if no equation were found.
    labels = [equation.label for page in pages(ROOT) for equation in equations(page)]
    assert any(label.startswith("eq-") for label in labels)
    assert any(label in evidence(ROOT) for label in labels)


def test_a_sound_book_has_no_faults(tmp_path):
    root = book(tmp_path)
    assert truth_faults(root) == label_faults(root) == marks(root)[1] == []


def test_equations_are_found_with_their_lines(tmp_path):
    (page,) = pages(book(tmp_path))
    found = [(e.label, e.path, e.line, e.section) for e in equations(page)]
    assert found == [
        ("eq-tea-law", "chapters/physics/tea.md", 7, "茶"),
        ("def-tea-tau", "chapters/physics/tea.md", 17, "茶"),
        ("eq-tea-limit", "chapters/physics/tea.md", 20, "茶"),
    ]
    assert [(e.subject, e.test, e.line) for e in errata(page)] == [("eq-tea-law", "test_law", 25)]


def test_marks_are_found_with_their_tests(tmp_path):
    found = [(m.label, m.by, m.test, m.path, m.line) for m in marks(book(tmp_path))[0]]
    assert found == [
        ("eq-tea-law", "closed form", "test_law", "tests/physics/test_tea.py", 6),
        ("eq-tea-limit", "property", "test_law", "tests/physics/test_tea.py", 6),
        ("eq-tea-law", "library", "TestTea.test_peer", "tests/physics/test_tea.py", 12),
    ]
    assert {mark.by for mark in evidence(tmp_path)["eq-tea-law"]} == {"closed form", "library"}


def test_tests_that_change_are_read_again(tmp_path):
    path = "tests/physics/test_tea.py"
    assert "test_law" in test_functions(book(tmp_path), path)
    book(tmp_path, tests=TESTS.replace("test_law", "test_of_the_law"))
    assert "test_law" not in test_functions(tmp_path, path)
    assert test_functions(tmp_path, "tests/physics/test_milk.py") == {}


@pytest.mark.parametrize(
    ("chapter", "tests", "expected"),
    [
        pytest.param(
            CHAPTER + "\n$$ x $$ (eq-tea-new)\n",
            TESTS,
            "chapters/physics/tea.md:30: no test verifies eq-tea-new; "
            'mark one with @pytest.mark.verifies("eq-tea-new", by=…)',
            id="untested claim",
        ),
        pytest.param(
            CHAPTER.replace("eq-tea-limit", "def-tea-limit"),
            TESTS,
            "tests/physics/test_tea.py:6: test_law verifies eq-tea-limit, which no page has",
            id="mark without claim",
        ),
        pytest.param(
            CHAPTER.replace(":test: test_law", ":test: test_flaw"),
            TESTS,
            "chapters/physics/tea.md:25: erratum: `:test:` must name a test function of "
            'tests/physics/test_tea.py, got "test_flaw"',
            id="erratum without test",
        ),
    ],
)
def test_a_missing_half_is_reported(tmp_path, chapter, tests, expected):
    assert said(truth_faults(book(tmp_path, chapter, tests))) == expected


@pytest.mark.parametrize(
    "mark",
    [
        '"eq-tea-law", by="faith"',
        '"eq-tea-law"',
        'LABEL, by="property"',
        '"eq-tea-law", "property", 1',
    ],
)
def test_a_mark_of_another_form_is_reported(tmp_path, mark):
    tests = TESTS.replace('"eq-tea-limit", by="property"', mark)
    message = said(marks(book(tmp_path, tests=tests))[1])
    start = "tests/physics/test_tea.py:5: test_law: the mark must read verifies("
    assert message.startswith(start)
    assert all(f'"{kind}"' in message for kind in KINDS)
    assert mark.split(",")[0].strip('"') in message


def test_a_label_that_stands_twice_is_reported(tmp_path):
    chapter = CHAPTER + "\n$$ x $$ (eq-tea-law)\n\n```{exercise}\n:label: ex-tea-milk\n？\n```\n"
    assert said(label_faults(book(tmp_path, chapter))) == (
        'chapters/physics/tea.md:30: label "eq-tea-law" also at chapters/physics/tea.md:7\n'
        'chapters/physics/tea.md:32: label "ex-tea-milk" also at chapters/physics/tea.md:9'
    )


def test_a_figure_that_stands_twice_is_reported(tmp_path):
    cell = '\n```{code-cell} ipython3\nexplore(draw, name="fig-tea-cup", n=(1, 9))\n```\n'
    assert 'label "fig-tea-cup" also at' in said(label_faults(book(tmp_path, CHAPTER + 2 * cell)))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("eq-law", 'label "eq-law" must carry the slug: eq-tea-…'),
        ("eq-teapot-law", 'label "eq-teapot-law" must carry the slug: eq-tea-…'),
        ("tea-law", 'an equation\'s label starts with eq- or def-, got "tea-law"'),
    ],
)
def test_a_label_of_another_form_is_reported(tmp_path, label, expected):
    chapter = CHAPTER.replace("(eq-tea-law)", f"({label})")
    assert said(label_faults(book(tmp_path, chapter))) == f"chapters/physics/tea.md:7: {expected}"
