"""The four promises of sampling, each against arithmetic that knows nothing of batches, padding or caches."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit import sampling
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import (
    Sampling,
    generate,
    joined,
    response_logits,
    response_logprob,
    response_logprob_and_value,
    sample_rollout,
    stream_rollout,
)

SHORT = Sampling(max_new_tokens=12, temperature=0.7)
VALUES = {"atol": 5e-5, "rtol": 0}      # float32, and the test's values lie up to 10 where log-probabilities are near 1
close = torch.testing.assert_close


@pytest.fixture(params=["policy", "llama"])
def either(request) -> Policy:
    return request.getfixturevalue(request.param)


def alone(rollout: Rollout, row: int) -> tuple[list[int], list[int]]:
    """The prompt ids and response ids of one row, without padding."""
    return (rollout.prompt_ids[row][rollout.prompt_mask[row]].tolist(),
            rollout.response_ids[row][rollout.mask[row]].tolist())


def by_hand(policy: Policy, rollout: Rollout, row: int) -> tuple[list[float], list[float], list[float]]:
    """log π, value and entropy at each response token: one text, one pass, then plain sums."""
    prompt, response = alone(rollout, row)
    output = policy.lm(torch.tensor([prompt + response]), output_hidden_states=True)
    trunk = policy.value_trunk
    hidden = (output.hidden_states[-1] if trunk is None
              else trunk(torch.tensor([prompt + response])).last_hidden_state)[0].tolist()
    weight, bias = policy.value_head.weight[0].tolist(), policy.value_head.bias.item()
    logprobs, values, entropies = [], [], []
    for t, token in enumerate(response):
        before = len(prompt) + t - 1
        z = [x / rollout.temperature for x in output.logits[0, before].tolist()]
        total = math.log(sum(math.exp(x) for x in z))
        logprobs.append(z[token] - total)
        values.append(sum(w * h for w, h in zip(weight, hidden[before], strict=True)) + bias)
        entropies.append(-sum(math.exp(x - total) * (x - total) for x in z))
    return logprobs, values, entropies


def same_pad_and_end(policy: Policy) -> Policy:
    tokenizer = copy.deepcopy(policy.tokenizer)
    tokenizer.pad_token = tokenizer.eos_token
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    other = Policy(policy.lm, tokenizer)
    other.value_head = policy.value_head
    return other


# 1. The mask ends with the first EOS, inclusive.

def test_the_mask_ends_with_the_first_end_token_inclusive(policy, prompts):
    rollout, end = sample_rollout(policy, prompts, SHORT, seed=1), policy.tokenizer.eos_token_id
    for row, ids in enumerate(rollout.response_ids.tolist()):
        length = ids.index(end) + 1 if end in ids else len(ids)
        assert rollout.mask[row].tolist() == [True] * length + [False] * (len(ids) - length)
        assert rollout.ended[row].item() == (end in ids)
        assert set(ids[length:]) <= {policy.tokenizer.pad_token_id}
    assert 0 < rollout.ended.sum() < len(rollout)


def test_a_tokenizer_whose_pad_is_its_end_token_changes_nothing(policy, prompts):
    ours, theirs = (sample_rollout(p, prompts, SHORT, seed=1) for p in (policy, same_pad_and_end(policy)))
    assert torch.equal(ours.mask, theirs.mask)
    assert torch.equal(ours.ended, theirs.ended)
    assert ours.responses == theirs.responses
    close(theirs.logprob, ours.logprob)
    close(theirs.value, ours.value)
    close(response_logprob(same_pad_and_end(policy), theirs), ours.logprob, atol=1e-5, rtol=0)


def test_an_end_token_in_the_last_place_still_counts_as_an_end(policy, prompts):
    long = sample_rollout(policy, prompts, SHORT, seed=1)
    row = int(long.ended.nonzero()[0])
    whole = sample_rollout(policy, prompts, replace(SHORT, max_new_tokens=int(long.length[row])), seed=1)
    assert whole.ended[row]
    assert not sample_rollout(policy, prompts, replace(SHORT, max_new_tokens=int(long.length[row]) - 1), seed=1
                              ).ended[row]


def test_sampling_stops_when_every_response_has_ended(policy):
    rollouts = [sample_rollout(policy, ["the"], Sampling(max_new_tokens=30), seed=seed) for seed in range(6)]
    ended = [rollout for rollout in rollouts if rollout.ended.all()]
    assert ended
    assert all(rollout.response_ids.shape[1] == rollout.length.max() < 30 for rollout in ended)


# 2. Rollouts are drawn from softmax(logits / temperature), nothing cut off.

def distance_from(counts: torch.Tensor, probability: torch.Tensor) -> float:
    """Pearson's chi-square in standard deviations of its own (0 expected, 4 is an accident of 1 in 10,000)."""
    expected = probability * counts.sum()
    often = expected >= 5
    statistic = ((counts - expected)[often] ** 2 / expected[often]).sum().item()
    free = int(often.sum()) - 1
    return (statistic - free) / math.sqrt(2 * free)


