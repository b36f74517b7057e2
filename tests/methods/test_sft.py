"""Supervised fine-tuning: what the loss counts, and that a tiny model learns a language."""

import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit.loops.identity import settings_of
from rlhf_kit.methods import sft
from rlhf_kit.models import text, tiny
from rlhf_kit.models.dropout import residual_dropout
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, generate

SENTENCES = [f"the {a} is {b}." for a in ("lamp", "kettle", "bag") for b in ("red", "blue", "green", "small")]
QUICK = sft.Config(steps=40, batch_size=8, learning_rate=1e-2, warmup=5, max_length=16)


def new_policy(dropout: float = 0.0) -> Policy:
    tokenizer = text.train_tokenizer(SENTENCES, 60)
    lm = tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=16)
    for module in lm.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    return Policy(lm, tokenizer, value_head=False)


def test_the_first_loss_is_about_that_of_a_uniform_guess_and_then_falls():
    policy = new_policy()
    history = sft.train(policy, SENTENCES, QUICK)
    assert history[0].metrics["loss"] == pytest.approx(math.log(len(policy.tokenizer)), abs=0.3)
    assert history[-1].metrics["loss"] < 1.0


def test_residual_dropout_is_there_while_it_learns_and_gone_afterwards():
    """The loss of the first update is that of a thinned network; what is left behind drops nothing."""
    plain, thinned = new_policy(), new_policy()
    config = replace(QUICK, steps=1, warmup=0)
    first, other = (sft.train(policy, SENTENCES, replace(config, dropout=share))[0].metrics["loss"]
                    for policy, share in ((plain, 0.0), (thinned, 0.5)))
    assert first != other
    ids = torch.tensor([[3, 4, 5]])
    thinned.train()
    assert torch.equal(thinned.lm(ids).logits, thinned.lm(ids).logits)


def test_residual_dropout_of_a_branch_by_hand():
    """A LLaMA's too, which has none of its own: all that attention and MLP add is gone at a share of almost 1."""
    tokenizer = text.train_tokenizer(SENTENCES, 60)
    lm = tiny.llama(tokenizer, layers=2, width=64, context=16).train()
    ids = torch.tensor([[3, 4, 5]])
    with residual_dropout(lm, 1 - 1e-9), torch.no_grad():
        seen = lm.model(ids).last_hidden_state
    alone = lm.model.norm(lm.model.embed_tokens(ids))
    torch.testing.assert_close(seen, alone)
    with pytest.raises(ValueError, match=r"dropout is 0\.1, and Linear has no c_proj"), \
            residual_dropout(torch.nn.Linear(2, 2), 0.1):
        pass


def test_it_learns_to_write_the_language_and_to_stop():
    policy = new_policy()
    sft.train(policy, SENTENCES, QUICK)
    written = generate(policy, ["the lamp"] * 20, Sampling(max_new_tokens=8))
    assert sum("the lamp" + response in SENTENCES for response in written) >= 15


def test_for_pairs_the_loss_counts_the_response_alone():
    pairs = [("the lamp is", " red."), ("the kettle is", " blue.")]
    other = [("the bag is", " red."), ("the bag is", " blue.")]          # other prompts of the same length
    rows = sft._encode(new_policy(), pairs, QUICK)
    ids, mask, counted = sft._batch(rows, 0, torch.device("cpu"))
    changed, _, same = sft._batch(sft._encode(new_policy(), other, QUICK), 0, torch.device("cpu"))
    assert torch.equal(counted, same)
    assert torch.equal(ids[counted], changed[counted])
    assert not torch.equal(ids[mask], changed[mask])
    assert counted.sum(1).tolist() == [3, 3]                              # " red", ".", end


def test_every_token_but_the_first_counts_for_whole_texts():
    rows = sft._encode(new_policy(), ["the lamp is red."], QUICK)
    _, mask, counted = sft._batch(rows, 0, torch.device("cpu"))
    assert counted.sum() == mask.sum() - 1


