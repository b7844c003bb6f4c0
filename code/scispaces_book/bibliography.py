"""How the list of references reads: titles as they are written, posts with their day."""

from pybtex.plugin import register_plugin
from pybtex.style.formatting import toplevel
from pybtex.style.formatting.unsrt import Style
from pybtex.style.template import field, optional, sentence

__all__ = ["BookStyle", "setup"]


class BookStyle(Style):
    """Lists works by author and year, as the text cites them; an ``@online`` has a ``date``."""

    default_sorting_style = "author_year_title"

    def format_title(self, e, which_field, as_sentence=True):
        """Return a title; pybtex would make BiGAN-QP Bigan-qp."""
        title = field(which_field)
        ended = e.fields[which_field].endswith(("？", "！", "。"))
        return sentence(add_period=not ended)[title] if as_sentence else title

    def get_online_template(self, e):
        """Return the template of a post."""
        return toplevel[
            sentence[self.format_names("author")],
            self.format_title(e, "title"),
            sentence[optional[field("howpublished")], field("date")],
            self.format_web_refs(e),
        ]


def setup(app):
    """Register the style with sphinxcontrib-bibtex, under the name that _config.yml gives."""
    register_plugin("pybtex.style.formatting", "book", BookStyle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