def test_tokens_come_as_often_as_softmax_at_the_temperature_says(policy):
    prompt, rows = "the kettle is very", 6000
    rollout = sample_rollout(policy, [prompt] * rows, Sampling(max_new_tokens=1, temperature=0.7), seed=3)
    ids = policy.tokenizer(prompt, add_special_tokens=False).input_ids
    logits = policy.lm(torch.tensor([ids])).logits[0, -1].double()
    counts = torch.bincount(rollout.response_ids[:, 0], minlength=len(logits)).double()
    assert abs(distance_from(counts, (logits / 0.7).softmax(0))) < 4
    assert distance_from(counts, logits.softmax(0)) > 40                 # the test would notice another temperature
    assert (counts[(logits / 0.7).softmax(0) * rows > 20] > 0).all()     # and a tail that is cut off


def test_the_second_token_depends_on_the_first_as_the_model_says(policy):
    """Through the cache: the average surprise of sampled tokens equals their entropy, within 4 standard errors."""
    rollout = sample_rollout(policy, ["the"] * 3000, Sampling(max_new_tokens=3), seed=5)
    surprise = (-rollout.logprob - rollout.entropy)[:, 1:][rollout.mask[:, 1:]]
    assert abs(surprise.mean()) < 4 * surprise.std() / math.sqrt(len(surprise))


# 3 and 4. Log-probabilities are those of the tokens drawn, at the same temperature, and nothing shifts.

def test_log_probabilities_values_and_entropies_by_hand(either, prompts):
    rollout = sample_rollout(either, prompts[:8], SHORT, seed=1)
    for row in range(8):
        logprob, value, entropy = by_hand(either, rollout, row)
        keep = rollout.mask[row]
        close(rollout.logprob[row][keep].tolist(), logprob, atol=1e-5, rtol=1e-5)
        close(rollout.value[row][keep].tolist(), value, **VALUES)
        close(rollout.entropy[row][keep].tolist(), entropy, atol=1e-5, rtol=1e-5)


def test_learning_sees_the_numbers_of_sampling(either, prompts):
    rollout = sample_rollout(either, prompts, SHORT, seed=1)
    logprob, value = response_logprob_and_value(either, rollout)
    close(logprob, rollout.logprob, atol=1e-5, rtol=0)
    close(value, rollout.value, **VALUES)
    close(response_logprob(either, rollout), rollout.logprob, atol=1e-5, rtol=0)


def test_left_padding_changes_no_log_probability(either, prompts):
    rollout = sample_rollout(either, prompts[:4], SHORT, seed=1)
    assert len(set(rollout.prompt_mask.sum(-1).tolist())) == 4
    batch = response_logprob_and_value(either, rollout)
    for row in range(4):
        one, width = rollout[[row]], int(rollout.prompt_mask[row].sum())
        bare = replace(one, prompt_ids=one.prompt_ids[:, -width:], prompt_mask=one.prompt_mask[:, -width:])
        for ours, theirs in zip(batch, response_logprob_and_value(either, bare), strict=True):
            close(ours[row], theirs[0], atol=1e-5, rtol=0)


