"""Evaluation: published intervals, and what a policy compared with itself must give."""

import copy
import json
import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit import rewards
from rlhf_kit.evaluate import (
    Estimate,
    Evaluation,
    agreement,
    area,
    distinct,
    distinct_pairs,
    evaluate,
    head_to_head,
    mean,
    ratio,
    share,
    side_by_side,
    win_rate,
)
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout
from rlhf_kit.tasks.reviews import Reviews

SAMPLING = Sampling(max_new_tokens=12, temperature=0.7)


@pytest.mark.parametrize(("successes", "n", "low", "high"), [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718),
])
def test_wilsons_interval_as_published(successes, n, low, high):
    """Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I, method 3."""
    estimate = share(successes, n)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)
    assert (estimate.mean, estimate.n) == (successes / n, n)


def test_wilsons_interval_solves_wilsons_equation():
    """At its ends the observed share is exactly 1.96 standard errors away: (p - q)² = z² q(1-q)/n."""
    estimate = share(7, 12)
    for q in (estimate.low, estimate.high):
        assert (7 / 12 - q) ** 2 == pytest.approx(1.959964**2 * q * (1 - q) / 12)


def test_a_share_stays_between_0_and_1():
    for n in range(1, 2000):
        assert 0 <= share(0, n).low < 1e-12
        assert 1 - 1e-12 < share(n, n).high <= 1


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5), (math.nan, 5)])
def test_a_share_that_is_none_is_refused(successes, n):
    with pytest.raises(ValueError, match="is no share"):
        share(successes, n)


def test_a_mean_with_its_interval_by_hand():
    """1, 2, 3, 4: mean 2.5, s² = 5/3, standard error √(5/12) = 0.6455."""
    estimate = mean([1, 2, 3, 4])
    assert estimate.mean == 2.5
    assert estimate.standard_error == pytest.approx(0.6454972)
    assert (estimate.low, estimate.high) == pytest.approx((2.5 - 1.265151, 2.5 + 1.265151))
    assert str(estimate) == "2.500 (1.235–3.765), n = 4"
    assert mean(torch.tensor([1, 2, 3, 4])) == estimate


def test_the_interval_of_a_mean_holds_the_truth_19_times_in_20():
    """2,000 samples of 50 from a normal: 1,900 expected (a bit less, since s is estimated), deviation 9.7."""
    x = torch.randn(2000, 50, generator=torch.Generator().manual_seed(0))
    held = sum(abs(row.mean()) <= 1.959964 * row.std() / 50**0.5 for row in x)
    assert 1850 < sum((e := mean(row)).low <= 0 <= e.high for row in x) == held < 1930


@pytest.mark.parametrize("n", [1, 2, 20])
def test_rankings_that_agree_alike_have_the_interval_of_as_many_observations(n):
    """Resampling them gives the same number each time; Wilson's interval of n successes in n is [n / (n + z²), 1]."""
    seen = agreement(rewards.length(9), [Ranking("", ("x" * 9, "x" * 5, "x"), (1, 2, 3))] * n).pair_accuracy
    assert (seen.mean, seen.high, seen.n) == (1, 1, 3 * n)
    assert seen.low == pytest.approx(n / (n + 1.96**2), abs=1e-4)


def test_a_ratio_lies_in_its_interval_though_one_row_weighs_more_than_another():
    """45 pairs of 45 in one ranking and 0 of 1 in another: 45/46, not the mean of 1 and 0."""
    seen = ratio(torch.tensor([45.0, 0.0]).double(), torch.tensor([45.0, 1.0]).double())
    assert seen.low < seen.mean == 45 / 46 <= seen.high
    assert seen.n == 46


def test_one_number_has_no_interval():
    with pytest.raises(ValueError, match="give at least 2"):
        mean([0.5])


def test_a_tie_is_half_a_win():
    estimate = win_rate([3, 1, 2, 5], [1, 3, 2, 4])
    assert (estimate.mean, estimate.n) == (2.5 / 4, 4)
    assert win_rate([1, 1], [1, 1]).mean == 0.5
    assert win_rate([0, 0], [1, 1]).mean == 0


def answered(scores, lengths, prompts=None) -> Evaluation:
    """Answers with these scores and so many characters."""
    n = len(scores)
    return Evaluation(prompts=tuple(prompts or map(str, range(n))), responses=tuple("x" * n for n in lengths),
                      each={"score": tuple(map(float, scores))}, scores={}, kl=0.0, eos_rate=1.0, length=1.0,
                      distinct=1.0, distinct_2=1.0)


