"""Lesson 04a, best-of-n: draws until a good one, the law of the best, its KL, every n from one set of draws, one n."""

from __future__ import annotations

import math

import torch

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_04a import MISTAKES
from rlhf_kit.classroom.exercises.right_04a import (
    best_law,
    best_of_every_n,
    choose_n,
    draws_needed,
    kl_and_bound,
    kl_estimate,
)
from rlhf_kit.formulas import best_of_n as formulas

HALF = [0.5, 0.75, 0.9375]          # 1 - (1 - p)^n is exactly that for p = 1/2 or 3/4, in whatever way it is computed


def _luck(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [Case((0.0, 0.9), "it is never drawn"), Case((1.0, 0.9), "it is always drawn"),
            Case((0.9, 0.2), "one draw is more than enough"), Case((0.3, 0.3), "one draw is just enough"),
            *(Case((0.5, q), "exactly as likely as asked for") for q in HALF[:2]),
            Case((0.75, HALF[2]), "exactly as likely as asked for"), Case((0.001, 0.99), "rare"),
            Case((0.02, 0.95), "rare"), Case((0.6, 0.999), "frequent"), Case((1e-4, 0.5), "very rare"),
            Case((1e-4, 0.99), "very rare, and nearly certain"),
            Case((0.0, 0.01), "it is never drawn, and hardly asked for"),
            Case((0.004, 0.003), "rare, and rarely enough"),
            *(Case(((0.05 + 0.3 * torch.rand(1, generator=g)).item(), (0.6 + 0.39 * torch.rand(1, generator=g)).item()),
                   "random") for _ in range(3))]


def _law(numbers: list[float], rewards: list[float], n: int, about: str = "", dtype=torch.float64) -> Case:
    return Case((torch.tensor(numbers, dtype=dtype), torch.tensor(rewards, dtype=dtype), n), about)


def _laws(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    made = []
    for v, n in ((5, 3), (8, 6), (12, 2)):
        weight = torch.rand(v, generator=g, dtype=torch.float64)
        reward = torch.randint(-4, 5, (v,), generator=g) / 2 if v != 12 else torch.randn(v, generator=g)
        made.append(Case((weight / weight.sum(), reward.double(), n), "random"))
    return [_law([0.2, 0.5, 0.3], [2.0, -1.0, 0.5], 1, "one draw: nothing is chosen"),
            _law([0.2, 0.5, 0.3], [2.0, -1.0, 0.5], 3, "not in order"),
            _law([0.25] * 4, [1.0, 2.0, 3.0, 4.0], 2, "all equally likely"),
            _law([0.1, 0.6, 0.3], [5.0, 5.0, 5.0], 4, "all rewards are equal: nothing to choose by"),
            _law([0.4, 0.1, 0.3, 0.2], [1.0, 3.0, 3.0, 0.0], 2, "the best two tie"),
            _law([0.4, 0.1, 0.3, 0.2], [0.0, 3.0, 0.0, 0.0], 3, "the worst three tie"),
            _law([0.5, 0.0, 0.5], [1.0, 9.0, 2.0], 8, "the best is never drawn"),
            _law([0.5, 0.0, 0.3, 0.2], [1.0, 2.0, 2.0, 3.0], 2, "one of two that tie is never drawn"),
            _law([0.0, 0.6, 0.4], [-5.0, 1.0, 0.0], 4, "the worst is never drawn"),
            _law([0.0, 0.0, 1.0], [3.0, 2.0, 1.0], 5, "one outcome only is ever drawn"),
            _law([0.3, 0.4, 0.3], [1.0, 1.0001, 1.0002], 3, "nearly equal rewards"),
            _law([1.0], [0.3], 7, "a single outcome"), _law([0.01, 0.99], [1.0, 0.0], 64, "rare and good"),
            _law([0.999, 0.001], [-2.0, -1.0], 1000, "very many draws"),
            _law([0.25, 0.5, 0.25], [-0.5, -3.0, -0.25], 2, "no reward is above 0", torch.float32),
            _law([0.5, 0.25, 0.125, 0.125], [100.0, 300.0, 200.0, -50.0], 4, "large rewards"),
            Case((torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64), torch.tensor([0, 2, 2]), 3),
                 "rewards that are whole numbers"), *made]


def _pairs(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(law: list[float], probability: list[float], n: int, about: str, dtype=torch.float64) -> Case:
        return Case((torch.tensor(law, dtype=dtype), torch.tensor(probability, dtype=dtype), n), about)
    made = []
    for v, n in ((3, 2), (6, 5), (9, 16)):
        weight = 0.05 + torch.rand(v, generator=g, dtype=torch.float64)
        probability = weight / weight.sum()
        made.append(Case((formulas.best_of_n(probability, torch.randn(v, generator=g), n), probability, n), "random"))
    return [case([0.5, 0.5], [0.5, 0.5], 1, "one draw: nothing moved"),
            case([0.25, 0.75], [0.5, 0.5], 2, "two equally likely"),
            case([0.0, 0.36, 0.64], [0.0, 0.6, 0.4], 2, "an outcome that is never drawn"),
            case([0.0, 1.0], [0.5, 0.5], 1000, "very many draws"),
            case([0.0, 0.0, 1.0], [0.3, 0.0, 0.7], 64, "the best is all that is left"),
            case([0.01, 0.05, 0.94], [0.1, 0.2, 0.7], 3, "a law that is far from π"),
            case([0.0, 1.0], [0.5, 0.5], 2, "n does not fit the law: the KL is above the bound"),
            case([0.4, 0.6], [0.6, 0.4], 8, "n does not fit the law"),
            case([1.0], [1.0], 4, "a single outcome"), case([0.25, 0.75], [0.5, 0.5], 3, "n does not fit the law",
                                                           torch.float32), *made]


def _draws(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    make = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)                      # noqa: E731
    proxy = torch.tensor([[0.5, 0.2, 0.5, 0.9], [0.3, 0.1, 0.2, 0.4]], dtype=torch.float64)
    value = torch.tensor([[2.0, 1.0, 2.0, 0.0], [0.0, 3.0, 1.0, -1.0]], dtype=torch.float64)
    many = torch.rand(2, 64, generator=g, dtype=torch.float64)
    one = torch.rand(1, 12, generator=g)
    return [Case((torch.tensor([[0.3]]), torch.tensor([[2.0]])), "one draw"),
            Case((torch.tensor([[0.3, 0.8]]), torch.tensor([[5.0, 1.0]])), "two draws, and the proxy is wrong"),
            Case((proxy, value), "two prompts; a text was drawn twice"),
            Case((proxy[1:], value[1:]), "the proxy is the opposite of the value"),
            Case((-proxy, value), "negative proxies"), Case((one, one), "the value is the proxy itself"),
            Case((torch.full((1, 5), 0.7), torch.full((1, 5), 0.4)), "one text, drawn five times"),
            Case((make(3, 5), make(3, 5)), "three prompts"), Case((many, (many > 0.5).double()), "64 draws"),
            Case((torch.arange(6.0)[None], torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0]])), "one good draw of six"),
            *(Case((make(b, n), make(b, n)), "random") for b, n in ((1, 7), (4, 3), (2, 16)))]


