"""What a preference model learns from beside its rankings: votes before them (PMP), and pairs of a red team."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rlhf_kit import tasks
from rlhf_kit.datasets.door import as_rankings, bring
from rlhf_kit.datasets.rankings import as_ranking, hold_out, texts_of
from rlhf_kit.datasets.reading import refused, same_text
from rlhf_kit.datasets.recast import binarised, choices, turned, with_distractors
from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.jobs import written
from rlhf_kit.models.heads import RewardModel

Form = Literal["binarised", "ranked"]
FORMS: tuple[Form, ...] = ("binarised", "ranked")
VOTED = 2000                        # pairs of a made-up world
HELD_OUT = 400                      # pairs of a red team, or a fifth if that is fewer


def votes(source: str, form: Form, kept_out: Sequence[Ranking | Comparison], model: RewardModel | None,
          template: str | None, name: str) -> list[Comparison]:
    """Pairs that votes made, to learn from before people's preferences; none with a text that is kept out.

    Args:
        source: a made-up world with votes ("forum-en"), a file of pairs or rankings, a folder, or a set on the hub.
        form: "binarised" as in arXiv:2112.00861, or the pairs as they are.

    Raises: ValueError, FileError, CannotWrite, one line.
    """
    if form not in FORMS:
        raise ValueError(f"--votes-form is {form!r}; expected {' or '.join(FORMS)}.")
    if source in tasks.names() and not Path(source).exists():
        world = tasks.find(source)
        if not hasattr(world, "comparisons"):
            have = [one for one in tasks.names() if hasattr(tasks.find(one), "comparisons")]
            raise ValueError(f"--votes is {source}, a world in which nobody votes. Name {' or '.join(have)}, or a file "
                             f"of pairs.")
        found = world.comparisons(VOTED)
    else:
        found = _pairs(source, model, template, name)
    seen = {same_text(whole) for one in kept_out for whole in texts_of(one)}
    clean = [one for one in found if not seen & {same_text(whole) for whole in texts_of(one)}]
    if not clean:
        raise ValueError(f"every pair of {source} holds a text that is kept out for the examination. Name other votes.")
    return binarised(clean) if form == "binarised" else clean


def attacks(source: str | None, model: RewardModel | None, template: str | None,
            name: str) -> tuple[list[Comparison], list[Comparison]]:
    """A red team's pairs, in which the more harmful answer was picked, turned round: to learn from, and kept out."""
    if source is None:
        return [], []
    found = turned(_pairs(source, model, template, name))
    learn, kept_out = hold_out(found, max(min(HELD_OUT, len(found) // 5), 1))
    if not learn:
        raise refused(source, f"holds {len(found)} pairs, all of one prompt; with some held out none is left to learn "
                              f"from. Add some with other prompts.")
    return learn, kept_out


def off_topic(judged: Sequence[Ranking]) -> list[Ranking]:
    """Of each held-out choice what was picked, against a reply from another dialogue."""
    found = with_distractors(choices(judged), 1, seed=1)
    pairs = [(one, one.responses[one.ranks.index(1)]) for one, before in zip(found, judged, strict=True)
             if len(one.responses) > len(before.responses)]
    return [Ranking(one.prompt, (best, one.responses[-1]), (1, 2)) for one, best in pairs]


def _pairs(source: str, model: RewardModel | None, template: str | None, name: str) -> list[Comparison]:
    texts = written.comparisons(as_rankings(bring(source, "preferences", {})), None if model is None else
                                model.tokenizer, template, name)
    return [pair for one in texts.items for pair in (as_ranking(one) if isinstance(one, Comparison) else one).pairs()]
