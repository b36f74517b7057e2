"""What a preference model learns from beside its rankings: votes before them (PMP), a red team's pairs; or half."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from zlib import crc32

from rlhf_kit import tasks
from rlhf_kit.datasets.door import as_rankings, bring
from rlhf_kit.datasets.rankings import as_ranking, hold_out, texts_of
from rlhf_kit.datasets.reading import refused, same_text
from rlhf_kit.datasets.recast import binarised, choices, turned, with_distractors
from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.jobs import written
from rlhf_kit.models.heads import RewardModel

Form = Literal["binarised", "ranked"]
Half = Literal["first", "second"]
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


def half_of(learn: Sequence[Ranking | Comparison], weights: Sequence[float],
            half: Half | None) -> tuple[list[Ranking | Comparison], list[float]]:
    """One of two halves that share no prompt, with their weights; all if none is named.

    Whatever else differs, two models of the two halves learned different accidents of the data, and a policy that
    pleases one of them shows by the other how far it pleases the accidents (arXiv:2204.05862, section 4.2). Which half
    a prompt belongs to is decided by itself. Raises: ValueError for a half that is empty.
    """
    if half is None:
        return list(learn), list(weights)
    places = [place for place, one in enumerate(learn) if (crc32((one.prompt or texts_of(one)[0]).encode()) % 2 == 0)
              == (half == "first")]
    if not places:
        raise ValueError(f"the {half} half of the {len(learn)} rankings is empty. Give more, with different prompts.")
    return [learn[place] for place in places], [weights[place] for place in places]


def off_topic(judged: Sequence[Ranking]) -> list[Ranking]:
    """Of each held-out choice what was picked, against a reply from another dialogue."""
    found = with_distractors(choices(judged), 1, seed=1)
    pairs = [(one, one.responses[one.ranks.index(1)]) for one, before in zip(found, judged, strict=True)
             if len(one.responses) > len(before.responses)]
    return [Ranking(one.prompt, (best, one.responses[-1]), (1, 2)) for one, best in pairs]


def _pairs(source: str, model: RewardModel | None, template: str | None, name: str) -> list[Comparison]:
    texts = written.comparisons(as_rankings(bring(source, "preferences", {})), None if model is None else
                                model.tokenizer, template, name)
    return [pair for one in texts.items for pair in as_ranking(one).pairs()]
