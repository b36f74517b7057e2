"""The engine: every number against plain arithmetic, whatever the passes and pieces; gradients that add up."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from rlhf_kit import engine
from rlhf_kit.engine import passes, precision, read, read_bins, read_likeliest, text_logprob
from rlhf_kit.evaluate import evaluate
from rlhf_kit.formulas.losses import clipped_policy, clipped_value
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.methods import ppo
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.sampling import Sampling, response_logits, sample_rollout

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")       # in peft itself
SHORT = Sampling(max_new_tokens=12, temperature=0.7)
close = torch.testing.assert_close
FAMILIES = {"bloom": {"vocab_size": 120, "hidden_size": 32, "n_layer": 2, "n_head": 4},
            "gemma2": {"vocab_size": 120, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
                       "head_dim": 8, "num_attention_heads": 4, "num_key_value_heads": 2,
                       "final_logit_softcapping": 2.0},
            "opt": {"vocab_size": 120, "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2,
                    "word_embed_proj_dim": 32, "num_attention_heads": 4, "max_position_embeddings": 48}}


class Louder(Policy):
    """A subclass that changes what is said: its own forward is asked, and nothing is read past it."""

    def forward(self, *arguments, **options):
        said = super().forward(*arguments, **options)
        return replace(said, logits=3 * said.logits)


@pytest.fixture(scope="module", params=["policy", "llama", "louder", *FAMILIES])
def anyone(request, tokenizer) -> Policy:
    """Policies whose models come apart, come apart with a cap, take no positions, or are used as a whole."""
    if request.param in ("policy", "llama"):
        return request.getfixturevalue(request.param)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        if request.param == "louder":
            made = Louder(copy.deepcopy(request.getfixturevalue("llama").lm), tokenizer)
        else:
            made = Policy(AutoModelForCausalLM.from_config(AutoConfig.for_model(
                request.param, **FAMILIES[request.param])), tokenizer)
            made.lm.resize_token_embeddings(len(tokenizer))
        made.value_head.weight.data.normal_()
    return made.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def answered(policy, prompts) -> Rollout:
    """Sixteen responses of many lengths to prompts of four."""
    return sample_rollout(policy, prompts, SHORT, seed=1)


def double(policy: Policy) -> Policy:
    """The same in float64, learning."""
    return copy.deepcopy(policy).double().requires_grad_(True)


def gradients(policy: nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in policy.parameters() if p.grad is not None])


def loss_of(policy: Policy, part: Rollout, **options) -> torch.Tensor:
    """PPO's, with made-up advantages that depend on the row's text alone."""
    now = read(policy, part, value=True, **options)
    advantage = torch.where(part.mask, part.response_ids.double().sin(), 0.0)
    return (clipped_policy(now.logprob, part.logprob.double(), advantage, part.mask, 0.2)
            + 0.5 * clipped_value(now.value, part.value.double(), advantage + 1, part.mask, 0.2))


# What is read

def test_each_number_by_hand(anyone, answered):
    """One text, one pass of the model as it is, then plain sums; padding shifts nothing and holds zeros."""
    with torch.no_grad():
        found = read(anyone, answered, value=True, entropy=True)
    for row in (0, 1, 2, 3):
        prompt = answered.prompt_ids[row][answered.prompt_mask[row]]
        response = answered.response_ids[row][answered.mask[row]]
        said = anyone(torch.cat([prompt, response])[None], torch.ones(1, len(prompt) + len(response)).bool(),
                      keep=len(response) + 1)
        for t, token in enumerate(response.tolist()):
            z = [x / answered.temperature for x in said.logits[0, t].tolist()]
            total = math.log(sum(math.exp(x) for x in z))
            assert found.logprob[row, t].item() == pytest.approx(z[token] - total, rel=5e-5, abs=2e-5)
            assert found.entropy[row, t].item() == pytest.approx(
                -sum(math.exp(x - total) * (x - total) for x in z), rel=5e-5, abs=2e-5)
            assert found.value[row, t].item() == pytest.approx(said.value[0, t].item(), rel=5e-5, abs=2e-5)
    for numbers in (found.logprob, found.value, found.entropy):
        assert (numbers[~answered.mask] == 0).all()


@pytest.mark.parametrize("tokens", [1, 17, 60, 200])
def test_the_budget_changes_nothing_but_rounding(anyone, answered, tokens):
    """In float64, or float32 where a class takes its softmax in float32: float64's least number is -inf there."""
    coarse = anyone.lm.config.model_type in ("bloom", "gemma2")
    exact = anyone if coarse else copy.deepcopy(anyone).double()
    with torch.no_grad():
        whole = read(exact, answered, value=True, entropy=True, tokens_per_pass=10**6)
        found = read(exact, answered, value=True, entropy=True, tokens_per_pass=tokens)
    for name in ("logprob", "value", "entropy"):
        close(getattr(found, name), getattr(whole, name), **({"atol": 2e-5, "rtol": 0} if coarse else
                                                             {"atol": 1e-12, "rtol": 1e-10}))


