"""Whether two names are one person's, may be, or only look alike; and how a stranger's text is shown safely."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from rlhf_kit.labels.sheet import begins_a_formula

LONGEST = 300                                                               # characters in a cell
UNSEEN = "\u115f\u1160\u2800\u3164\uffa0"                                   # letters by their class, and blank
BESIDE = re.compile(r"([;|])(?=[\s\"']*[=+\-@＝＋－＠])")
# Letters of other scripts that are drawn like Latin ones.
PAIRS = (
    "аa вb еe кk мm нh оo рp сc тt уy хx іi јj ѕs һh ԁd ԛq ԝw ґr пn иu гr ьb "      # Cyrillic
    "αa βb εe ζz ηh ιi κk μm νv οo ρp τt υu χx γy "                                # Greek
    "ıi օo սu ոn հh ցg")                                                            # dotless i; Armenian
TWINS = str.maketrans({pair[0]: pair[1] for pair in PAIRS.split()})


def plain(text: str, longest: int = LONGEST) -> str:
    """One line without control characters, marks of direction or invisible letters, for a terminal or a page."""
    return "".join(c if c.isprintable() and c not in UNSEEN else " " for c in text)[:longest]


def safe(text: str, longest: int = LONGEST) -> str:
    """Text that a spreadsheet shows and does not calculate: an apostrophe before whatever begins like a formula.

    Behind ; and | too: where a spreadsheet takes those for the border of a column, what follows is a cell.
    """
    line = BESIDE.sub(r"\1'", plain(text, longest))
    if line.strip() == "-":                                 # Moodle's sign for "not yet"
        return line
    return f"'{line}" if begins_a_formula(text) or begins_a_formula(line) else line


def key(name: str) -> str:
    """The same for two spellings that are surely one: case, composed accents, blanks at the ends."""
    return unicodedata.normalize("NFC", name).casefold().strip()


def tolerant(name: str) -> str:
    """The same whatever the order, the case, the accents, the width and what stands between the parts."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(c for c in letters if not unicodedata.combining(c) and c.isprintable() and c not in UNSEEN)
    return " ".join(sorted(re.findall(r"[^\W_]+", letters)))


def skeleton(name: str) -> str:
    """The same for names that look the same: letters of other scripts, of another width, O and 0, I, l and 1."""
    shown = unicodedata.normalize("NFKD", name).replace("I", "l").replace("1", "l").replace("0", "o").casefold()
    shown = "".join(c for c in shown if not unicodedata.combining(c) and c.isprintable() and c not in UNSEEN)
    return re.sub(r"[\W_]+", "", shown.translate(TWINS))


def look_alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of names that are not the same and look it."""
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        groups[skeleton(name)].setdefault(key(name), name)
    return [tuple(group.values()) for seen, group in groups.items() if seen and len(group) > 1]


def spelled(name: str) -> str:
    """Of which scripts its letters are, and which of them cannot be seen: `LATIN, CYRILLIC` for a mixed one."""
    kinds = dict.fromkeys(unicodedata.name(c, "UNNAMED").split(" ")[0].split("-")[0] for c in name
                          if not c.isspace() and (c.isalpha() or not c.isprintable()))
    return ", ".join(kinds) or "?"
