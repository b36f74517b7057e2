"""A rule model: one classifier for all rules, which reads the rule's text beside the dialogue and says if it is broken.

    p(broken | dialogue, rule) = softmax(classifier("Rule: ... dialogue ... Is the rule broken?"))

The rule stands in the input as words and not as an output of its own: so few labels of one rule teach something about
another, and a rule that is put otherwise, or that nobody labeled, can be asked about all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.formulas.records import RuleLabel
from rlhf_kit.formulas.rule_reward import broken_labels
from rlhf_kit.models.judging import class_logits

LABELS = ("followed", "broken")
KEEP = "both"                       # of a text that is too long: the rule at its start, the response at its end

Ask = Callable[[str, str], str]     # (dialogue, rule) -> what the classifier reads


def ask(dialogue: str, rule: str) -> str:
    """The rule, the dialogue, and the question."""
    return f"Rule: {rule}\n\n{dialogue}\n\nIs the rule broken?"


def ask_without_rule(dialogue: str, rule: str) -> str:
    """What a classifier reads that is asked whether an answer is bad, whatever the rule: to be compared with."""
    return dialogue


def examples(labels: Sequence[RuleLabel], ask: Ask = ask) -> list[tuple[str, int]]:
    """(text, 1 for broken) of those labels that are sure, for `methods.classifier`. Raises: ValueError."""
    broken, known = broken_labels([one.level for one in labels])
    return [(ask(one.prompt + one.response, one.rule), int(label))
            for one, label, sure in zip(labels, broken, known, strict=True) if sure]


def rules_as_labels(model: PreTrainedModel) -> PreTrainedModel:
    """The classifier with outputs named "followed" and "broken", by which it is found again."""
    model.config.id2label = dict(enumerate(LABELS))
    model.config.label2id = {name: i for i, name in enumerate(LABELS)}
    return model


def kept_probability(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str],
                     responses: Sequence[str], rules: Sequence[str], *, max_length: int, ask: Ask = ask,
                     batch_size: int = 64) -> Tensor:
    """q = 1 - p(broken) of each response and each rule, [B, R] on the CPU.

    Raises: ValueError without rules, or for a classifier that has no output "broken".
    """
    if not rules:
        raise ValueError("there are no rules; give the texts of at least one.")
    names = {str(name).lower(): int(i) for i, name in model.config.id2label.items()}
    if "broken" not in names or len(names) != 2:
        raise ValueError(f"the classifier has the labels {', '.join(names)}; a rule model has 'followed' and 'broken'. "
                         f"Make one with rlhf-kit train rule-model.")
    dialogues = [prompt + response for prompt, response in zip(prompts, responses, strict=True)]
    texts = [ask(dialogue, rule) for dialogue in dialogues for rule in rules]
    logits = class_logits(model, tokenizer, texts, max_length=max_length, batch_size=batch_size, keep=KEEP)
    return torch.softmax(logits, -1)[:, 1 - names["broken"]].reshape(len(dialogues), len(rules))