@pytest.mark.parametrize("tokens", [1, 60, 200])
def test_no_pass_is_larger_than_the_budget_allows(policy, answered, tokens, monkeypatch):
    """A row alone may be; a pass without gradients keeps to `TOKENS` by itself."""
    sizes, hidden = [], Policy.hidden
    monkeypatch.setattr(Policy, "hidden", lambda self, ids, *a: sizes.append(tuple(ids.shape)) or hidden(self, ids, *a))
    monkeypatch.setattr(engine, "TOKENS", tokens)
    with torch.no_grad():
        read(policy, answered)
    assert sum(rows for rows, _ in sizes) == len(answered)
    assert all(rows * width <= tokens or rows == 1 for rows, width in sizes)
    assert len(sizes) > 1


@pytest.mark.parametrize("piece", [1, 700, 5000])
def test_pieces_change_neither_numbers_nor_gradients(policy, answered, piece, monkeypatch):
    """In float64, to 1e-10; and with pieces the logits are computed twice, whole they are not."""
    calls, logits = [], engine.trunk.logits
    monkeypatch.setattr(engine.trunk, "logits", lambda lm, hidden: calls.append(len(hidden)) or logits(lm, hidden))
    results, counts = [], []
    for size in (10**9, piece):
        monkeypatch.setattr(engine, "PIECE", size)
        learner = double(policy)
        calls.clear()
        loss = loss_of(learner, answered)
        loss.backward()
        results.append((loss.detach(), gradients(learner)))
        counts.append(sum(calls))
    tokens = int(answered.mask.sum())
    assert counts == [tokens, 2 * tokens]
    close(results[1], results[0], atol=1e-12, rtol=1e-10)


def test_texts_are_read_as_the_loss_of_a_language_model(anyone, answered):
    """transformers' own: labels shifted inside it, -100 where nothing counts."""
    ids, mask = answered.response_ids, answered.mask
    counted = mask & (torch.arange(ids.shape[1]) >= 2)
    with torch.no_grad():
        found = text_logprob(anyone, ids, mask, counted)
        few = text_logprob(anyone, ids, mask, counted, tokens_per_pass=20)
        logits = anyone(ids, mask, keep=ids.shape[1]).logits
    labels = ids[:, 1:].masked_fill(~counted[:, 1:], -100)
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels.flatten())
    assert -(found.sum() / counted[:, 1:].sum()).item() == pytest.approx(loss.item(), rel=1e-5)
    assert (found[~counted[:, 1:]] == 0).all()
    close(few, found, atol=1e-5, rtol=1e-5)


def test_nothing_asked_is_nothing_read(policy, answered):
    nobody = torch.zeros_like(answered.mask)
    with torch.no_grad():
        assert not text_logprob(policy, answered.response_ids, answered.mask, nobody).any()


def test_what_cannot_be_read_is_one_line(policy, answered):
    with pytest.raises(ValueError, match="no value head"):
        read(policy.reference(), answered, value=True)
    with pytest.raises(ValueError, match="tokens_per_pass is 0; it must be at least 1"):
        read(policy, answered, tokens_per_pass=0)


# Micro-batches

