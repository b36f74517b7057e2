"""Attribution: sums that telescope, drift and surprise by hand, whole characters, and a word left out."""

import copy

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from rlhf_kit import attribution, rewards
from rlhf_kit.attribution import Piece, contributions, deletions, drift, pieces, surprise, words
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import train_tokenizer
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout

SHORT = Sampling(max_new_tokens=12, temperature=0.7)


def bytewise(texts: list[str], size: int = 300) -> PreTrainedTokenizerFast:
    """As GPT-2's: every byte is a token, and few are merged."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<eos>"],
        show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", clean_up_tokenization_spaces=False)


# Pieces.

@pytest.mark.parametrize("text", ["质量很好。", "good 👍🏽 好 ok", "naïve — “café”", "a"])
def test_bytes_are_joined_until_they_are_whole_characters(text):
    tokenizer = bytewise(["the kettle is good"])
    ids = tokenizer(text).input_ids
    found = pieces(tokenizer, ids)
    assert "".join(piece.text for piece in found) == text
    assert not any(attribution.BROKEN in piece.text for piece in found)
    assert [piece.start for piece in found] == [0, *(piece.end for piece in found)][:-1]
    assert found[-1].end == len(ids)
    if text == "质量很好。":
        assert [piece.text for piece in found] == list(text)
        assert len(ids) == 15


def test_the_end_token_is_a_piece_without_text(tokenizer):
    ids = [*tokenizer("the lamp is", add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    assert pieces(tokenizer, ids)[-1] == Piece("", len(ids) - 1, len(ids))
    assert pieces(tokenizer, []) == []


def test_bytes_that_never_become_a_character_are_kept_together():
    tokenizer = bytewise(["the"])
    half = tokenizer("好").input_ids[:2]
    [piece] = pieces(tokenizer, half)
    assert (piece.start, piece.end) == (0, 2)


def test_a_total_is_that_of_the_piece_s_own_tokens():
    assert Piece("好", 1, 3).total(torch.tensor([1.0, 10.0, 100.0, 1000.0])) == 110


# Contributions.

def by_words(prompts, responses):
    """+2 for each "good", -1 for each "bad", doubled after "very"."""
    return torch.tensor([sum({"good": 2.0, "bad": -1.0}.get(w, 0.0) * (2 if before == "very" else 1)
                             for before, w in zip(["", *r.split()], r.split(), strict=False)) for r in responses])


def test_contributions_by_hand():
    start, each = contributions(by_words, "p", [" good", " very", " bad", "", " good"])
    assert start == 0
    assert each == [2, 0, -2, 0, 2]


def test_contributions_telescope_to_the_total(policy, prompts):
    """R(x, "") plus all of them is R(x, y), whatever the reward and the tokenizer."""
    rollout, reward = sample_rollout(policy, prompts[:6], SHORT, seed=1), rewards.length(40)
    for row, prompt in enumerate(rollout.prompts):
        ids = rollout.response_ids[row][rollout.mask[row]]
        texts = [piece.text for piece in pieces(policy.tokenizer, ids)]
        assert "".join(texts) == rollout.responses[row]
        start, each = contributions(reward, prompt, texts)
        assert start + sum(each) == pytest.approx(reward([prompt], [rollout.responses[row]]).item(), abs=1e-6)
        assert len(each) == len(texts)


def test_a_reward_that_returns_nonsense_is_named():
    with pytest.raises(rewards.RewardError, match="expected finite numbers"):
        contributions(lambda prompts, responses: [float("nan")] * len(responses), "p", ["a"])


# Drift and surprise.

def test_drift_and_surprise_by_hand(policy, prompts):
    other = Policy(copy.deepcopy(policy.lm), policy.tokenizer, value_head=False)
    with torch.no_grad():
        other.lm.get_output_embeddings().weight.mul_(0.9)
    rollout = sample_rollout(policy, prompts[:4], SHORT, seed=1)
    found, surprised = drift(policy, other, rollout), surprise(rollout)
    for row in range(4):
        prompt = rollout.prompt_ids[row][rollout.prompt_mask[row]].tolist()
        response = rollout.response_ids[row][rollout.mask[row]].tolist()
        ours, theirs = ((p.lm(torch.tensor([prompt + response])).logits[0] / 0.7).log_softmax(-1)
                        for p in (policy, other))
        for t, token in enumerate(response):
            place = len(prompt) + t - 1
            assert found[row, t].item() == pytest.approx((ours[place, token] - theirs[place, token]).item(), abs=1e-4)
            assert surprised[row, t].item() == pytest.approx(-ours[place, token].item(), abs=1e-4)
    assert (found[~rollout.mask] == 0).all()
    assert not found.requires_grad


def test_a_policy_has_not_drifted_from_itself(policy, rollout):
    assert drift(policy, policy.reference(), rollout).abs().max() < 1e-5
    with torch.no_grad():
        torch.testing.assert_close(surprise(rollout), -response_logprob(policy, rollout), atol=1e-5, rtol=0)


def test_drift_needs_one_vocabulary(policy, rollout):
    other = Policy(policy.lm, train_tokenizer(["some other words"], 60), value_head=False)
    with pytest.raises(ValueError, match="different vocabularies"):
        drift(policy, other, rollout)


# A word left out.

def test_a_deletion_is_what_the_text_loses():
    parts = words(" good, very bad")
    assert parts == [" good", ",", " very", " bad"]
    whole, each = deletions(by_words, "p", parts)
    assert whole == 2 * 0 + -2                       # "good," is another word than "good"
    assert each == [0.0, -2.0, -1.0, -2.0]


@pytest.mark.parametrize(("text", "parts"), [
    ("it's a well-made lamp!!", ["it's", " a", " well-made", " lamp", "!", "!"]),
    ("质量很好，Wi-Fi 快", ["质", "量", "很", "好", "，", "Wi-Fi", " ", "快"]),
    ("👍🏽 ok\n", ["👍", "🏽", " ok", "\n"]), ("", []), ("a_b café", ["a_b", " café"])])
def test_words_joined_are_the_text(text, parts):
    found = words(text)
    assert "".join(found) == text
    assert found == parts


def test_chinese_is_cut_as_the_tokenizer_does():
    tokenizer = train_tokenizer(["质量很好", "质量不好", "质量一般"] * 20, 11, reading=True)
    assert words("质量很好。", tokenizer)[0] == "质量"
    assert "".join(words("屏幕质量Ａ很好。", tokenizer)) == "屏幕质量Ａ很好。"