def test_a_run_cut_short_ends_with_the_same_weights_also_with_dropout(tmp_path):
    config = sft.Config(steps=6, batch_size=4, max_length=16)
    whole = new_policy(dropout=0.2)
    sft.train(whole, SENTENCES, config)
    first = new_policy(dropout=0.2)
    stream = sft.steps(first, SENTENCES, config, checkpoint=tmp_path, checkpoint_every=2)
    for _ in range(3):
        next(stream)
    stream.close()
    second = new_policy(dropout=0.2)
    assert len(list(sft.steps(second, SENTENCES, config, checkpoint=tmp_path, checkpoint_every=2))) == 6
    for ours, theirs in zip(second.lm.parameters(), whole.lm.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_rate_warms_up_and_falls_along_a_cosine():
    config = sft.Config(steps=110, learning_rate=1.0, warmup=10, min_lr_ratio=0.2)
    assert [sft.rate(config, n) for n in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert sft.rate(config, 60) == pytest.approx(0.6)                     # halfway between the peak and 0.2


@pytest.mark.parametrize(("examples", "message"), [([], "no examples"), (["a"], "longer texts or raise max_length")])
def test_nothing_to_learn_from_is_refused(examples, message):
    with pytest.raises(ValueError, match=message):
        sft.train(new_policy(), examples, sft.Config(steps=1, max_length=1))


def test_a_prompt_as_long_as_the_limit_leaves_nothing_to_learn_and_is_left_out():
    pairs = [("the lamp is red and the kettle", " is blue."), ("the lamp", " is red.")]
    rows = sft._encode(new_policy(), pairs, sft.Config(max_length=6))
    assert len(rows) == 1
    assert rows[0][1] == 2


def test_texts_are_cut_at_the_model_s_context_whatever_the_limit():
    policy = new_policy()
    rows = sft._encode(policy, [" ".join(SENTENCES)], sft.Config(max_length=500))
    assert len(rows[0][0]) == policy.context == 16


# The loss on texts that were not learned from.

def logprobs(policy, ids: list[int]) -> list[float]:
    """log π of each token but the first, one text at a time, without padding or batch."""
    logits = policy.lm(torch.tensor([ids])).logits[0]
    return [logits[i].log_softmax(-1)[token].item() for i, token in enumerate(ids[1:])]


def test_the_loss_on_texts_weighs_every_token_the_same():
    """A short text and a long one: the mean over all tokens, not the mean of the two texts' means."""
    policy = new_policy()
    sft.train(policy, SENTENCES, sft.Config(steps=5, batch_size=4, max_length=16))
    short, long = "the", "the lamp is red. the lamp is green."
    each = [logprobs(policy, row) for row in text.encode_documents(policy.tokenizer, [short, long], 16)]
    assert len(each[0]) != len(each[1])
    over_tokens = -sum(map(sum, each)) / sum(map(len, each))
    over_texts = -sum(sum(x) / len(x) for x in each) / 2
    for size in (1, 2):
        loss = sft.loss_on(policy, [long, short], sft.Config(batch_size=size, max_length=16))
        assert loss == pytest.approx(over_tokens, abs=1e-5)
    assert abs(over_tokens - over_texts) > 1e-2


def test_the_loss_on_pairs_counts_the_responses():
    policy = new_policy()
    ids = policy.tokenizer("the lamp is red.").input_ids
    counted = logprobs(policy, ids)[-3:]                                  # " red", ".", end
    assert sft.loss_on(policy, [("the lamp is", " red.")], QUICK) == pytest.approx(-sum(counted) / 3, abs=1e-5)


def test_measuring_a_loss_drops_nothing_out_and_changes_nothing():
    policy = new_policy(dropout=0.5).train()
    before = [p.clone() for p in policy.lm.parameters()]
    assert sft.loss_on(policy, SENTENCES, QUICK) == sft.loss_on(policy.train(), SENTENCES, QUICK)
    assert all(torch.equal(a, b) for a, b in zip(before, policy.lm.parameters(), strict=True))


@pytest.mark.parametrize("change", [{"learning_rate": math.inf}, {"learning_rate": math.nan}, {"learning_rate": 2.0},
                                    {"seed": -1}, {"seed": 2**63}, {"batch_size": 0}, {"batch_size": 10**7},
                                    {"beta2": 1.0}])
def test_settings_that_mean_nothing_are_refused(change):
    with pytest.raises(ValueError, match=f"{next(iter(change))} is .*; it must be"):
        sft.Config(**change)


def test_a_short_memory_of_squared_gradients_is_another_run_and_the_usual_one_no_news():
    """Adam's second update divides by the root of β₂ g₁² + (1 - β₂) g₂²; the first by |g₁| whatever β₂ is."""
    found = []
    for beta2 in (0.999, 0.5):
        policy = new_policy()
        weights = lambda policy=policy: torch.cat([p.detach().flatten() for p in policy.lm.parameters()])   # noqa: E731
        found.append([weights().clone() for _ in sft.steps(policy, SENTENCES, replace(QUICK, steps=2, beta2=beta2))])
    (first, second), (first_too, other) = found
    assert torch.allclose(first, first_too, atol=1e-6)
    assert not torch.allclose(second, other, atol=1e-4)
    assert "beta2" not in settings_of(QUICK)
    assert settings_of(replace(QUICK, beta2=0.5))["beta2"] == 0.5


@pytest.mark.parametrize(("examples", "message"), [
    ("hello", "the examples are one text, 'hello'; expected a list"), (["a lamp", 3], "number 1 of the texts is 3"),
    ([("the lamp", None)], "number 0 of the responses is None"), ([3, 4], "the first example is 3; expected texts, or"),
    ([("the", "lamp", "is")], "the first example is")])
def test_what_is_no_example_is_named(examples, message):
    """One text was taken for as many as it has letters."""
    with pytest.raises(ValueError, match=message):
        next(sft.steps(new_policy(), examples, QUICK))
