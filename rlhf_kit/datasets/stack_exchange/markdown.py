"""From a post's HTML to Markdown, the only door to markdownify: what a model of text can read and write.

`snake_case` and formulas survive (underscores and asterisks are not escaped), code stands between fences with its
language, links keep their address.
"""

from __future__ import annotations

import html as entities
import re
import warnings
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from markdownify import MarkdownConverter

MISSING = "markdownify is not installed; HTML becomes Markdown with it. pip install \"rlhf-kit[scale]\"."
SILENT = ("script", "style", "head", "title", "template", "noscript", "iframe", "object")     # no text for a reader
DEEPEST = 100                           # levels of tags; what people write has a dozen
STRAY = 20                              # tags that are opened and never closed with a ">"
BLOCKS = {"address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
          "li", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"}

_LANGUAGE = re.compile(r"lang(?:uage)?-([A-Za-z0-9+#._-]{1,30})")
_FENCE = re.compile(r"(?:[ >]|[-+*] |\d+\. )*(`{3,})")      # also inside a list or a quotation
_SPACE, _TICKS, _TAG = re.compile(r"\s+"), re.compile(r"`+"), re.compile(r"<[^<>]*>")
_GAP = re.compile(r"\s{100,}")


def to_markdown(html: str) -> str:
    """The Markdown of some HTML: "#" headings, fenced code, links; scripts and styles are dropped.

    White space is tidy outside code and untouched inside. Tags may be unclosed or wrongly nested. Where they stand
    deeper in each other than `DEEPEST`, or are no HTML at all, the plain text is what remains. The time grows with the
    length and not with its square, whatever somebody wrote to slow us down.

    Raises: ValueError, one line, if markdownify is missing.
    """
    converter, html = _converter(), _without_comments(html)
    from bs4.exceptions import ParserRejectedMarkup
    if html.count("<") > STRAY + html.count(">"):           # the parser would look for the end of each, to the end
        return _stripped(html)
    try:
        soup = _parsed(html)
    except ParserRejectedMarkup:
        return _stripped(html)
    for tag in soup.find_all(SILENT):
        tag.decompose()
    for text in soup.find_all(string=_GAP):                 # markdownify looks for the end of each, from everywhere
        if text.find_parent("pre") is None:
            text.replace_with(_GAP.sub(lambda gap: "\n" if "\n" in gap[0] else " ", text))
    return _tidy(converter.convert_soup(soup) if _shallow(soup) else _plain(soup))


def check_installed() -> None:
    """Raises ImportError, one line, if markdownify is missing."""
    _converter()


@cache
def _converter() -> MarkdownConverter:
    try:
        from markdownify import ATX, MarkdownConverter
    except ImportError as error:
        raise ValueError(MISSING) from error

    class Converter(MarkdownConverter):
        """A fence that is longer than any run of backticks inside; a list's dash where markdownify varies it."""

        def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            if not text.strip():
                return ""
            fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
            code = text.strip("\n") if text.strip("\n") else text
            return f"\n\n{fence}{_language(el)}\n{code}\n{fence}\n\n"

    return Converter(heading_style=ATX, escape_underscores=False, escape_asterisks=False, bullets="-")


def _stripped(html: str) -> str:
    """What is left of something that is no HTML when all that looks like a tag is taken out."""
    return " ".join(entities.unescape(_TAG.sub(" ", html)).split())


def _without_comments(html: str) -> str:
    kept, at = [], 0
    while (start := html.find("<!--", at)) >= 0 and (end := html.find("-->", start + 4)) >= 0:
        kept.append(html[at:start])
        at = end + 3
    return "".join((*kept, html[at:].replace("<!--", "")))


def _parsed(html: str) -> BeautifulSoup:
    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
    with warnings.catch_warnings():             # of a post that is one word it asks whether that is a file's name
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        return BeautifulSoup(html, "html.parser")


def _language(pre: Tag) -> str:
    """What the highlighter was told, on the <pre> or on the <code> inside: "lang-py", "language-py"; else nothing."""
    for tag in (pre, pre.find("code")):
        for name in (tag.get("class") or []) if tag is not None else []:
            if (found := _LANGUAGE.fullmatch(name)) and found[1] != "none":
                return found[1]
    return ""


def _shallow(soup: BeautifulSoup) -> bool:
    """True if no tag stands deeper than `DEEPEST`; markdownify and Python's stack go one call deeper for each."""
    depth, level = 0, soup.contents
    while level and depth <= DEEPEST:
        depth += 1
        level = [child for tag in level if tag.name is not None for child in tag.contents]
    return depth <= DEEPEST


def _plain(soup: BeautifulSoup) -> str:
    """The text alone, a line for each block."""
    from bs4.element import PreformattedString
    found = []
    for node in soup.descendants:
        if node.name in BLOCKS:
            found.append("\n")
        elif node.name is None and not isinstance(node, PreformattedString):        # those are comments and the like
            found.append(_SPACE.sub(" ", node))
    return "".join(found)


def _tidy(text: str) -> str:
    """No white space at the ends of lines and at most one empty line, except between the fences of code."""
    lines, fence = [], ""
    for line in text.split("\n"):
        ticks = found[1] if (found := _FENCE.match(line)) else ""
        if fence:
            lines.append(line)
            if len(ticks) >= len(fence) and line.strip(" >") == ticks:
                fence = ""
        else:
            fence = ticks
            line = line.rstrip()
            if line or (lines and lines[-1]):
                lines.append(line)
    return "\n".join(lines).strip("\n")
