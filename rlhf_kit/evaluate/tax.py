"""The alignment tax: what a policy can do besides what it was aligned for, measured on texts that it never read.

Translations, product reviews and forum pages are in what the base was pretrained on (`tasks.mixture`), and nowhere in
what an assistant is trained for. Where PPO makes these worse, that is the tax (arXiv:2203.02155, sections 3.5 and 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from rlhf_kit.engine import text_logprob
from rlhf_kit.evaluate import Estimate, mean
from rlhf_kit.language import Lang
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import check_texts, encode_documents, pad_id, pad_right
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.tasks import mixture
from rlhf_kit.tasks.translation import Translation, overlap

SOURCES, TEXTS = 200, 200           # held-out sources to translate, and held-out texts of either other world to read
SEED = 11                           # of these texts: the same for every policy, so that differences are paired
ROOM = 72                           # tokens of a translation
READ_TOKENS = 4096                  # tokens a pass


@dataclass(frozen=True)
class Tax:
    """What one policy can do on three tasks that nobody aligned it for."""

    translation: Estimate           # mean gold of greedy translations, in [0, 1]; more is better
    bleu: float | None              # of the same, 0 to 100; None without sacrebleu
    reviews: Estimate               # nats per token, the mean over texts; less is better
    forum: Estimate
    each: dict[str, tuple[float, ...]]      # the same, source by source and text by text

    def numbers(self) -> dict[str, Any]:
        """What was measured, without the single ones, as plain JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "each"}

    def __str__(self) -> str:
        bleu = "" if self.bleu is None else f", BLEU {self.bleu:.1f}"
        return f"translation {self.translation}{bleu}; nats per token: reviews {self.reviews}, forum {self.forum}"


def tax(policy: Policy, lang: Lang, *, sources: int = SOURCES, texts: int = TEXTS) -> Tax:
    """Measure a policy on held-out texts of the worlds that its base has read besides the assistant's.

        before, after = tax(sft, "en"), tax(policy, "en")
        rises(before, after)["reviews"]         # nats per token, with its interval

    Args:
        lang: of the assistant; translations are from Chinese to English in either.
        sources, texts: how many of them, at least 2 each; the same for every policy.
    """
    task = Translation()
    prompts = task.prompts("heldout", sources, seed=SEED)
    responses = generate(policy, prompts, Sampling(max_new_tokens=ROOM), greedy=True)
    each = {"translation": tuple(task.gold(*pair) for pair in zip(prompts, responses, strict=True))}
    for name in ("reviews", "forum"):
        each[name] = tuple(text_losses(policy, mixture.part(name, lang, texts, SEED, "heldout")))
    try:
        bleu = overlap.bleu(responses, task.references(prompts))
    except ValueError:                                      # sacrebleu is optional; gold is there without it
        bleu = None
    return Tax(mean(each["translation"], (0, 1)), bleu, mean(each["reviews"]), mean(each["forum"]), each)


def rises(before: Tax, after: Tax) -> dict[str, Estimate]:
    """What it costs on each task, above 0 where it got worse: gold that was lost, nats per token that were added.

    Pairs of the same source or text are compared, so the intervals are those of differences.
    Raises: ValueError if the two were measured on other texts.
    """
    if {name: len(x) for name, x in before.each.items()} != {name: len(x) for name, x in after.each.items()}:
        raise ValueError("before and after were measured on other texts; measure both with the same `sources` and "
                         "`texts`.")
    signs = {"translation": -1.0, "reviews": 1.0, "forum": 1.0}
    return {name: mean([sign * (new - old) for old, new in zip(before.each[name], after.each[name], strict=True)])
            for name, sign in signs.items()}


@torch.no_grad()
def text_losses(policy: Policy, texts: Sequence[str]) -> list[float]:
    """Mean negative log-probability of the tokens of each text after its first, its end included; nats per token.

    Texts longer than the policy's context are cut there. Raises: ValueError for a text of a single token.
    """
    check_texts(texts, "texts")
    rows, padding = encode_documents(policy.tokenizer, texts, policy.context), pad_id(policy.tokenizer)
    if (short := next((text for text, row in zip(texts, rows, strict=True) if len(row) < 2), None)) is not None:
        raise ValueError(f"the text {short[:40]!r} is one token, and nothing in it is predicted; give longer texts.")
    order, found = sorted(range(len(rows)), key=lambda i: len(rows[i])), [0.0] * len(rows)
    size = max(READ_TOKENS // max(len(row) for row in rows), 1)
    policy.eval()
    for batch in (order[start:start + size] for start in range(0, len(order), size)):
        ids, mask = (x.to(policy.device) for x in pad_right([rows[i] for i in batch], padding))
        loss = -text_logprob(policy, ids, mask).double().sum(1) / mask[:, 1:].sum(1)
        for i, value in zip(batch, loss.tolist(), strict=True):
            found[i] = value
    return found