def test_head_to_head_by_hand():
    found = head_to_head(answered([3, 1, 2, 5], [4, 4, 4, 4]), answered([1, 3, 2, 4], [4, 4, 4, 4]))
    assert found.win_rate == share(2.5, 4)
    assert found.length_controlled == found.win_rate                    # all are equally long
    assert (found.difference.mean, found.difference.n) == (0.25, 4)     # 2, -2, 0, 1
    assert found.longer == Estimate(0.0, 0.0, 0.0, 4)


def test_at_equal_length_is_what_length_does_not_explain():
    """Ours wins where it is longer and loses where it is shorter; it is longer on three prompts in four."""
    lengths = [30, 30, 30, 10] * 15
    ours = answered([1, 1, 1, 0] * 15, lengths)
    found = head_to_head(ours, answered([0.5] * 60, [20] * 60))
    assert found.win_rate.mean == 0.75
    assert found.length_controlled.mean < 0.65
    assert 0 < found.length_controlled.low < 0.5 < found.length_controlled.high
    assert found.longer.mean == 5
    plain = head_to_head(answered([1, 1, 1, 0] * 15, [21, 19, 21, 19, 19, 21, 19, 21] * 7 + [21, 19, 19, 21]),
                         answered([0.5] * 60, [20] * 60))
    assert plain.length_controlled.mean == pytest.approx(0.75, abs=0.02)


def test_at_equal_length_where_that_cannot_be_told_or_need_not():
    assert head_to_head(answered([1, 0, 1], [7, 7, 7]), answered([0, 1, 0], [5, 5, 5])).length_controlled is None
    always = head_to_head(answered([1, 1, 1], [9, 2, 5]), answered([0, 0, 0], [5, 5, 5]))
    assert always.length_controlled == always.win_rate == share(3, 3)
    with pytest.raises(ValueError, match="answer different prompts"):
        head_to_head(answered([1], [2], ["a"]), answered([1], [2], ["b"]))


def test_a_win_rate_needs_pairs():
    with pytest.raises(ValueError, match="2 scores against 3"):
        win_rate([1, 2], [1, 2, 3])


def test_distinct_by_hand(rollout):
    assert distinct(["a", "b", "a", "a"]) == 0.5
    assert distinct(["a"] * 5) == 0.2
    ids = torch.tensor([[5, 6, 5, 6], [5, 6, 7, 9], [4, 9, 9, 9]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]]).bool()
    small = replace(rollout[:3], response_ids=ids, mask=mask)              # pairs 56 65 56, 56 67, none
    assert distinct_pairs(small) == 3 / 5
    assert distinct_pairs(replace(small, mask=mask & False)) == 0


def test_a_policy_is_at_distance_0_from_itself(policy, prompts):
    result = evaluate(policy, policy.reference(), prompts, {}, SAMPLING, seed=1)
    assert result.kl == pytest.approx(0, abs=1e-4)


def test_an_evaluation_holds_what_its_responses_say(policy, llama, prompts):
    """The KL is the mean over responses of Σ (log π - log ρ), both with the sampling temperature."""
    rewards = {"length": lambda prompts, responses: [float(len(r)) for r in responses],
               "one": lambda prompts, responses: [1.0] * len(prompts)}
    result = evaluate(policy, llama, prompts, rewards, SAMPLING, seed=1)
    rollout = sample_rollout(policy, prompts, SAMPLING, seed=1)
    assert result.responses == tuple(rollout.responses)
    assert result.prompts == tuple(prompts)
    assert result.each["length"] == tuple(float(len(r)) for r in rollout.responses)
    assert result.scores["length"].mean == pytest.approx(sum(map(len, rollout.responses)) / 16)
    assert result.scores["one"] == Estimate(1.0, 1.0, 1.0, 16)
    gaps = (rollout.logprob - response_logprob(llama, rollout)).tolist()
    assert result.kl == pytest.approx(sum(map(sum, gaps)) / 16, rel=1e-5)
    assert result.kl > 1
    assert result.eos_rate == sum(rollout.ended.tolist()) / 16
    assert result.length == sum(map(sum, rollout.mask.tolist())) / 16
    assert result.distinct == len(set(rollout.responses)) / 16


def test_evaluating_leaves_no_gradient_and_trains_nobody(policy, prompts):
    learner = Policy(copy.deepcopy(policy.lm), policy.tokenizer).requires_grad_(True)
    evaluate(learner, policy, prompts, {"one": lambda p, r: [1.0] * len(p)}, SAMPLING)
    assert all(p.grad is None for p in learner.parameters())


