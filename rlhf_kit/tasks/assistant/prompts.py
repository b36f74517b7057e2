"""Prompts as they are written: plain, few-shot or user-based, up to four statements, a preamble; and read back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from rlhf_kit.language import Lang
from rlhf_kit.tasks.assistant.cases import Case, case
from rlhf_kit.tasks.assistant.derivation import read_ask, read_user, tell
from rlhf_kit.tasks.grammar import join

PromptType = Literal["plain", "few-shot", "user-based"]
PROMPT_TYPES: tuple[PromptType, ...] = get_args(PromptType)

BREAK = "\n\n"
REMARKS = 0.2                           # of the users' turns begin with one
LINE = "---"                            # between dialogues that stand in one text


class Marks(NamedTuple):
    """The words that say who speaks, in one language."""

    user: str
    assistant: str
    question: str                       # of few-shot prompts
    answer: str
    about: str                          # before what is known of the user
    shown: str                          # the instruction of few-shot prompts
    space: str                          # a response begins with it


MARKS: dict[Lang, Marks] = {
    "en": Marks("User:", "Assistant:", "Question:", "Answer:", "About the user:",
                "Answer the last question as the ones before it are answered.", " "),
    "zh": Marks("用户：", "助手：", "问：", "答：", "关于用户：", "照前面的样子回答最后一个问题。", ""),
}


@dataclass(frozen=True)
class Statement:
    """One thing that is asked, with the answer to it if there is one already."""

    case: Case
    ask: str
    answer: str | None = None


def statement(asked: Case, lang: Lang, rng: random.Random, answer: str | None = None) -> Statement:
    """Put a case into words. Some users first say something unkind, or something about themselves."""
    ask = tell(f"ask/{asked.kind}/{asked.form}", asked.told, rng).text(lang)
    if rng.random() < REMARKS:
        remark = join([*tell("remark", {}, rng).tokens(lang), "." if lang == "en" else "。"], lang)
        ask = remark + MARKS[lang].space + ask
    return Statement(asked, ask, answer)


def write(statements: Sequence[Statement], lang: Lang, kind: PromptType = "plain", about: str = "") -> str:
    """A prompt that ends where the response to its last statement begins.

    Args:
        about: a sentence about the user, which a user-based prompt has.
    """
    marks = MARKS[lang]
    asks, answers = (marks.question, marks.answer) if kind == "few-shot" else (marks.user, marks.assistant)
    parts = [f"{marks.about}{marks.space}{about}"] if kind == "user-based" else []
    parts += [marks.shown] if kind == "few-shot" else []
    for one in statements:
        parts.append(f"{asks}{marks.space}{one.ask}")
        parts.append(answers + (f"{marks.space}{one.answer}" if one.answer is not None else ""))
    return BREAK.join(parts)


def under(preamble: str, prompt: str) -> str:
    """The prompt below a preamble, which may hold dialogues of its own."""
    return f"{preamble}{BREAK}{LINE}{BREAK}{prompt}"


class Turn(NamedTuple):
    """Something that was said."""

    who: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Conversation:
    """A prompt as somebody reads it."""

    kind: PromptType
    preamble: str                       # what stands above the last line of hyphens
    note: str                           # what is known of the user, or the instruction of a few-shot prompt
    turns: tuple[Turn, ...]             # the last one is the user's


def read(prompt: str, lang: Lang) -> Conversation | None:
    """The parts of a prompt; None if it is not written as `write` writes them."""
    marks, found, note = MARKS[lang], [], ""
    above, _, below = prompt.rpartition(f"{LINE}{BREAK}")
    *paragraphs, last = [part.strip() for part in below.split(BREAK)]
    who = {marks.user: "user", marks.question: "user", marks.assistant: "assistant", marks.answer: "assistant"}
    for paragraph in paragraphs:
        mark = next((one for one in who if paragraph.startswith(one)), None)
        if mark is not None:
            found.append(Turn(who[mark], paragraph.removeprefix(mark).strip()))
        elif found:
            found[-1] = found[-1]._replace(text=found[-1].text + BREAK + paragraph)
        else:
            note = f"{note}{BREAK}{paragraph}".strip()
    if last not in (marks.assistant, marks.answer) or not found or found[-1].who != "user":
        return None
    kind = "few-shot" if last == marks.answer else "user-based" if note.startswith(marks.about) else "plain"
    return Conversation(kind, above.strip(), note, tuple(found))


def asked_plainly(text: str, lang: Lang) -> str:
    """A plain prompt of one statement."""
    return BREAK.join((f"{MARKS[lang].user}{MARKS[lang].space}{text.strip()}", MARKS[lang].assistant))


@lru_cache(maxsize=20_000)
def case_of(prompt: str, lang: Lang) -> Case | None:
    """What the last statement of a prompt asks for; None if it is not of this world.

    Of what stands above the last line of hyphens nothing counts. What leans on an earlier turn ("and how do I paint
    it?") is filled in from there.
    """
    marks, found, charge = MARKS[lang], None, ""
    paragraphs = [part.strip() for part in prompt.rpartition(f"{LINE}{BREAK}")[2].split(BREAK)]
    for paragraph in paragraphs:
        if paragraph.startswith(marks.about):
            charge = (read_user(paragraph.removeprefix(marks.about), lang) or {}).get("charge", "")
        for mark in (marks.user, marks.question):
            if paragraph.startswith(mark):
                found = _resolved(read_ask(paragraph.removeprefix(mark), lang), found, charge)
    return found if paragraphs[-1] in (marks.assistant, marks.answer) else None


def _resolved(roles: dict[str, str] | None, before: Case | None, charge: str) -> Case | None:
    if roles is None:
        return None
    kind, form = roles.pop("kind"), roles.pop("form")
    if form in ("there", "it"):
        if before is None or before.kind != kind:
            return None
        owner, noun = before.thing if kind == "do" else ("place", before["place"])
        roles[owner] = noun
    if kind == "do" and charge:
        roles.setdefault("charge", charge)
    if form == "beside" and roles["noun"] not in (roles["own"], roles["common"]):
        return None
    return case(kind, form, roles)
