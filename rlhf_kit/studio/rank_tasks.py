"""Where the lists to rank come from: the saved example, or a model that writes some more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rlhf_kit.labels import Labels, Response
from rlhf_kit.language import Lang
from rlhf_kit.studio import workspace as shared
from rlhf_kit.studio.problems import Problem
from rlhf_kit.studio.worlds import REVIEWS, World

if TYPE_CHECKING:
    from rlhf_kit.models.heads import Policy
    from rlhf_kit.sampling import Sampling

FEWEST, MOST = 4, 9                 # cards of a list, as InstructGPT's labelers saw (arXiv:2203.02155, section 3.5)
LISTS = 20                          # of the saved example
ROUNDS = 8                          # of sampling, until K responses differ


def fill(labels: Labels, lang: Lang, k: int, world: World = REVIEWS) -> None:
    """Put lists into the file if it has none of that size in that language: of reviews the saved example's.

    Another world may have candidates: responses by its own people, of which nobody is named.

    Raises: LabelsError; FileNotFoundError or KeyError if there is no saved example.
    """
    if world != REVIEWS:
        candidates = getattr(world.of(lang), "candidates", None)
        if candidates and not labels.count(kind="rank", k=k, lang=lang if world.follows_the_page else None):
            labels.add_tasks(candidates(LISTS, k), kind="rank")
    elif not labels.count(kind="rank", k=k, lang=lang):
        model = f"tiny-lm-{lang}"
        labels.add_tasks([(one["prompt"], [Response(text, model) for text in one["responses"][:k]])
                          for one in shared.example(lang)["rank"]], kind="rank")


def example(lang: Lang, lists: int = LISTS, seed: int = 0) -> list[dict[str, Any]]:
    """The part "rank" of the saved example, sampled now: [{"prompt": ..., "responses": [9 distinct texts]}, ...]."""
    from rlhf_kit import zoo
    from rlhf_kit.tasks.reviews import Reviews
    prompts, writer = Reviews(lang).prompts("heldout", n=lists, seed=seed), zoo.load_policy(f"tiny-lm-{lang}")
    return [{"prompt": prompt, "responses": sample(writer, prompt, MOST, seed=seed + 100 * i)}
            for i, prompt in enumerate(prompts)]


def more(labels: Labels, writer: Policy, lang: Lang, k: int, world: World = REVIEWS, *, model: str | None = None,
         prompts: Sequence[str] = ()) -> int:
    """Add a list of K responses of a language model to a prompt; its number.

    Args:
        model: its name, by default the tiny one's.
        prompts: taken in turn; by default held-out ones of the world.
    """
    seed = 1 + labels.count()                       # another one each time, in each file the same ones
    prompt = prompts[seed % len(prompts)] if prompts else world.of(lang).prompts("heldout", n=1, seed=seed)[0]
    texts, model = sample(writer, prompt, k, seed=1000 * seed), model or world.model("lm", lang)
    return labels.add_task(prompt, [Response(text, model, 1000 * seed) for text in texts], kind="rank").id


def add(labels: Labels, writer: Policy, model: str, prompt: str, k: int, seed: int) -> bool:
    """Add a list of K responses of that model to that prompt; False where it is there, or they are too alike."""
    try:
        texts = sample(writer, prompt, k, seed)
    except TooAlike:
        return False
    return labels.add_tasks([(prompt, [Response(text, model, seed) for text in texts])], kind="rank") == 1


class TooAlike(ValueError):
    """A model writes too few different responses."""


def fitting(writer: Policy, prompts: Sequence[str]) -> Sampling:
    """As many new tokens as there is room for behind the longest prompt, and no more than usual.

    Raises: Problem if a prompt fills the model's context.
    """
    from rlhf_kit.models.text import prompt_rows
    from rlhf_kit.sampling import Sampling
    n, usual = max(map(len, prompt_rows(writer.tokenizer, prompts))), Sampling()
    if writer.context is None:
        return usual
    if n >= writer.context:
        raise Problem("prompt_too_long", n=n, context=writer.context)
    return replace(usual, max_new_tokens=min(usual.max_new_tokens, writer.context - n))


def sample(writer: Policy, prompt: str, k: int, seed: int) -> list[str]:
    """K responses that differ from each other; a model with a chat template is asked the prompt as a question.

    Raises: TooAlike if the model writes too few different ones.
    """
    from rlhf_kit.jobs.written import question
    from rlhf_kit.sampling import sample_rollout
    found: dict[str, None] = {}
    asked, _ = question(writer.tokenizer, prompt)
    for turn in range(ROUNDS):
        drawn = sample_rollout(writer, [asked] * (k + 3), fitting(writer, [asked]), seed=seed + turn).responses
        found |= dict.fromkeys(text for text in drawn if text.strip())
        if len(found) >= k:
            return list(found)[:k]
    raise TooAlike(f"the model wrote only {len(found)} different responses to {prompt!r} in {ROUNDS} rounds; "
                   f"expected {k}.")
