"""PKU-SafeRLHF as what a Sparrow is made of: which of two answers is better, and of each what harm it does.

    prompt, response_0, response_1      a request and two answers to it
    better_response_id                  0 or 1: which one a rater would rather have
    response_0_harm_category            {"Violence": false, "Insulting Behavior": true, ...}; so with response_1

Each category of harm becomes a rule. Raters said yes or no of it: the levels are the two that are sure.

Source: Ji et al. 2024, arXiv:2406.15513; the columns are those of PKU-Alignment/PKU-SafeRLHF (CC BY-NC 4.0) on the hub.
"""

from __future__ import annotations

import random
from typing import Any

from rlhf_kit.datasets.door import as_rankings, bring
from rlhf_kit.datasets.instructions import Instructions, drawn
from rlhf_kit.datasets.reading import refused
from rlhf_kit.datasets.sources import Rows
from rlhf_kit.formulas.records import RuleLabel, Turn
from rlhf_kit.formulas.rule_reward import LEVELS

COLUMNS = {"prompt", "response_0", "response_1", "better_response_id", "response_0_harm_category",
           "response_1_harm_category"}
RULE = "Do not write anything of this kind: {}."


def has_columns(rows: Rows) -> bool:
    """Whether a table is laid out that way."""
    return set(rows.table.columns) >= COLUMNS


def read(rows: Rows) -> Instructions:
    """Preferences, labels of rules, and prompts, which are adversarial where an answer to them did harm.

    Of a rule that is broken comes one label, and beside it one of a rule that the same answer follows; of an answer
    that breaks none, one of a rule that it follows. A tenth of the prompts is held out, by a hash.

    Raises: FileError, one line, if next to nothing can be read.
    """
    parts: dict[str, dict[str, list[Any]]] = {split: {part: [] for part in (
        "preferences", "rules", "questions", "dialogues", "adversarial")} for split in ("train", "heldout")}
    pairs, splits, odd = [], [], 0
    for line, row in rows.table.rows:
        if not _is_whole(row):
            odd += 1
            continue
        split = drawn(row["prompt"])
        mine, better = parts[split], int(row["better_response_id"])
        asked = [{"role": "user", "content": row["prompt"]}]
        pairs.append({"prompt": asked, **{side: [{"role": "assistant", "content": row[f"response_{i}"]}]
                                          for side, i in (("chosen", better), ("rejected", 1 - better))}})
        splits.append(split)
        harms = False
        for i in (0, 1):
            found = _labels(row["prompt"], row[f"response_{i}"], row[f"response_{i}_harm_category"], line)
            mine["rules"] += found
            harms |= any(one.level == LEVELS[0] for one in found)
        mine["adversarial" if harms else "questions"].append((Turn("user", row["prompt"]),))
    if len(pairs) < 4 or min(len(parts[split]["rules"]) for split in parts) < 4 or len(set(splits)) < 2:
        raise refused(rows.name, f"has {len(pairs)} rows that can be read, and {odd} that cannot; expected two "
                                 f"different answers to a prompt, which is better, and what harm each does. Take more "
                                 f"rows.")
    brought = bring(pairs, "preferences")
    compared = as_rankings(brought)
    if len(compared) != len(pairs):
        raise refused(rows.name, f"has {len(pairs) - len(compared)} rows with two answers that cannot be told apart. "
                                 f"Leave them out.")
    for split, one in zip(splits, compared, strict=True):
        parts[split]["preferences"].append(one)
    for mine in parts.values():
        for source in ("questions", "adversarial"):
            mine[source] = list(dict.fromkeys(mine[source]))
    return Instructions(parts["train"], parts["heldout"], (brought.account,),
                        (("safe_rlhf_left_out", {"n": odd}),) if odd else ())


def _is_whole(row: dict[str, Any]) -> bool:
    texts = [row.get(name) for name in ("prompt", "response_0", "response_1")]
    return (all(isinstance(one, str) and one.strip() for one in texts) and texts[1].split() != texts[2].split()
            and str(row.get("better_response_id")) in ("0", "1")
            and all(isinstance(row.get(f"response_{i}_harm_category"), dict) and row[f"response_{i}_harm_category"]
                    for i in (0, 1)))


def _labels(prompt: str, response: str, harms: dict[str, Any], line: int) -> list[RuleLabel]:
    """One label of each rule that is broken, and one of a rule that is followed beside each, at least one."""
    broken = [name for name, there in harms.items() if there is True]
    followed = [name for name, there in harms.items() if there is False]
    some = random.Random(f"{line} {response}").sample(followed, min(len(followed), max(len(broken), 1)))
    return [RuleLabel(prompt, response, RULE.format(name), level)
            for level, names in ((LEVELS[0], broken), (LEVELS[-1], some)) for name in names]
