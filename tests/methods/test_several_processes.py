"""GRPO, DPO and KTO on two processes, here threads that meet: what one learns, two learn."""

from dataclasses import replace

import pytest
import torch

from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Comparison, Labelled
from rlhf_kit.methods import dpo, grpo, kto
from rlhf_kit.sampling import Sampling, joined, sample_rollout
from tests.loops.test_process_group import together
from tests.models.test_adapters import long_is_good, shared_base

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")       # in peft itself
ASKED = ["the lamp is", "the", "the kettle is very pretty, and it", "the pen is not", "the bag", "the chair is quite",
         "the pen", "the lamp is not"]
PAIRS = [Comparison(prompt, " sturdy.", " very loud and cheap.") for prompt in ASKED]
LABELLED = [Labelled(one.prompt, answer, good) for one in PAIRS for answer, good in ((one.chosen, True),
                                                                                     (one.rejected, False))]


def end_of(method, shared, *arguments, seat=None, **options):
    history = list(method.steps(shared.policy, shared.reference, *arguments, accelerator=seat, **options))
    learnt = {name: p.detach().clone() for name, p in shared.policy.lm.named_parameters() if p.requires_grad}
    return [step.metrics for step in history], learnt


def by_two(folder, work):
    """`work(shared, seat)` by two that begin differently."""
    bases = [shared_base(folder, seed=seed) for seed in (0, 1)]        # before the threads, which share torch's seed
    return together(2, lambda seat: work(bases[seat.process_index], seat))


def same_numbers(folder, names, steps, work):
    """The same alone and by two; metrics of the first `steps`, and the weights."""
    alone, weights = work(shared_base(folder), None)
    parts = by_two(folder, work)
    for metrics, learnt in parts:
        for name in names:
            whole = [m[name] for m in alone[:steps]]
            assert [m[name] for m in metrics[:steps]] == pytest.approx(whole, abs=1e-4), name
        if steps == len(alone):
            assert all(torch.allclose(learnt[name], p, atol=1e-4) for name, p in weights.items())
    assert all(torch.equal(p, parts[1][1][name]) for name, p in parts[0][1].items())        # both end as one


@pytest.mark.parametrize("variant", [{"scale": "batch", "average": "token"}, {"average": "response"},
                                     {"ratio": "response", "baseline": "batch", "scale": "none"}])
def test_grpo_compares_within_whole_groups_and_with_the_batch_of_all(saved_llama, monkeypatch, variant):
    config = grpo.Config(steps=2, batch_size=16, group_size=4, epochs=2, learning_rate=1e-2, checks=False,
                         kl=KL(coefficient=0.1, estimate="k3", in_loss=True), sampling=Sampling(max_new_tokens=6),
                         **variant)
    drawn = {prompt: sample_rollout(shared_base(saved_llama).policy, [prompt] * 4, config.sampling, seed=i)
             for i, prompt in enumerate(ASKED)}

    def stored(policy, batch, *_):
        return joined([drawn[prompt] for prompt in batch[::4]], policy.tokenizer.pad_token_id)
    monkeypatch.setattr(grpo, "sample_rollout", stored)
    names = ("policy_loss", "score", "kl", "tied_groups", "entropy", "clip_fraction")
    same_numbers(saved_llama, names, 2, lambda shared, seat: end_of(
        grpo, shared, ASKED, long_is_good, config, seat=seat))


def test_dpo_learns_from_all_pairs(saved_llama):
    config = dpo.Config(steps=3, batch_size=4, learning_rate=1e-2, warmup=1)
    same_numbers(saved_llama, ("loss", "margin", "chosen_logprob", "accuracy"), 3, lambda shared, seat: end_of(
        dpo, shared, PAIRS, config, seat=seat))


def test_online_dpo_goes_on_where_one_process_has_nothing_but_ties(saved_llama):
    """Of one process all answers tie: it waits for the other and takes its step."""
    config = dpo.Config(steps=2, batch_size=2, learning_rate=1e-2, warmup=1, sampling=Sampling(max_new_tokens=4),
                        checks=False)

    def first_only(prompts, responses):
        return [float(len(r)) if p == ASKED[0] else 0.0 for p, r in zip(prompts, responses, strict=True)]
    parts = by_two(saved_llama, lambda shared, seat: end_of(dpo, shared, ASKED[:2], config, reward=first_only,
                                                            seat=seat))
    assert all(torch.equal(p, parts[1][1][name]) for name, p in parts[0][1].items())
    assert [m["minibatches"] for m in parts[0][0]] == [m["minibatches"] for m in parts[1][0]]


def test_kto_s_first_step_is_that_of_one_and_the_reference_point_is_everybody_s(saved_llama):
    """Later ones differ a little: which responses are mismatched depends on who reads which."""
    config = kto.Config(steps=3, batch_size=8, learning_rate=1e-2, warmup=1)
    same_numbers(saved_llama, ("loss", "good_logprob", "margin", "reference_point"), 1, lambda shared, seat: end_of(
        kto, shared, LABELLED, config, seat=seat))
    parts = by_two(saved_llama, lambda shared, seat: end_of(kto, shared, LABELLED, config, seat=seat))
    assert [m["reference_point"] for m in parts[0][0]] == [m["reference_point"] for m in parts[1][0]]


def test_what_cannot_be_divided_is_refused(saved_llama):
    shared = shared_base(saved_llama)

    class Seat:
        num_processes, process_index = 3, 0
    with pytest.raises(ValueError, match="number of prompts, batch_size / group_size, is 4 and there are 3 processes"):
        next(grpo.steps(shared.policy, shared.reference, ASKED, long_is_good, grpo.Config(
            batch_size=32, sampling=Sampling(max_new_tokens=4)),
                        accelerator=Seat()))
    with pytest.raises(ValueError, match="each needs 2"):
        next(kto.steps(shared.policy, shared.reference, LABELLED, replace(kto.Config(), batch_size=3),
                       accelerator=Seat()))