def test_side_by_side_pairs_the_same_prompts(policy, prompts):
    first, second = (evaluate(policy, policy.reference(), prompts[:4], {"length": lambda p, r: [len(x) for x in r]},
                              SAMPLING, seed) for seed in (1, 2))
    rows = side_by_side(first, second)
    assert [row["before"]["prompt"] for row in rows] == [row["after"]["prompt"] for row in rows] == prompts[:4]
    assert [row["after"]["response"] for row in rows] == list(second.responses) != list(first.responses)
    assert all(row[side]["length"] == len(row[side]["response"]) for row in rows for side in ("before", "after"))


def test_different_prompts_cannot_stand_side_by_side(policy, prompts):
    """Row 3 of one beside row 3 of the other would compare answers to different questions."""
    first, second = (evaluate(policy, policy.reference(), some, {}, SAMPLING) for some in (prompts[:3], prompts[1:4]))
    with pytest.raises(ValueError, match="different prompts"):
        side_by_side(first, second)


# Agreement with rankings.

def said(prompts, responses):
    """The number that stands in the response."""
    return [float(response) for response in responses]


def test_agreement_by_hand_with_ties_of_both_kinds():
    """4 of 5 pairs right and the tie asked of nobody; then half a pair for equal scores; then one list of all ties."""
    lists = [Ranking("", ("3", "1", "2", "0"), (1, 2, 2, 2)), Ranking("", ("2", "2", "5"), (1, 2, 2)),
             Ranking("", ("1", "4"), (1, 1))]
    found = agreement(said, lists)
    gaps = [2.0, 1.0, 3.0, 0.0, -3.0]
    assert found.pair_accuracy.mean == pytest.approx(3.5 / 5)
    assert found.pair_accuracy.n == 5
    assert (found.list_accuracy.mean, found.list_accuracy.n) == (0.5, 2)
    assert found.margin == pytest.approx(sum(gaps) / 5)
    costs = [math.log1p(math.exp(-gap)) for gap in gaps]
    assert found.loss == pytest.approx((sum(costs[:3]) / 3 + sum(costs[3:]) / 2) / 2, abs=1e-6)
    stated = {2.0: (0.8808, 1), 1.0: (0.7311, 1), 0.0: (0.5, 0.5), 3.0: (0.9526, 0.5)}        # right at 3, wrong at -3
    error = sum((2 if gap == 3.0 else 1) * abs(p - share) for gap, (p, share) in stated.items()) / 5
    assert found.calibration_error == pytest.approx(error, abs=1e-4)
    assert [n for _, _, n in found.reliability] == [1, 1, 1, 2]


def test_the_interval_of_pairs_holds_their_mean_and_narrows_with_the_rankings():
    g = torch.Generator().manual_seed(0)
    lists = [Ranking("", tuple(map(str, torch.randn(4, generator=g).tolist())), (1, 2, 3, 4)) for _ in range(400)]
    few, many = (agreement(said, lists[:n]).pair_accuracy for n in (40, 400))
    for found in (few, many):
        assert found.low < found.mean < found.high
    assert 2 < few.standard_error / many.standard_error < 5                  # about √10
    assert agreement(said, lists).pair_accuracy == many != agreement(said, lists, seed=1).pair_accuracy


def test_pairs_of_one_ranking_are_no_independent_observations():
    """All right or all wrong together: as sure as 40 coins, though there are 600 pairs."""
    lists = [Ranking("", tuple(map(str, range(6))), tuple(range(1, 7)) if i % 2 else tuple(range(6, 0, -1)))
             for i in range(40)]
    found = agreement(said, lists).pair_accuracy
    assert found.n == 600
    assert found.standard_error == pytest.approx(0.5 / math.sqrt(40), rel=0.1)


@pytest.mark.parametrize(("lang", "noise"), [("en", 0.1), ("en", 0.5), ("zh", 0.1)])
def test_the_truth_agrees_with_noisy_rankings_as_often_as_plackett_and_luce_say(lang, noise):
    """P(the better one is placed above) = σ(|difference of gold| / T): the ceiling of every judge."""
    task = Reviews(lang)
    lists = task.rankings(100, noise=noise, seed=3)
    gold = {one.prompt + r: task.gold(one.prompt, r) for one in lists for r in one.responses}
    wanted = [1 / (1 + math.exp(-abs(gold[pair.prompt + pair.chosen] - gold[pair.prompt + pair.rejected]) / noise))
              for one in lists for pair in one.pairs()]
    found = agreement(rewards.gold(task), lists).pair_accuracy
    assert found.n == len(wanted) == 600
    assert abs(found.mean - sum(wanted) / 600) < 3 * found.standard_error


def test_without_errors_the_truth_is_always_right():
    task = Reviews("en")
    found = agreement(rewards.gold(task), task.rankings(10))
    assert found.pair_accuracy.mean == found.list_accuracy.mean == 1