def _chosen(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(n: int, logprob: list[float], about: str) -> Case:
        return Case((n, torch.tensor(logprob, dtype=torch.float64)), about)
    return [case(4, [-0.5, -2.0, -5.0], "three responses"),
            case(1, [-0.1, -3.0, -60.0, 0.0], "one draw: nothing is chosen"),
            case(16, [-200.0, -40.0], "responses that nobody will see again"),
            case(2, [0.0], "it was certain"), case(64, [0.0, -1e-3, -0.02], "certain, or nearly"),
            case(256, [-1.0, -4.0, -5.5, -7.0, -12.0], "around 1/n"), case(1000, [-0.7, -6.9], "very many draws"),
            case(10 ** 6, [-14.0, -30.0, -200.0], "very many draws"),
            *(Case((n, -8 * torch.rand(4, generator=g, dtype=torch.float64)), "random") for n in (3, 8, 50))]


def _curves(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    rise = [0.5, 0.625, 0.6875, 0.71875, 0.734375]
    made = []
    for size, budget in ((8, 8), (12, 5), (16, 30)):
        gold = (0.4 + 0.2 * torch.rand(size, generator=g)).sort().values
        made.append(Case((gold.tolist(), (0.01 + 0.05 * torch.rand(size, generator=g)).tolist(), budget), "random"))
    return [Case((rise, [0.0625] * 5, 5), "it rises"), Case((rise, [0.0625] * 5, 2), "a small budget"),
            Case((rise, [0.0625] * 5, 1), "a single draw"), Case((rise, [0.0625] * 5, 100), "more than was measured"),
            Case((rise, [0.0] * 5, 5), "measured without an error: the best"),
            Case(([0.5, 0.75, 0.75, 0.25], [0.0] * 4, 4), "two are best: the smaller n"),
            Case(([0.25, 0.5, 0.75, 0.75], [0.0, 0.0, 0.0, 0.5], 4), "two are best: the error of the smaller n"),
            Case(([0.5, 0.625, 0.75, 0.25, 0.125], [0.03125] * 5, 5), "it rises, then falls"),
            Case(([0.75, 0.5, 0.25], [0.125] * 3, 3), "it falls at once"),
            Case(([0.5, 0.5625, 0.625, 0.6875], [0.125, 0.125, 0.125, 0.0625], 4), "exactly at the bar"),
            Case(([0.25, 0.5, 0.75, 0.625], [0.5, 0.25, 0.03125, 0.5], 4),
                 "different errors: that of the best n counts"),
            Case(([0.25, 0.5, 0.75, 1.0], [0.0, 0.3, 0.0, 0.0], 2), "the best lies beyond the budget"),
            Case(([0.5], [0.125], 4), "n = 1 only"),
            Case(([-0.5, -0.25, -0.1875, -0.21875], [0.03125, 0.03125, 0.0625, 0.03125], 4), "gold below 0"),
            Case(([0.25, 0.6875, 0.5, 0.71875, 0.75], [0.0625] * 5, 5), "near the best, lower, and near again"),
            Case(([0.25, 0.5, 0.375, 0.75, 0.625], [0.0625] * 5, 5), "it falls, then rises above all before"), *made]


EXERCISES = (
    Exercise("4a.1", "draws_needed", ("p", "q"), draws_needed, Case((0.1, 0.5)), _luck, MISTAKES["4a.1"], points=1),
    Exercise("4a.2", "best_law", ("probability", "reward", "n"), best_law,
             Case((torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.0, 1.0, 1.0]), 2)), _laws,
             MISTAKES["4a.2"], points=2),
    Exercise("4a.3", "kl_and_bound", ("law", "probability", "n"), kl_and_bound,
             Case((torch.tensor([0.0625, 0.9375]), torch.tensor([0.5, 0.5]), 4)), _pairs,
             MISTAKES["4a.3"], points=2, results=("kl", "bound")),
    Exercise("4a.4", "best_of_every_n", ("proxy", "value"), best_of_every_n,
             Case((torch.tensor([[0.1, 0.5, 0.9, 0.3]]), torch.tensor([[1.0, 2.0, 0.0, 3.0]]))), _draws,
             MISTAKES["4a.4"], points=3),
    Exercise("4a.5", "kl_estimate", ("n", "logprob"), kl_estimate,
             Case((4, torch.tensor([math.log(0.5)], dtype=torch.float64))), _chosen, MISTAKES["4a.5"], points=2),
    Exercise("4a.6", "choose_n", ("gold", "error", "budget"), choose_n,
             Case(([0.5, 0.58, 0.61, 0.6], [0.04, 0.04, 0.04, 0.04], 4)), _curves, MISTAKES["4a.6"], points=2),
)