@pytest.mark.parametrize("tokens", [None, 1, 60, 100])
def test_the_passes_of_a_minibatch_are_each_row_once(answered, tokens):
    rows = torch.tensor([3, 1, 14, 7, 0, 9, 12])
    parts = list(passes(answered, rows, tokens))
    assert sorted(torch.cat([part for part, _ in parts]).tolist()) == sorted(rows.tolist())
    assert sum(weight for _, weight in parts) == pytest.approx(1, abs=1e-12)
    for part, weight in parts:
        assert weight == pytest.approx((answered.mask[part].sum() / answered.mask[rows].sum()).item())
    assert (len(parts) == 1) == (tokens is None)


def test_sixteen_in_four_passes_of_four_have_the_gradient_of_one(policy, prompts, answered):
    """To 1e-6 in float64 (here 1e-10), although the passes hold different numbers of tokens."""
    even = [answered, sample_rollout(policy, ["the lamp is"] * 16, Sampling(max_new_tokens=3), seed=2)]
    for rollout, tokens in zip(even, (80, 24), strict=True):
        whole, parted = double(policy), double(policy)
        loss_of(whole, rollout).backward()
        parts = list(passes(rollout, None, tokens))
        for part, weight in parts:
            (weight * loss_of(parted, rollout[part])).backward()
        assert gradients(whole).norm() > 0.01
        close(gradients(parted), gradients(whole), atol=1e-10, rtol=1e-8)
        assert len(parts) >= 4
    assert [len(part) for part, _ in parts] == [4, 4, 4, 4]


def test_an_unweighted_sum_would_be_another_gradient(policy, answered):
    """What the weights are for: responses differ in length, and the mean is over tokens."""
    whole, parted = double(policy), double(policy)
    loss_of(whole, answered).backward()
    parts = list(passes(answered, None, 110))
    for part, _ in parts:
        (loss_of(parted, answered[part]) / len(parts)).backward()
    assert (gradients(parted) - gradients(whole)).norm() > 0.01 * gradients(whole).norm()


# Precision

def test_the_first_ratio_is_1_in_float32(policy, llama, prompts):
    """To 1e-6, between two reads of the same rows in whatever passes, with the value beside or not."""
    for one in (policy, llama):
        rollout = sample_rollout(one, prompts, SHORT, seed=1)
        with torch.no_grad():
            old = read(one, rollout, value=True, tokens_per_pass=60)
            now = read(one, rollout)
        assert ((now.logprob - old.logprob).exp() - 1).abs().max() < 1e-5


def test_under_autocast_the_first_ratio_is_1_to_the_bit(policy, llama, prompts):
    """Rollout, reference and learning under one precision: the rollout's numbers are those that learning reads."""
    for one in (policy, llama):
        with precision(one, "bfloat16"):
            rollout = sample_rollout(one, prompts, SHORT, seed=1)
        learner = copy.deepcopy(one).requires_grad_(True)
        with precision(learner, "bfloat16"):
            now = read(learner, rollout, value=True)
        assert torch.equal(now.logprob, rollout.logprob)
        assert torch.equal(now.value, rollout.value)
        assert rollout.logprob.dtype == rollout.value.dtype == torch.float32
        with torch.no_grad():
            plain = read(one, rollout)
        assert not torch.equal(plain.logprob, rollout.logprob)           # the precision does matter


def test_under_autocast_the_same_micro_batches_give_the_same_bits(policy, answered):
    """Old ones in one read, new ones part by part under the same budget, as PPO reads them: the shapes are the same."""
    with torch.no_grad(), precision(policy, "bfloat16"):
        old = read(policy, answered, tokens_per_pass=110).logprob
    learner = copy.deepcopy(policy).requires_grad_(True)
    for part, _ in passes(answered, None, 110):
        with precision(policy, "bfloat16"):
            now = read(learner, answered[part], value=True, tokens_per_pass=110).logprob
        assert torch.equal(now, old[part])


def test_no_precision_is_the_weights_own(policy, answered):
    with precision(policy, None), torch.no_grad():
        found = read(policy, answered).logprob
    with torch.no_grad():
        assert torch.equal(found, read(policy, answered).logprob)


