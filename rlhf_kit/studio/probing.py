"""What the panel Reward model shows, as plain JSON: a score, what each word is worth, and where others stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from rlhf_kit.language import Lang
from rlhf_kit.studio.comparing import gold_of
from rlhf_kit.studio.words import Words

if TYPE_CHECKING:
    from rlhf_kit.studio.shelf import Judge

REVIEWS = 300                       # held-out, to compare a score with
RANKINGS = 100                      # held-out, of four responses each
WORDS = 150                         # of a text that are left out one at a time
NOISE = 0.1                         # of those who ranked, as the tiny reward models' own

Trick = Literal["longer", "exclaim", "polite", "repeat"]
TRICKS: tuple[Trick, ...] = ("longer", "exclaim", "polite", "repeat")


def fooled(trick: Trick, text: str, lang: Lang) -> str:
    """The text with something added that makes it no better."""
    if trick == "exclaim":
        mark = "！" if lang == "zh" else "!"
        return text.rstrip().rstrip(".。!！") + mark * (3 + text.count(mark))
    return text.rstrip() + Words(lang, "probe")(f"add_{trick}")


def scored(judge: Judge, text: str, lang: Lang) -> dict[str, Any]:
    """What the judge says of a text and what each word of it is worth, with the truth where that is known.

        {"judge", "kind", "text", "score", "probability", "gold", "parts": [[text, effect or null], ...], "length"}
    """
    from rlhf_kit.attribution import deletions, words
    judge, before, said = _heard(judge, text)
    parts = words(said, judge.tokenizer)
    shown = [*parts[:WORDS], *(["".join(parts[WORDS:])] if len(parts) > WORDS else [])]
    score, effects = deletions(judge.score, before, shown)
    return {"judge": judge.name, "kind": judge.kind, "text": text, "score": round(score, 4),
            "probability": round(float(judge.probability([before], [said])[0]), 4), "gold": gold_of("", text, lang),
            "parts": [*([[before, None]] if before else []), *([part, round(effect, 4) if i < WORDS else None]
                      for i, (part, effect) in enumerate(zip(shown, effects, strict=True)))],
            "length": len(text)}


def _heard(judge: Judge, text: str) -> tuple[Judge, str, str]:
    """Judge, prompt and response: of a dialogue, before a reward model that reads conversations, its last answer;
    else the whole text without a prompt."""
    from rlhf_kit.datasets.chats import dialogue_of
    chat = dialogue_of(text) if judge.reads_chats else None
    if chat is None or chat[-1].role != "assistant":
        return judge, "", text
    said = chat[-1].text
    before = text[:text.rindex(said)]
    return judge.on({before: chat[:-1]}), before, said


def held_out(judge: Judge, lang: Lang) -> list[list[float]]:
    """Length in characters and score of some hundred held-out reviews: [[length, score], ...]."""
    from rlhf_kit.tasks.reviews import Reviews
    texts = Reviews(lang).corpus(REVIEWS, seed=1, split="heldout")
    scores = judge.score([""] * len(texts), texts)
    return [[len(text), round(float(score), 3)] for text, score in zip(texts, scores, strict=True)]


def accuracy(judge: Judge, lang: Lang) -> dict[str, float]:
    """On how many held-out pairs the judge is right: {"mean", "low", "high", "n"}."""
    from rlhf_kit.evaluate import agreement
    from rlhf_kit.tasks.reviews import Reviews
    found = agreement(judge.score, Reviews(lang).rankings(RANKINGS, 4, NOISE, seed=1, split="heldout")).pair_accuracy
    return {"mean": round(found.mean, 4), "low": round(found.low, 4), "high": round(found.high, 4), "n": found.n}


def example(lang: Lang, policy_folder: str | None = None, reward: Judge | str | None = None) -> dict[str, Any]:
    """The panel's part of the saved example, by a really trained judge; the policy is not asked.

    {**scored, "held_out": [[length, score], ...], "accuracy", "was": null}
    """
    from rlhf_kit.studio.shelf import Shelf
    judge = reward if reward is not None and not isinstance(reward, str) else Shelf(".").judge(
        reward or f"tiny-rm-{lang}", lang)
    return {**scored(judge, Words(lang, "probe")("start"), lang), "held_out": held_out(judge, lang),
            "accuracy": accuracy(judge, lang), "was": None}
