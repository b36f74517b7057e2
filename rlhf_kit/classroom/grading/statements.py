"""What a lesson asks: the text, the section and the solution of each exercise, as its source has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rlhf_kit import REPOSITORY
from rlhf_kit.language import Lang
from rlhf_kit.scale.spaces import has_address

PLACES = (Path(__file__).parents[2] / "data" / "lessons", Path(__file__).parents[3] / "notebooks" / "source")
CELL = re.compile(r'^# %%(?: \[markdown\] lang="(?P<lang>\w\w)")?(?P<marks>.*)$', re.M)
HEADING = re.compile(r"^### ✏️ (?:Exercise|练习) (?P<number>\w+\.\d+)\s*-\s*(?P<title>.+)$", re.M)


@dataclass(frozen=True)
class Asked:
    """One exercise, as its reader finds it."""

    title: str = ""
    section: str = ""               # the heading above it
    text: str = ""                  # Markdown, without the heading
    solution: str = ""              # the code


@cache
def asked(lesson: str, lang: Lang) -> dict[str, Asked]:
    """By number; empty where the kit was installed without its lessons."""
    source = next((found for place in PLACES for found in sorted(place.glob(f"{lesson}_*.py"))), None)
    if source is None:
        return {}
    text = source.read_text(encoding="utf-8")
    marks = list(CELL.finditer(text))
    found: dict[str, Asked] = {}
    section = ""
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        body = text[mark.end():after.start() if after else len(text)].strip("\n")
        if mark["lang"] == lang and "hints=" not in mark["marks"]:
            told = re.sub(r"^# ?", "", body, flags=re.M)
            heading = HEADING.search(told)
            sections = re.findall(r"^## (.+)$", told[:heading.start()] if heading else told, re.M)
            section = sections[-1] if sections else section
            if heading:
                found[heading["number"]] = Asked(heading["title"].strip(), section, _statement(told[heading.end():]))
            later = re.findall(r"^## (.+)$", told[heading.end():], re.M) if heading else []
            section = later[-1] if later else section
        elif exercise := re.search(r'exercise="([^"]+)"', mark["marks"]):
            one = found.get(exercise[1], Asked())
            code = re.sub(r"^ *# (?:solution:|end)\n?", "", body + "\n", flags=re.M)
            found[exercise[1]] = Asked(one.title, one.section, one.text, code)
    return found


def address(lesson: str, lang: Lang) -> str:
    """Of the notebook; empty where the kit has no address yet, or was installed without its lessons."""
    source = next((found for place in PLACES for found in sorted(place.glob(f"{lesson}_*.py"))), None)
    path = f"notebooks/{'zh/' if lang == 'zh' else ''}{source.stem}.ipynb" if source else ""
    return f"{REPOSITORY}/blob/main/{path}" if path and has_address() else ""


def _statement(text: str) -> str:
    lines = text.strip().splitlines()
    if lines and re.match(r"`(Difficulty|难度)", lines[0]):
        lines = lines[1:]
    return "\n".join(lines).strip()