def test_the_value_head_multiplies_in_float32_under_autocast(policy, answered):
    """By hand from the trunk's hidden states; bfloat16 would keep three digits of a value."""
    far = copy.deepcopy(policy)
    far.value_head.bias.data.fill_(100.0)
    with torch.no_grad(), precision(far, "bfloat16"):
        found = read(far, answered, value=True).value
        ids = torch.cat([answered.prompt_ids, answered.response_ids[:, :-1]], dim=1)
        mask = torch.cat([answered.prompt_mask, answered.mask[:, :-1]], dim=1)
        hidden = far.hidden(ids, mask)[0][:, -answered.mask.shape[1]:]
    weight = far.value_head.weight[0].double()
    expected = (hidden.double() @ weight + 100)[answered.mask]
    assert (found[answered.mask] - expected).abs().max() < 1e-4
    assert (expected.bfloat16() - expected).abs().max() > 0.05            # what it would have been


def test_ppo_learns_within_its_budget(policy, prompts, answered, monkeypatch):
    """Rows of a part keep the rollout's columns; what is padding in all of them is not read."""
    sizes, hidden = [], Policy.hidden

    def spy(self, ids, *arguments):
        if torch.is_grad_enabled():
            sizes.append(tuple(ids.shape))
        return hidden(self, ids, *arguments)
    monkeypatch.setattr(Policy, "hidden", spy)
    learner = copy.deepcopy(policy).requires_grad_(True)
    list(ppo.steps(learner, policy.reference(), prompts, lambda _, texts: [0.0 for _ in texts], ppo.Config(
        steps=1, batch_size=16, minibatch_size=None, epochs=1, tokens_per_pass=110, checks=False, sampling=SHORT),
        rollouts=lambda _: answered))
    assert sum(rows for rows, _ in sizes) == len(answered)
    assert all(rows * width <= 110 for rows, width in sizes)
    assert max(rows for rows, _ in sizes) * (answered.prompt_ids.shape[1] + answered.mask.shape[1] - 1) > 110


# Whoever reads without learning

@pytest.mark.parametrize("reads", ["recomputed", "evaluated"])
def test_recomputation_and_evaluation_read_in_passes_and_pieces(reads, saved_llama, policy, prompts, monkeypatch):
    """Of 16 rows no pass is larger than `TOKENS`, and no more logits than `PIECE` are scored at once."""
    passes, pieces, hidden, scores = [], [], Policy.hidden, engine._scores
    monkeypatch.setattr(engine, "TOKENS", 60)
    monkeypatch.setattr(engine, "PIECE", 500)
    monkeypatch.setattr(engine, "_scores", lambda z, *a: pieces.append(z.numel()) or scores(z, *a))

    def spy(self, ids, mask, cache=None, use_cache=False):
        if not use_cache:                                                # not a step of sampling
            passes.append(tuple(ids.shape))
        return hidden(self, ids, mask, cache, use_cache)
    monkeypatch.setattr(Policy, "hidden", spy)
    if reads == "recomputed":
        quantised = Policy(*load_language_model(saved_llama, quantize="int8")).eval()
        rollout = sample_rollout(quantised, prompts, SHORT, seed=1)
        rows, tokens = len(prompts), int(rollout.mask.sum())
    else:
        found = evaluate(policy, policy.reference(), prompts, {"zero": lambda _, texts: [0.0 for _ in texts]}, SHORT)
        rows, tokens = len(prompts), round(found.length * len(prompts))
    assert sum(number for number, _ in passes) == rows
    assert all(number * width <= 60 or number == 1 for number, width in passes)
    vocabulary = len(policy.tokenizer)
    assert sum(pieces) == tokens * vocabulary
    assert max(pieces) <= 500


# Activation checkpointing

