"""Sphinx's settings for the site; `build.py` beside it lays out what Sphinx reads."""

from docutils import nodes
from latex2mathml.converter import convert

project = "rlhf-kit"
author = "The rlhf-kit authors"
copyright = "the rlhf-kit authors, Apache-2.0"
extensions = ["myst_nb", "sphinx_copybutton"]
root_doc = "README"
nb_execution_mode = "off"                   # the lessons' outputs are stored, and tested elsewhere
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "rlhf-kit"
html_search_language = "zh"                 # cuts Chinese into words, and stems English
html_static_path = ["docs/site/static"]
html_css_files = ["site.css"]
html_show_sphinx = html_show_sourcelink = html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
html_math_renderer = "mathml"
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
copybutton_exclude = ".linenos, .gp, .go"
suppress_warnings = ["mystnb.unknown_mime_type"]        # of a widget, which a page cannot move


def setup(app):
    """Formulas as MathML, which browsers draw by themselves: no script, nothing fetched."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(self, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _display(self, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode
