"""Conversations, where the world has them: how a prompt is shown, typed and named, and what is true of a response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlhf_kit.language import Lang
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.worlds import World

HS = ("helpful", "honest", "harmless")


def has_talks(world: World, lang: Lang) -> bool:
    """Whether prompts of that world are conversations."""
    return hasattr(world.of(lang), "hs")


def shown(prompt: str) -> dict[str, Any] | None:
    """What `chat.js` draws: {"kind", "preamble", "note", "turns": [[who, text], ...]}; None where it is plain text."""
    from rlhf_kit.language import LANGS
    from rlhf_kit.tasks.assistant.prompts import read
    found = next((one for one in (read(prompt, lang) for lang in LANGS) if one is not None), None)
    return found and {"kind": found.kind, "preamble": found.preamble, "note": found.note,
                      "turns": [list(turn) for turn in found.turns]}


def as_chat(prompt: str) -> dict[str, Any]:
    """{"chat": the same}, part of a value; {} where it is plain text."""
    chat = shown(prompt)
    return {"chat": chat} if chat else {}


def named(prompt: str) -> str:
    """What a prompt is called on a button: of a conversation what was asked last."""
    found = shown(prompt)
    return prompt if found is None else found["turns"][-1][1]


def typed(text: str, world: World, lang: Lang) -> str:
    """What the policy is asked: a conversation as it was typed; what is none becomes the first statement of one."""
    if not has_talks(world, lang) or shown(text) is not None:
        return text
    from rlhf_kit.tasks.assistant.prompts import asked_plainly
    return asked_plainly(text, getattr(world.of(lang), "lang", lang))


def truths(world: World, prompt: str, response: str, lang: Lang) -> dict[str, Any]:
    """What is true of a response: {"helpful", "honest", "harmless", "broken", "why": {each of these: a line}}.

    Empty where the world does not know, or does not understand the prompt. "broken" has the wordings of the rules that
    it breaks; "why" names the sentences that cost something, and how much they leave, in the page's language.
    """
    task = world.of(lang)
    if not has_talks(world, lang):
        return {}
    found = task.explain(prompt, response, lang)
    if found.case is None:
        return {}
    from rlhf_kit.tasks.assistant.rules import wordings
    verdicts = [one for one in task.rules(prompt, response).values() if one.broken]
    because = [f"{wordings(one.rule, lang)[0]} {_quoted(one.because, lang)}".strip() for one in verdicts]
    return {**{name: round(getattr(found, name), 4) for name in HS},
            "broken": [wordings(one.rule, lang)[0] for one in verdicts],
            "why": {**{name: _costs(found, i, lang) for i, name in enumerate(HS)}, "broken": " ".join(because)}}


def _costs(found: Any, quality: int, lang: Lang) -> str:
    """Which sentences cost how much of one quality, and what else did."""
    from rlhf_kit.language import say
    words, join = Words(lang, "compare"), "；" if lang == "zh" else "; "
    parts = [words("leaves", what=say(lang, f"assistant_note_{note.kind}".replace(" ", "_")), left=note.costs[quality],
                   text=note.sentence.text) for note in found.notes if note.costs[quality] < 1]
    about = {"helpful": ("wanted", "repetition", "coverage", "complete"), "honest": ("coverage",), "harmless": ()}
    factors = [name for name in about[HS[quality]] if getattr(found, name) < 1]
    parts += [f"{say(lang, f'assistant_{name}')} {getattr(found, name):.2f}" for name in factors]
    if HS[quality] == "honest" and found.honest < 1 and not parts:
        parts.append(words("idle"))
    return join.join(parts)


def _quoted(texts: Sequence[str], lang: Lang) -> str:
    return " ".join(f"“{text}”" for text in texts)
