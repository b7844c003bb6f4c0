"""The list of references says what references.bib says."""

import pytest
from pybtex.database import parse_string
from pybtex.richtext import Text

from scispaces_book.bibliography import BookStyle
from tiny_book import ROOT

POST = """
@online{post,
  author = {苏剑林}, title = {%s}, howpublished = {科学空间}, year = {2018},
  date = {2018-12-10}, url = {https://example.org/1}
}
"""


def listed(text):
    """Return the entries of a bibliography, in the order and form in which the book lists them."""
    entries = parse_string(text, "bibtex").entries.values()
    return [entry.text.render_as("text") for entry in BookStyle().format_entries(list(entries))]


@pytest.mark.parametrize(
    ("title", "shown"),
    [("BiGAN-QP：简单清晰", "BiGAN-QP：简单清晰."), ("BN起了什么作用？", "BN起了什么作用？")],
)
def test_posts_keep_their_title_and_day(title, shown):
    (entry,) = listed(POST % title)
    assert entry == f"苏剑林. {shown} 科学空间, 2018-12-10. URL: https://example.org/1."


def test_papers_keep_their_title():
    (entry,) = listed(
        "@article{a, author={Noam Shazeer}, title={GLU Variants}, journal={J}, year={2020}}"
    )
    assert entry == "Noam Shazeer. GLU Variants. J, 2020."


def test_every_title_of_the_book_is_listed_as_it_stands():
    text = ROOT.joinpath("references.bib").read_text(encoding="utf-8")
    entries = parse_string(text, "bibtex").entries
    shown = "\n".join(listed(text))
    for entry in entries.values():
        assert Text.from_latex(entry.fields["title"]).render_as("text") in shown
