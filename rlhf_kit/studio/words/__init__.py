"""What the panels say, in both languages: a file of sentences for each panel."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from rlhf_kit.language import Agreeing, Lang


class Words:
    """The sentences of one panel in one language: `Words("zh", "rank")("saved", order="A > B", pairs=1)`."""

    def __init__(self, lang: Lang, panel: str) -> None:
        self.lang, self.panel = lang, panel

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of that key with its `{fields}` filled in; an unknown key is a bug and raises KeyError.

        A field such as `{share:.0%}` is written as `percent` writes it.
        """
        sentence = sentences(self.panel)[self.lang][key]
        return _FORMATTER.format(sentence, **values) if values else sentence

    def explained(self, key: str) -> str:
        """What `key` is, in one line for whoever points at it; "" where nothing is to be said."""
        return self.all().get(f"explain_{key}", "")

    def all(self) -> dict[str, str]:
        """Every sentence, for a script in the page."""
        return dict(sentences(self.panel)[self.lang])


def percent(share: float, spec: str = ".0%") -> str:
    """0.954 → "95 %"."""
    return f"{format(share, spec)[:-1]} %"


class _WithSpaces(Agreeing):
    def format_field(self, value: object, spec: str) -> str:
        return percent(value, spec) if spec.endswith("%") else super().format_field(value, spec)


_FORMATTER = _WithSpaces()


@cache
def sentences(panel: str) -> dict[Lang, dict[str, str]]:
    """Both tables of a panel's file."""
    return tomllib.loads((files("rlhf_kit.studio.words") / f"{panel}.toml").read_text(encoding="utf-8"))