def test_response_logits_are_divided_by_the_temperature(policy, rollout):
    prompt, response = alone(rollout, 2)
    logits = policy.lm(torch.tensor([prompt + response])).logits[0, len(prompt) - 1:-1]
    close(response_logits(policy, rollout)[2, :len(response)], logits / 0.7, atol=1e-4, rtol=1e-5)


def test_padding_holds_zeros(policy, rollout):
    for x in (rollout.logprob, rollout.value, rollout.entropy, *response_logprob_and_value(policy, rollout)):
        assert (x[~rollout.mask] == 0).all()


def test_gradients_flow_when_learning_and_not_when_sampling(policy, rollout):
    learner = copy.deepcopy(policy).requires_grad_(True)
    assert not sample_rollout(learner, ["the"], SHORT).logprob.requires_grad
    assert all(x.requires_grad for x in response_logprob_and_value(learner, rollout))


def test_a_separate_value_trunk_by_hand(policy, prompts):
    trunk = copy.deepcopy(policy.lm.base_model)
    trunk.h[0].mlp.c_fc.weight.mul_(-1)
    two = Policy(policy.lm, policy.tokenizer, value_trunk=trunk).eval()
    two.value_head.load_state_dict(policy.value_head.state_dict())
    rollout = sample_rollout(two, prompts[:4], SHORT, seed=1)
    for row in range(4):
        logprob, value, _ = by_hand(two, rollout, row)
        close(rollout.logprob[row][rollout.mask[row]].tolist(), logprob, atol=1e-5, rtol=1e-5)
        close(rollout.value[row][rollout.mask[row]].tolist(), value, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(rollout.value, sample_rollout(policy, prompts[:4], SHORT, seed=1).value)


def test_in_bfloat16_the_first_ratio_is_exactly_one(policy, prompts):
    """Sampling token by token rounds otherwise than one whole pass, so the rollout keeps the latter's numbers."""
    coarse = Policy(copy.deepcopy(policy.lm).to(torch.bfloat16), policy.tokenizer)
    coarse.value_head.load_state_dict(policy.value_head.state_dict())
    rollout = sample_rollout(coarse, prompts, SHORT, seed=1)
    logprob, value = response_logprob_and_value(coarse, rollout)
    assert rollout.logprob.dtype == rollout.value.dtype == torch.float32
    assert torch.equal(logprob, rollout.logprob)
    assert torch.equal(value, rollout.value)


def test_without_a_value_head_there_are_no_values(policy, prompts):
    rollout = sample_rollout(policy.reference(), prompts, SHORT, seed=1)
    assert rollout.value is None
    close(rollout.logprob, sample_rollout(policy, prompts, SHORT, seed=1).logprob)
    with pytest.raises(ValueError, match="no value head"):
        response_logprob_and_value(policy.reference(), rollout)


# Seeds, greedy, the usual cuts.

def test_the_same_seed_gives_the_same_text_and_leaves_the_callers_random_numbers_alone(policy, prompts):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = sample_rollout(policy, prompts, SHORT, seed=1).responses
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert sample_rollout(policy, prompts, SHORT, seed=1).responses == first
    assert sample_rollout(policy, prompts, SHORT, seed=2).responses != first
    assert generate(policy, prompts, SHORT, seed=1) == first


def numbers_of(rollout: Rollout) -> dict[str, torch.Tensor]:
    return {name: x for name, x in vars(rollout).items() if isinstance(x, torch.Tensor)}


def test_a_streamed_rollout_grows_token_by_token_into_the_sampled_one(either, prompts):
    """Bit for bit; and each of the earlier ones is its beginning."""
    *growing, last = stream_rollout(either, prompts, SHORT, seed=1)
    whole = sample_rollout(either, prompts, SHORT, seed=1)
    assert last.responses == whole.responses
    assert all(torch.equal(x, numbers_of(last)[name]) for name, x in numbers_of(whole).items())
    for t, part in enumerate(growing, 1):
        assert torch.equal(part.response_ids, whole.response_ids[:, :t])
        assert torch.equal(part.logprob, whole.logprob[:, :t])
        assert all(text.startswith(begun) for begun, text in zip(part.responses, whole.responses, strict=True))
        assert torch.equal(part.ended, whole.length < t + 1 - (~whole.ended).int())


def test_a_streamed_rollout_of_a_coarse_model_ends_with_recomputed_numbers(policy, prompts):
    coarse = Policy(copy.deepcopy(policy.lm).to(torch.bfloat16), policy.tokenizer)
    *_, last = stream_rollout(coarse, prompts[:4], SHORT, seed=1)
    whole = sample_rollout(coarse, prompts[:4], SHORT, seed=1)
    assert all(torch.equal(x, numbers_of(last)[name]) for name, x in numbers_of(whole).items())


def test_rows_that_have_ended_are_dropped_from_the_batch(policy, prompts, monkeypatch):
    sizes, forward = [], Policy.forward
    monkeypatch.setattr(Policy, "forward",
                        lambda self, ids, *a, **k: sizes.append(len(ids)) or forward(self, ids, *a, **k))
    rollout = sample_rollout(policy, prompts * 4, Sampling(max_new_tokens=30), seed=1)
    going_on = [len(rollout), *rollout.mask[:, 1:].sum(0).tolist()]             # rows that a token is counted of
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) > 3
    assert all(alive <= size and (size - alive) * 8 < size for alive, size in zip(going_on, sizes, strict=True))