@pytest.mark.parametrize("name", ["policy", "llama"])
def test_checkpointing_keeps_the_gradients_without_dropout(name, request, answered):
    """In eval(), where transformers' own switch does nothing: blocks are computed twice, gradients are the same."""
    plain, saving = (double(request.getfixturevalue(name)) for _ in range(2))
    blocks = saving.lm.transformer.h if name == "policy" else saving.lm.model.layers
    calls = []
    assert saving.comes_apart                                            # found out now, in a pass that is not counted
    blocks[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    loss_of(plain, answered).backward()
    loss = loss_of(saving, answered, checkpointing=True)
    assert len(calls) == 1
    loss.backward()
    assert len(calls) == 2
    close(gradients(saving), gradients(plain), atol=1e-12, rtol=1e-8)
    assert not saving.training
    assert all("forward" not in vars(block) for block in blocks)


def test_checkpointing_with_a_critic_of_its_own(policy, answered):
    lm = copy.deepcopy(policy.lm)
    made = Policy(lm, policy.tokenizer, value_trunk=copy.deepcopy(lm.base_model)).eval()
    made.value_head.load_state_dict(policy.value_head.state_dict())
    plain, saving = double(made), double(made)
    loss_of(plain, answered).backward()
    loss_of(saving, answered, checkpointing=True).backward()
    close(gradients(saving), gradients(plain), atol=1e-12, rtol=1e-8)


@pytest.mark.parametrize("kind", [None, "int8", "nf4"])
@pytest.mark.parametrize("autocast", [None, "bfloat16"])
def test_checkpointing_with_adapters_on_any_base(saved_llama, prompts, kind, autocast):
    """The first ratio is 1 to the bit and the adapter's gradient that of the plain way."""
    found = []
    for checkpointing in (False, True):
        policy = SharedBase(*load_language_model(saved_llama, quantize=kind)).policy
        policy.value_head.weight.data.fill_(0.1)
        with torch.no_grad():
            for name, parameter in policy.lm.named_parameters():
                if "lora_B" in name:
                    parameter.fill_(0.01)
        with precision(policy, autocast):
            rollout = sample_rollout(policy, prompts[:8], Sampling(max_new_tokens=8))
        with precision(policy, autocast):
            now = read(policy, rollout, value=True, checkpointing=checkpointing)
        if kind or autocast:
            assert torch.equal(now.logprob, rollout.logprob)
        assert (now.logprob - rollout.logprob).abs().max() < 1e-5
        (now.logprob.sum() + now.value.square().sum()).backward()
        assert all(p.grad is None for p in policy.parameters() if not p.requires_grad)
        found.append(gradients(policy))
    assert found[0].norm() > 0.1
    close(found[1], found[0], atol=1e-6 * found[0].abs().max().item(), rtol=1e-5)


def test_a_model_without_blocks_is_refused_in_one_line(policy, answered):
    bare = copy.deepcopy(policy).requires_grad_(True)
    bare.lm.transformer.h = nn.ModuleList()
    with pytest.raises(ValueError, match="no blocks that transformers can checkpoint; leave") as caught:
        read(bare, answered, checkpointing=True)
    assert "\n" not in str(caught.value)


def test_response_logits_are_those_that_are_read(policy, answered):
    with torch.no_grad():
        logprob = response_logits(policy, answered).log_softmax(-1).gather(-1, answered.response_ids[..., None])[..., 0]
        close(read(policy, answered).logprob, torch.where(answered.mask, logprob, 0.0), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("piece", [None, 500])
def test_the_likeliest_tokens_and_what_another_says_of_them(anyone, answered, piece, monkeypatch):
    """Bins of a teacher and of its student, against the whole distribution, in passes and pieces."""
    if piece:
        monkeypatch.setattr(engine, "PIECE", piece)
    with torch.no_grad():
        whole = response_logits(anyone, answered).float().log_softmax(-1)
        ids, bins = read_likeliest(anyone, answered, 5, tokens_per_pass=60)
        again = read_bins(anyone, answered, ids)
    close(ids[answered.mask], whole.topk(5).indices[answered.mask])
    close(bins[..., :5][answered.mask], whole.topk(5).values[answered.mask], rtol=5e-5, atol=5e-5)
    close(bins[answered.mask].exp().sum(-1), torch.ones(int(answered.mask.sum())))
    close(again, bins, rtol=5e-5, atol=5e-5)
    assert (bins[~answered.mask] == 0).all()


@pytest.mark.parametrize("piece", [500, 3000])
def test_bins_have_the_same_gradient_in_pieces(policy, answered, piece, monkeypatch):
    ids, bins = read_likeliest(policy, answered, 5)
    found = []
    for size in (engine.PIECE, piece):
        monkeypatch.setattr(engine, "PIECE", size)
        learner = double(policy)
        read_bins(learner, answered, ids).mul(bins.cos()).sum().backward()
        found.append(gradients(learner))
    close(*found, rtol=1e-6, atol=1e-9)
