"""What people said about rules: a response, the text of a rule, and in five levels whether the rule is broken."""

from __future__ import annotations

from rlhf_kit.formulas.records import RuleLabel
from rlhf_kit.formulas.rule_reward import LEVELS
from rlhf_kit.labels.records import Judgement, Response
from rlhf_kit.labels.store import Labels

RULE = "rule: "                     # the question of such a score begins with it, and the rule's text follows


def save_level(labels: Labels, prompt: str, response: Response, rule: str, level: str, annotator: str, *,
               seconds: float | None = None, lang: str = "") -> Judgement:
    """Keep one level, as a score from 1, definitely broken, to 5, definitely followed.

    Raises: ValueError for another level than those of `rule_reward.LEVELS`; LabelsError.
    """
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}; expected one of {', '.join(LEVELS)}.")
    task = labels.add_task(prompt, [response], kind="score")
    return labels.save_score(labels.show(task.id, annotator, RULE + rule), LEVELS.index(level) + 1, seconds=seconds,
                             lang=lang)


def rule_labels(labels: Labels, annotator: str | None = None) -> list[RuleLabel]:
    """All of them, or one person's, for a rule model to learn from."""
    tasks = {task.id: task for task in labels.tasks()}
    return [RuleLabel(tasks[said.task_id].prompt, tasks[said.task_id].texts[0], said.question.removeprefix(RULE),
                      LEVELS[int(said.score) - 1])
            for said in labels.scores(annotator) if said.question.startswith(RULE)]
