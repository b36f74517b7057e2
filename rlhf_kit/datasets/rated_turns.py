"""A folder to make a Sparrow of: what raters preferred, which rules they found broken, and prompts of three sources.

    mine/preferences.jsonl      prompt, responses, ranks; or pairs           and, where they are known,
    mine/rules.jsonl            prompt, response, rule, level                user    who sent the prompt
    mine/questions.jsonl        prompt                                       split   train or heldout
    mine/dialogues.jsonl        optional: prompts with earlier turns
    mine/adversarial.jsonl      optional: prompts that try to have a rule broken

A set on the hub, a file or a folder in the columns of PKU-SafeRLHF may be named instead, see `safe_rlhf`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rlhf_kit.datasets import safe_rlhf
from rlhf_kit.datasets.door import Want
from rlhf_kit.datasets.instructions import Instructions, parted
from rlhf_kit.datasets.reading import refused
from rlhf_kit.datasets.rule_labels import read_rule_labels
from rlhf_kit.datasets.sources import is_hub_name, read_source
from rlhf_kit.formulas.records import RuleLabel
from rlhf_kit.formulas.rule_reward import broken_labels

PARTS: dict[str, Want] = {"preferences": "preferences", "rules": "examples", "questions": "prompts"}
MORE: dict[str, Want] = {"dialogues": "prompts", "adversarial": "prompts"}
MOST_RULES = 23                         # that a policy is trained to keep (arXiv:2209.14375)


def read(folder: str | Path) -> Instructions:
    """Read all parts and part them by user.

    Raises: FileError, one line, as `instructions.parted`, or for labels of rules among which none is broken, or none
        followed.
    """
    if _is_one_table(folder):
        rows = read_source(folder)
        if not safe_rlhf.has_columns(rows):
            raise refused(folder, f"has the columns {', '.join(rows.table.columns[:6])}; expected those of "
                                  f"PKU-Alignment/PKU-SafeRLHF, or a folder with {', '.join(PARTS)} in it.")
        found = safe_rlhf.read(rows)
    else:
        found = parted(folder, PARTS, MORE, whole="", read={"rules": read_rule_labels})
    for split, parts in (("train", found.train), ("heldout", found.heldout)):
        broken, sure = broken_labels([one.level for one in parts["rules"]])
        for what, there in (("broken", int(broken[sure].sum())), ("followed", int((1 - broken[sure]).sum()))):
            if not there:
                raise refused(folder, f"has no {what} rule among the {len(parts['rules'])} labels of the split "
                                      f"{split}; a rule model learns from both. Add some.")
    return found


def _is_one_table(source: str | Path) -> bool:
    """Whether that is a set on the hub, a file, or a folder of nothing but files of rows; False where it has parts."""
    place = Path(source).expanduser()
    if not place.is_dir():
        return is_hub_name(source) or place.is_file()
    there = {path.name.partition(".")[0].lower() for path in place.iterdir()}
    return bool(there) and not there & {*PARTS, *MORE}


def texts_of(labels: Sequence[RuleLabel], most: int = MOST_RULES) -> list[str]:
    """The rules that labels speak of, the most frequent ones; in the order in which they first stand there."""
    seen = Counter(one.rule for one in labels)
    chosen = {rule for rule, _ in seen.most_common(most)}
    return [rule for rule in seen if rule in chosen]


def marks_of(prompts: Sequence[str]) -> tuple[str, str] | None:
    """What turns of the user and of the assistant begin with, if all prompts are written alike: "User:", "Assistant:".

    The first word of each prompt and its last line, if both end with a colon.
    """
    found = set()
    for prompt in prompts:
        words, last = prompt.split(maxsplit=1), prompt.rstrip().rpartition("\n\n")[2]
        found.add((words[0] if words else "", last))
    marks = found.pop() if len(found) == 1 else ("", "")
    return marks if all(mark.endswith((":", "：")) and len(mark.split()) == 1 for mark in marks) else None
