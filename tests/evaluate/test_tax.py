"""The alignment tax: losses and translations of a policy on what nobody aligned it for."""

import math

import pytest
import torch

from rlhf_kit.evaluate import tax as module
from rlhf_kit.evaluate.tax import Tax, rises, tax, text_losses
from rlhf_kit.methods import sft
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.tasks import mixture
from rlhf_kit.tasks.translation import Translation

TEXTS = mixture.part("reviews", "en", 12, seed=3) + mixture.part("forum", "en", 5, seed=3)


@pytest.fixture
def policy() -> Policy:
    tokenizer = text.train_tokenizer(TEXTS, 300)
    return Policy(tiny.llama(tokenizer, layers=1, width=64, context=192), tokenizer, value_head=False)


def test_who_guesses_evenly_loses_the_logarithm_of_the_vocabulary_on_every_text(policy):
    torch.nn.init.zeros_(policy.lm.lm_head.weight)
    assert text_losses(policy, TEXTS) == pytest.approx([math.log(len(policy.tokenizer))] * len(TEXTS), abs=1e-5)


def test_losses_weighted_by_tokens_are_the_loss_that_training_reports(policy):
    """Another way to the same number: `sft.loss_on`, a mean over all tokens."""
    lengths = [len(row) - 1 for row in text.encode_documents(policy.tokenizer, TEXTS, None)]
    losses = text_losses(policy, TEXTS)
    assert len(set(losses)) == len(TEXTS)
    weighted = sum(a * n for a, n in zip(losses, lengths, strict=True)) / sum(lengths)
    assert weighted == pytest.approx(sft.loss_on(policy, TEXTS, sft.Config(max_length=192)), abs=1e-5)


def test_faithful_translations_are_worth_one_and_those_of_other_sources_nothing(policy, monkeypatch):
    task = Translation()
    monkeypatch.setattr(module, "generate", lambda policy, prompts, *_, **__: task.references(prompts))
    right = tax(policy, "en", sources=20, texts=3)
    assert right.translation.mean == 1
    assert right.bleu is None or right.bleu > 99.9
    monkeypatch.setattr(module, "generate", lambda policy, prompts, *_, **__: task.references(prompts)[::-1])
    wrong = tax(policy, "en", sources=20, texts=3)
    assert wrong.translation.mean < 0.5
    assert rises(right, wrong)["translation"].mean == pytest.approx(1 - wrong.translation.mean)
    assert rises(right, wrong)["forum"].mean == 0
    with pytest.raises(ValueError, match="measured on other texts"):
        rises(right, tax(policy, "en", sources=19, texts=3))


def test_a_policy_that_learns_reviews_alone_pays_on_the_forum(policy):
    before = tax(policy, "en", sources=2, texts=30)
    sft.train(policy, mixture.part("reviews", "en", 300), sft.Config(steps=60, batch_size=8, learning_rate=1e-2))
    found = rises(before, tax(policy, "en", sources=2, texts=30))
    assert found["reviews"].high < -1                       # nats per token, from more than 5
    assert found["forum"].mean > found["reviews"].mean + 1


def test_what_was_measured_can_be_read_and_stored():
    from rlhf_kit.evaluate import Estimate
    found = Tax(Estimate(0.7, 0.6, 0.8, 200), 41.2, Estimate(1.1, 1.0, 1.2, 200), Estimate(0.9, 0.8, 1.0, 200), {})
    assert str(found) == ("translation 0.700 (0.600–0.800), BLEU 41.2; nats per token: reviews 1.100 (1.000–1.200), "
                          "forum 0.900 (0.800–1.000)")
    assert found.numbers()["reviews"]["mean"] == 1.1


def test_a_text_of_one_token_is_refused(policy):
    with pytest.raises(ValueError, match="is one token, and nothing in it is predicted"):
        text_losses(policy, [TEXTS[0], ""])
