"""What a post is made of: parts, in paragraphs, lists and fences; in Markdown as it is read, in HTML as it is stored.

Every part says the same in English and in Chinese, so one derivation is read out in either.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from rlhf_kit.language import Lang

BULLET = "* "
BETWEEN: dict[Lang, str] = {"en": " ", "zh": ""}                # sentences of a paragraph
_MARKUP = (("`", "code"), (r"\*\*", "strong"))


class Part(NamedTuple):
    """One thing that a post says. The same words are the same part, whoever says them about what."""

    kind: str                     # one of `language.ANSWERING`, or "cut" for a sentence without its end
    en: str                       # in Markdown
    zh: str
    says: str = ""                # a method: a home's problem, or a call; a reason: a problem; an advice: a frame
    thing: str = ""               # the thing named, if any

    def text(self, lang: Lang) -> str:
        return self.en if lang == "en" else self.zh


class Block(NamedTuple):
    """A paragraph, a list or a fence: parts that stand together."""

    form: Literal["paragraph", "list", "fence"]
    parts: tuple[Part, ...]

    def markdown(self, lang: Lang) -> str:
        texts = [part.text(lang) for part in self.parts]
        return "\n".join(BULLET + text for text in texts) if self.form == "list" else BETWEEN[lang].join(texts)

    def html(self, lang: Lang) -> str:
        texts = [part.text(lang) for part in self.parts]
        if self.form == "fence":
            mark, *lines, _ = texts[0].split("\n")
            code = _escape("\n".join(lines))
            return f'<pre><code class="lang-{mark.removeprefix("```")}">{code}\n</code></pre>'
        if self.form == "list":
            return "\n".join(["<ul>", *(f"<li>{_inline(text)}</li>" for text in texts), "</ul>"])
        return f"<p>{BETWEEN[lang].join(map(_inline, texts))}</p>"


def markdown(blocks: Iterable[Block], lang: Lang) -> str:
    """What a reader sees."""
    return "\n\n".join(block.markdown(lang) for block in blocks)


def to_html(blocks: Iterable[Block], lang: Lang) -> str:
    """What the site stores."""
    return "\n".join(block.html(lang) for block in blocks)


def _escape(text: str) -> str:
    return html.escape(text).replace("&#x27;", "'")         # as the site has it


def _inline(text: str) -> str:
    escaped = _escape(text)
    for mark, tag in _MARKUP:
        escaped = re.sub(rf"{mark}(.+?){mark}", rf"<{tag}>\1</{tag}>", escaped)
    return escaped
