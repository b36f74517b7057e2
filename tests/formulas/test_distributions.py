import math
from itertools import accumulate

import pytest
import torch

from rlhf_kit.formulas.distributions import draw, entropy, exact_kl, sample, token_logprob

# Two words with probabilities 1/4 and 3/4: logits 0 and log 3.
QUARTER = torch.tensor([[[0.0, math.log(3)]]], dtype=torch.float64)
EVEN = torch.zeros(1, 1, 2, dtype=torch.float64)


def test_logprob_by_hand():
    assert token_logprob(QUARTER, torch.tensor([[0]])).item() == pytest.approx(math.log(1 / 4))
    assert token_logprob(QUARTER, torch.tensor([[1]])).item() == pytest.approx(math.log(3 / 4))
    # At temperature 1/2 the odds are squared: 1 to 9.
    assert token_logprob(QUARTER, torch.tensor([[1]]), temperature=0.5).item() == pytest.approx(math.log(0.9))


def test_probabilities_of_all_words_add_up_to_one():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 7, dtype=torch.float64) * 5
    every = [token_logprob(logits, torch.full((2, 3), word), temperature=0.7).exp() for word in range(7)]
    assert torch.allclose(sum(every), torch.ones(2, 3, dtype=torch.float64), atol=1e-12)


def test_the_gradient_is_one_hot_minus_softmax():
    logits = QUARTER.clone().requires_grad_()
    token_logprob(logits, torch.tensor([[0]])).sum().backward()
    assert logits.grad.flatten().tolist() == pytest.approx([3 / 4, -3 / 4])


@pytest.mark.parametrize("shift", [0.0, -100.0, 100.0])
def test_float32_survives_logits_far_from_zero(shift):
    # GPT-2's logits lie near -100, where gather minus logsumexp loses 4e-6.
    torch.manual_seed(0)
    logits, ids = torch.randn(4, 8, 300) + shift, torch.randint(300, (4, 8))
    wide = logits.double()
    exact = wide.gather(-1, ids[..., None])[..., 0] - wide.exp().sum(-1).log()
    assert (token_logprob(logits, ids) - exact).abs().max() < 1e-6


def test_precision_is_at_least_float32():
    ids = torch.tensor([[0]])
    assert token_logprob(QUARTER.bfloat16(), ids).dtype == torch.float32
    assert entropy(QUARTER.half()).dtype == torch.float32
    assert token_logprob(QUARTER, ids).dtype == exact_kl(QUARTER, EVEN).dtype == torch.float64


def test_entropy_by_hand():
    assert entropy(EVEN).item() == pytest.approx(math.log(2))
    assert entropy(QUARTER).item() == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    assert entropy(QUARTER, temperature=1e6).item() == pytest.approx(math.log(2))       # hot = no idea
    assert entropy(QUARTER, temperature=1e-3).item() == pytest.approx(0)                # cold = certain


def test_exact_kl_by_hand_has_a_direction():
    there = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    back = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert exact_kl(QUARTER, EVEN).item() == pytest.approx(there)
    assert exact_kl(EVEN, QUARTER).item() == pytest.approx(back)
    assert exact_kl(QUARTER, QUARTER + 7).item() == pytest.approx(0)  # only differences count


