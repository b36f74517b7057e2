"""What labelers say about rules in the assistant's world: a dialogue, a rule in words, and one of five levels."""

from __future__ import annotations

import random
from collections import Counter

from rlhf_kit.formulas.records import RuleLabel
from rlhf_kit.tasks.assistant.answers import draw_writer
from rlhf_kit.tasks.assistant.cases import Split
from rlhf_kit.tasks.assistant.labelers import Labeler
from rlhf_kit.tasks.assistant.rules import RULES, wordings
from rlhf_kit.tasks.assistant.task import Assistant

ADVERSARIAL = 0.7                   # of the answers that break something: so often the rule is one of those


def rule_labels(task: Assistant, n: int, seed: int = 0, split: Split = "train", wording: Split = "train",
                labeler: Labeler | None = None) -> list[RuleLabel]:
    """Labels of all twelve rules, each about as often broken as followed, as far as people break it.

    Of an answer that breaks something the rule is mostly one that it breaks, as if its rater had tried to make it do
    so, and else one that it keeps: that an answer is bad does not say that this rule is broken.

    Args:
        split: of what is asked about.
        wording: of how the rules are put; "heldout" wordings stand in no training text.
        labeler: who sees it; None = a good one.
    """
    if n < 1:
        raise ValueError(f"n is {n}; ask for at least 1.")
    rng, found, who = random.Random(f"assistant rule labels {seed} {split}"), [], labeler or Labeler("rules")
    seen: Counter[tuple[str, bool]] = Counter()
    while len(found) < n:
        [prompt] = task.asked(1, seed=rng.getrandbits(32), split=split, types=("plain",))
        _, response = task.dialogue(prompt, draw_writer(rng), rng)
        verdicts = task.rules(prompt.text, response)
        broken = any(one.broken for one in verdicts.values()) and rng.random() < ADVERSARIAL
        rule = min((rule for rule in RULES if verdicts[rule].broken == broken),
                   key=lambda rule: (seen[rule, broken], rng.random()))
        seen[rule, broken] += 1
        level = who.level(rule, prompt.text, response, task.explain, rng).level
        found.append(RuleLabel(prompt.text, response, rng.choice(wordings(rule, task.lang, wording)), level))
    return found