@pytest.mark.parametrize("at_once", [0, 10**6])                # never, and as soon as one has ended
def test_a_response_does_not_depend_on_when_others_are_dropped(either, prompts, monkeypatch, at_once):
    usual = sample_rollout(either, prompts, Sampling(max_new_tokens=24), seed=2)
    assert usual.ended.sum() > 2
    monkeypatch.setattr(sampling, "DROPPED_AT_ONCE", at_once)
    other = sample_rollout(either, prompts, Sampling(max_new_tokens=24), seed=2)
    assert other.responses == usual.responses
    for name in ("response_ids", "mask", "ended"):
        assert torch.equal(getattr(other, name), getattr(usual, name))
    for name in ("logprob", "value", "entropy"):
        close(getattr(other, name), getattr(usual, name), **VALUES)
    assert generate(either, prompts, Sampling(max_new_tokens=24), greedy=True)


def test_a_response_does_not_depend_on_its_neighbours(policy, prompts):
    usual = sample_rollout(policy, prompts[:4], SHORT, seed=1)
    other = sample_rollout(policy, [*prompts[:3], "the bag is"], SHORT, seed=1)
    assert usual.responses[:3] == other.responses[:3]
    assert usual.responses[3] != other.responses[3]


def test_a_policy_whose_weights_are_no_numbers_has_diverged(policy):
    broken = copy.deepcopy(policy)
    broken.lm.get_output_embeddings().weight.data.fill_(math.nan)
    for act in (sample_rollout, generate):
        with pytest.raises(ValueError, match=r"it has diverged\. Start again with a lower learning_rate"):
            act(broken, ["the"], SHORT)


def test_closing_a_stream_stops_the_model_and_leaves_gradients_on(policy, monkeypatch):
    calls, forward = [], Policy.forward
    monkeypatch.setattr(Policy, "forward", lambda self, *a, **k: calls.append(1) or forward(self, *a, **k))
    stream = stream_rollout(policy, ["the"], SHORT, seed=1)
    next(stream)
    assert torch.is_grad_enabled()
    stream.close()
    assert len(calls) == 1
    with pytest.raises(ValueError, match="no prompts"):
        next(stream_rollout(policy, []))


def test_greedy_takes_the_likeliest_token_each_time(either, prompts):
    tokenizer, written = either.tokenizer, []
    for prompt in prompts[:4]:
        ids = tokenizer(prompt, add_special_tokens=False).input_ids
        start = len(ids)
        while len(ids) < start + 12 and ids[-1] != tokenizer.eos_token_id:
            ids.append(int(either.lm(torch.tensor([ids])).logits[0, -1].argmax()))
        written.append(tokenizer.decode(ids[start:], skip_special_tokens=True))
    assert generate(either, prompts[:4], SHORT, greedy=True) == written


