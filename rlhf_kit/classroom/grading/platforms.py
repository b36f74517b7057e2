"""What learning platforms and browsers make of a hand-in's name: the student, a number, a time, the file's own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

# How each lesson's notebook is called, without its number.
TITLES = ("map", "sentiment_ppo", "rank_loss_reward_model", "votes_and_packing", "lora_in_8_bits",
          "ppo_and_cheating", "best_of_n", "rest", "instructgpt", "anthropic", "sparrow", "when_rlhf_goes_wrong",
          "after_ppo")
ENDINGS = re.compile(r"(\.ipynb|\.py|\.zip)(\.txt|\.json)?( ?\(\d+\))?$", re.I)
OTHER_ENDINGS = re.compile(r"\.(pdf|docx?|odt|rtf|html?|txt|json|rar|7z|tar|t?gz|png|jpe?g|heic|md|r|m|jl|q?rmd)$",
                           re.I)
COPIES = (re.compile(r"^(?:copy of|kopie von|copie de|copia de|copia di|cópia de|副本[ _-]*)\s*", re.I),
          re.compile(r"[ _-]*(?:的副本|副本|- ?copy|-copy\d*|_copy|- kopie|copy)(?: ?[(（]?\d+[)）]?)?$", re.I),
          re.compile(r"\s*[(（](\d+)[)）]$"))
LESSON = re.compile(rf"[ _.-]*(?<!\d)0\d[a-c]?[ _-]+(?:{'|'.join(t.replace('_', '[ _-]') for t in TITLES)})"
                    rf"(?:[ _-](?:zh|en|solution|solutions))?[ _.-]*", re.I)
MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?$")
CANVAS = re.compile(r"^(?P<name>[^\W\d_][^_]*)_(?:(?P<late>LATE)_)?(?P<id>\d+)_(?P<hand>\d+)_(?P<file>.+)$")
BLACKBOARD = re.compile(r"^(?P<title>.+?)_(?P<name>[^_]+)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+))?$")
BRIGHTSPACE = re.compile(r"^(?P<id>\d+)-(?P<hand>\d+) - (?P<name>.+?) - "
                         r"(?P<time>[A-Z][a-z]{2} \d{1,2}, \d{4} \d{3,4} [AP]M)$")


@dataclass(frozen=True)
class Owner:
    """Who handed a file in, as far as its path says."""

    name: str                       # as the platform, the folder or the file writes it
    number: str = ""                # the platform's, of the person
    platform: str = ""              # "moodle", "canvas", "blackboard", "brightspace"; empty: a name of somebody's
    when: datetime | None = None    # handed in, where the name says it
    late: bool = False              # Canvas writes LATE into the name


def owner(path: Sequence[str], platform: str = "") -> Owner:
    """Of a file in the folder of hand-ins: the outermost part of its path says, so that no student writes another's.

    Where the path has one part, the file's name is the student's, without what copying and the lesson added.

    Args: platform: whose form it is, of several that its name has; see `forms`.
    """
    found = _forms(path)
    if found:
        return found[platform if platform in found else next(iter(found))][0]
    first = path[0] if len(path) > 1 else stem(path[0])
    if len(path) > 1:
        return Owner(first.strip())
    own = LESSON.sub(" ", without_copies(first)).strip(" _.-")
    return Owner(own or first.strip() or path[0])


def forms(paths: Sequence[Sequence[str]]) -> list[str]:
    """For each path the platform whose form its name has, or nothing. Behind its own name stands what a student chose.

    So a name may have the forms of two, one of which the student wrote: `eve_12_34_x_ben_attempt_...`. It is that of
    the two which others have who have no other; where both are there, the one that ends first.
    """
    found = [_forms(path) for path in paths]
    sure = {next(iter(one)) for one in found if len(one) == 1}
    chosen = []
    for one in found:
        known = [platform for platform in one if platform in sure]
        chosen.append(min(known, key=lambda platform: one[platform][1], default=next(iter(one), "")))
    return chosen


def _forms(path: Sequence[str]) -> dict[str, tuple[Owner, int]]:
    """By platform whose the file is, and where in its name the platform's own part ends; the more telling first."""
    first = path[0] if len(path) > 1 else stem(path[0])
    forms: dict[str, tuple[Owner, int]] = {}
    if found := MOODLE.match(first):
        forms["moodle"] = Owner(found["name"].strip(), found["id"], "moodle"), found.end("id")
    if found := BRIGHTSPACE.match(first):
        when = _time(found["time"], "%b %d, %Y %I%M %p")
        forms["brightspace"] = Owner(found["name"].strip(), "", "brightspace", when), found.end()
    if len(path) == 1 and (found := BLACKBOARD.match(first)):
        when = _time(found["time"], "%Y-%m-%d-%H-%M-%S")
        forms["blackboard"] = Owner(found["name"], found["name"], "blackboard", when), found.end("time")
    if len(path) == 1 and (found := CANVAS.match(first)):
        forms["canvas"] = Owner(found["name"], found["id"], "canvas", late=bool(found["late"])), found.end("hand")
    return forms


def is_platforms(part: str) -> bool:
    """True for a name that only a platform makes."""
    return any(pattern.match(stem(part)) for pattern in (MOODLE, BRIGHTSPACE, BLACKBOARD, CANVAS))


def own_name(path: Sequence[str]) -> str:
    """What the student called the file."""
    name = path[-1]
    for pattern in (MOODLE, BLACKBOARD, CANVAS):
        if found := pattern.match(name):
            return found["file"] or name
    return name


def stem(name: str) -> str:
    """Without `.ipynb`, `.py`, `.zip`, and what mailers hang on them."""
    found = ENDINGS.search(name)
    return name[:found.start()] + (found[3] or "") if found else OTHER_ENDINGS.sub("", name)


def without_copies(name: str) -> str:
    """`Copy of 01`, `01 (1)`, `01 的副本` are all `01`."""
    before = None
    while before != name:
        before = name
        for pattern in COPIES:
            name = pattern.sub("", name).strip() or name
    return name


def copy_number(path: Sequence[str]) -> int:
    """Which of several copies: Canvas's `01-2`, a browser's `01 (2)`; 0 for the first."""
    name = stem(own_name(path))
    found = re.search(r"(?:-|\s*[(（])(\d{1,3})[)）]?$", unicodedata.normalize("NFKC", name))
    return int(found[1]) if found else 0


def _time(text: str, form: str) -> datetime | None:
    if form.startswith("%b"):                               # "Nov 30, 2026 905 PM": the hour's 0 is left away
        text = re.sub(r" (\d{3}) ", r" 0\1 ", text)
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        if text[:3] not in months:
            return None
        text, form = f"{months.index(text[:3]) + 1:02}{text[3:]}", form.replace("%b", "%m")     # in any locale
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None