def test_a_judge_that_states_the_odds_is_calibrated_and_one_that_shouts_is_not():
    """Rankings drawn from Plackett-Luce; three times the true log-odds is overconfident, a third too modest."""
    g = torch.Generator().manual_seed(0)
    truth = torch.randn(1500, 4, generator=g)
    felt = truth - torch.empty_like(truth).exponential_(generator=g).log()                  # Gumbel errors
    ranks = 5 - (felt.argsort(1).argsort(1) + 1)
    lists = [Ranking("", tuple(map(str, row.tolist())), tuple(rank.tolist()))
             for row, rank in zip(truth, ranks, strict=True)]
    found = [agreement(lambda p, r, times=times: [times * x for x in said(p, r)], lists) for times in (1, 3, 1 / 3)]
    honest, shouts, whispers = found
    assert honest.calibration_error < 0.02
    assert min(shouts.calibration_error, whispers.calibration_error) > 0.1
    assert honest.loss < min(shouts.loss, whispers.loss)
    assert honest.pair_accuracy == shouts.pair_accuracy == whispers.pair_accuracy


@pytest.mark.parametrize(("lists", "message"), [
    ([], "there are no rankings"), ([Ranking("", ("1", "2"), (1, 1))], "no pair with a winner")])
def test_agreement_with_nothing_is_refused(lists, message):
    with pytest.raises(ValueError, match=message):
        agreement(said, lists)


def test_an_agreement_is_plain_numbers_for_a_file():
    numbers = agreement(said, [Ranking("", ("2", "1"), (1, 2))]).numbers()
    assert json.loads(json.dumps(numbers))["pair_accuracy"]["mean"] == 1


@pytest.mark.parametrize(("change", "message"), [
    ({"reference": None}, "the reference is None"), ({"prompts": "the lamp"}, "the prompts are one text"),
    ({"rewards": len}, "expected named ones"), ({"rewards": {"score": 0.5}}, "the reward is 0.5; expected a function")])
def test_what_is_no_argument_is_named(policy, prompts, change, message):
    arguments = {"reference": policy, "prompts": prompts, "rewards": {}, **change}
    with pytest.raises(ValueError, match=message):
        evaluate(policy, **arguments)


def test_the_interval_of_a_probability_stays_a_probability():
    """0.5 of two answers, 0 and 1: the normal interval alone would go from -0.479 to 1.479."""
    assert (mean([0.0, 1.0]).low, mean([0.0, 1.0]).high) == pytest.approx((-0.48, 1.48), abs=2e-3)
    found = mean([0.0, 1.0], (0.0, 1.0))
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)
    assert str(found) == "0.500 (0.000–1.000), n = 2"
    inside = mean([0.4, 0.6] * 20, (0.0, 1.0))
    assert inside == mean([0.4, 0.6] * 20)               # a bound that is far away changes nothing
    assert "n =" not in str(inside)


def test_an_evaluation_tells_what_it_saw_and_prints_short(policy, prompts):
    judge = rewards.bounded(lambda p, r: [float(len(one) > 20) for one in r], 0, 1)
    letters = lambda p, r: [len(one) for one in r]                                                  # noqa: E731
    seen = evaluate(policy, policy, prompts, {"judge": judge, "letters": letters}, SAMPLING)
    assert seen.mean == {name: pytest.approx(sum(each) / len(each)) for name, each in seen.each.items()}
    rows = seen.per_prompt()
    assert [row["prompt"] for row in rows] == prompts
    assert rows[3] == {"prompt": prompts[3], "response": seen.responses[3], "judge": seen.each["judge"][3],
                       "letters": len(seen.responses[3])}
    assert 0 <= seen.scores["judge"].low <= seen.scores["judge"].high <= 1
    assert repr(seen) == (f"Evaluation(16 prompts: judge {seen.mean['judge']:.3f}, letters {seen.mean['letters']:.3f}, "
                          f"kl {seen.kl:.2f})")
    assert seen.summary().splitlines()[0] == "16 prompts, one response each"
    assert str(seen.scores["letters"]) in seen.summary()
    assert seen.summary().endswith("Only 16 prompts; below 30 such numbers say little.")


def test_an_area_without_a_mistake_is_not_certain_of_few():
    """Hanley and McNeil's deviation is 0 there; Wilson's interval of as many successes as the rarer kind has is not."""
    right = area(torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([1, 1, 0, 0]))
    wrong = area(torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]), torch.tensor([1, 1, 0, 0, 0]))
    assert (right.mean, right.low, right.high) == (1, share(2, 2).low, 1)
    assert (wrong.mean, wrong.low, wrong.high) == (0, 0, share(0, 2).high)