def first_token(policy: Policy, prompt: str, temperature: float) -> list[tuple[float, str]]:
    """Every possible first token with its probability, likeliest first."""
    ids = policy.tokenizer(prompt, add_special_tokens=False).input_ids
    probability = (policy.lm(torch.tensor([ids])).logits[0, -1].double() / temperature).softmax(0).tolist()
    texts = [policy.tokenizer.decode([i], skip_special_tokens=True) for i in range(len(probability))]
    return sorted(zip(probability, texts, strict=True), reverse=True)


def test_top_k_draws_all_of_the_k_likeliest_and_nothing_else(policy):
    drawn = generate(policy, ["the bag is"] * 500, Sampling(max_new_tokens=1, temperature=1.5), top_k=4)
    assert set(drawn) == {text for _, text in first_token(policy, "the bag is", 1.5)[:4]}


@pytest.mark.parametrize("top_p", [0.3, 0.8])
def test_top_p_draws_from_the_smallest_set_that_reaches_p(policy, top_p):
    drawn = generate(policy, ["the bag is"] * 3000, Sampling(max_new_tokens=1, temperature=0.8), top_p=top_p)
    nucleus, reached = set(), 0.0
    for probability, text in first_token(policy, "the bag is", 0.8):
        if reached < top_p:
            nucleus.add(text)
        reached += probability
    assert set(drawn) == nucleus


def test_top_p_keeps_the_likeliest_token_even_if_it_alone_exceeds_p(policy):
    drawn = generate(policy, ["the bag is"] * 50, Sampling(max_new_tokens=1), top_p=1e-6)
    assert set(drawn) == {first_token(policy, "the bag is", 1.0)[0][1]}


# What is refused.

def test_a_prompt_that_leaves_no_room_is_refused_with_both_numbers(policy):
    prompt = "the lamp is very pretty, " * 4
    tokens = len(policy.tokenizer(prompt, add_special_tokens=False).input_ids)
    room = 48 - tokens
    with pytest.raises(ValueError, match=rf"{tokens} tokens and max_new_tokens is {room + 1}, but the model reads 48"):
        sample_rollout(policy, ["the", prompt], Sampling(max_new_tokens=room + 1))
    assert generate(policy, [prompt], Sampling(max_new_tokens=room))


@pytest.mark.parametrize(("field", "value"), [("max_new_tokens", 0), ("temperature", 0.0), ("temperature", -1.0),
                                              ("temperature", math.inf), ("temperature", math.nan)])
def test_settings_that_mean_nothing_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        Sampling(**{field: value})


@pytest.mark.parametrize("wrong", [{"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_cuts_that_mean_nothing_are_refused(policy, wrong):
    with pytest.raises(ValueError, match="expected top_k >= 0"):
        generate(policy, ["the"], **wrong)


def test_no_prompts_are_refused(policy):
    with pytest.raises(ValueError, match="no prompts"):
        sample_rollout(policy, [])


def test_rollouts_joined_are_read_as_they_were_alone(policy, prompts):
    """Parts of different widths, on both sides: every number of every row stays, padding aside."""
    parts = [sample_rollout(policy, [prompts[1]] * 3, replace(SHORT, max_new_tokens=4), seed=1),
             sample_rollout(policy, prompts[:4], SHORT, seed=2)]
    assert parts[0].prompt_ids.shape[1] < parts[1].prompt_ids.shape[1]
    assert parts[0].mask.shape[1] < parts[1].mask.shape[1]
    whole = joined(parts, policy.tokenizer.pad_token_id)
    apart = [(part, row) for part in parts for row in range(len(part))]
    assert len(whole) == len(apart) == 7
    with torch.no_grad():
        close(response_logprob(policy, whole), whole.logprob, atol=1e-5, rtol=0)
    for row, (part, place) in enumerate(apart):
        assert alone(whole, row) == alone(part, place)
        assert (whole.prompts[row], whole.responses[row]) == (part.prompts[place], part.responses[place])
        for name in ("logprob", "value", "entropy"):
            assert torch.equal(getattr(whole, name)[row][whole.mask[row]], getattr(part, name)[place][part.mask[place]])
        assert whole.ended[row] == part.ended[place]