def test_a_forbidden_word_makes_no_nan():
    logits = torch.cat([QUARTER, torch.full((1, 1, 1), -math.inf)], -1).requires_grad_()
    entropy(logits).sum().backward()
    exact_kl(logits, logits.detach() * 1).sum().backward()
    assert entropy(logits).item() == pytest.approx(entropy(QUARTER).item())
    assert logits.grad.isfinite().all()
    assert exact_kl(torch.zeros(1, 1, 3), logits).item() == math.inf  # what ρ would never say


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"logits\[:, t\] predict"):
        token_logprob(torch.zeros(1, 3, 2), torch.zeros(1, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="temperature is 0"):
        entropy(EVEN, temperature=0)
    with pytest.raises(ValueError, match="estimate_k1"):
        exact_kl(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises((IndexError, RuntimeError)):                         # -100 means nothing here
        token_logprob(EVEN, torch.tensor([[-100]]))


# Drawing: one random number a row, by the inverse of the distribution function.

LAST = 1 - 2**-53                                                   # the largest number that torch.rand may give


def drawn(p: list[float], *uniform: float) -> list[int]:
    return draw(torch.tensor([p] * len(uniform), dtype=torch.float64),
                torch.tensor(uniform, dtype=torch.float64)).tolist()


def test_a_word_has_the_share_of_the_numbers_that_is_its_probability():
    assert drawn([0.125, 0.25, 0.375, 0.25], 0, 0.12, 0.125, 0.37, 0.375, 0.74, 0.75, LAST) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert drawn([1, 2, 3, 2], 0, 0.12, 0.125, 0.37, 0.375, 0.74, 0.75, LAST) == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("words", [5, 2048, 2049, 2304, 5000])      # one sum, and blocks with and without a rest
def test_what_has_no_probability_is_never_drawn(words):
    p = [0.0] * words
    p[1] = p[words // 2] = 0.5
    assert drawn(p, 0, 0.4999, 0.5, LAST) == [1, 1, words // 2, words // 2]


@pytest.mark.parametrize("words", [700, 50_000])
def test_draws_are_those_of_plain_sums(words):
    """u lies where the word's own probability does; sums of blocks are float32, so 1e-7 beside it is as right."""
    generator = torch.Generator().manual_seed(0)
    p = (3 * torch.randn(words, generator=generator)).softmax(0)
    uniform = torch.rand(400, generator=generator, dtype=torch.float64)
    upto = list(accumulate(p.tolist()))
    upto = [0.0, *(total / upto[-1] for total in upto)]
    for u, word in zip(uniform.tolist(), draw(p.expand(400, -1), uniform).tolist(), strict=True):
        assert upto[word] - 1e-7 <= u < upto[word + 1] + 1e-7


def test_rare_words_behind_frequent_ones_keep_their_probability():
    """3,000 words of 1e-12 each behind one of a half: in a running float32 sum they would have none."""
    p = torch.tensor([0.5] + [1e-12] * 3000 + [0.5])
    uniform = (0.5 + torch.arange(0.5, 3000, dtype=torch.float64) * 1e-12) / p.double().sum()
    assert len(set(draw(p.expand(3000, -1), uniform).tolist())) > 2900          # each about once
    assert len(set(p.cumsum(0)[1:-1].tolist())) == 1                            # the mistake that it avoids


def test_probabilities_that_are_no_numbers_are_reported():
    for wrong in ([math.nan, 0.5], [0.0, 0.0]):
        with pytest.raises(ValueError, match="it has diverged"):
            draw(torch.tensor([[0.5, 0.5], wrong]), torch.tensor([0.1, 0.1], dtype=torch.float64))


@pytest.mark.parametrize("words", [7, 3000])
def test_a_sample_knows_its_log_probability_and_the_entropy(words):
    torch.manual_seed(0)
    logits, uniform = torch.randn(6, words) * 3, torch.rand(6, dtype=torch.float64)
    logits[:, 2], before = -math.inf, logits.clone()
    before[:, 2] = -math.inf
    with torch.no_grad():
        ids, logprob, spread = sample(logits, uniform)
    assert torch.equal(logits, before)                              # what it was given is not used up
    assert torch.equal(ids, draw(logits.softmax(-1), uniform))
    exact = logits.double().softmax(-1)
    assert torch.allclose(logprob.double(), exact.gather(-1, ids[:, None])[:, 0].log(), atol=1e-6)
    assert spread.tolist() == pytest.approx([-sum(p * math.log(p) for p in row if p) for row in exact.tolist()],
                                            abs=1e-5)
