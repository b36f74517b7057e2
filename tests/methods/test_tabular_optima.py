"""One decision, three words: every method ends where theory says, and not where another method's theory says.

π_ref = (.5, .3, .2), rewards (0, 1, 2), β = .5. The optimum of reward minus β·KL is Gibbs': π ∝ π_ref · e^(r/β) =
(.0367, .1626, .8008). What prices drifting by another divergence, or prefers otherwise than by Bradley-Terry, has an
optimum of its own, which is computed here in a few lines of float64.
"""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from bandit import distance, three_words

from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Comparison, Labelled
from rlhf_kit.methods import dpo, grpo, kto
from rlhf_kit.sampling import Sampling

REFERENCE, REWARD, BETA = (0.5, 0.3, 0.2), (0.0, 1.0, 2.0), 0.5
GIBBS = (0.0367, 0.1626, 0.8008)
CLOSE = 0.05                                        # total variation
ONE = Sampling(max_new_tokens=1)
RHO = torch.tensor(REFERENCE, dtype=torch.float64)


def worth(prompts, responses):
    return [REWARD["abc".index(r)] for r in responses]


def trained(method, *arguments, **options):
    policy = three_words(list(REFERENCE))
    method.train(policy, policy.reference(), *arguments, **options)
    return policy


def gibbs():
    return (RHO * torch.exp(torch.tensor(REWARD, dtype=torch.float64) / BETA)).numpy()


def flow(force, steps=4000, rate=0.1) -> list[float]:
    """Where logits θ come to rest under dθ = force(π), from the reference on."""
    theta = RHO.log()
    for _ in range(steps):
        theta = theta + rate * force(theta.softmax(0))
    return theta.softmax(0).tolist()


def test_the_closed_form():
    assert (gibbs() / gibbs().sum()).tolist() == pytest.approx(GIBBS, abs=5e-5)


# -- policy gradients --------------------------------------------------------------------------------------------------

SAMPLED = grpo.Config(steps=80, batch_size=256, group_size=4, learning_rate=0.05, min_lr_ratio=0.02, sampling=ONE,
                      kl=KL(coefficient=BETA), max_grad_norm=math.inf)


@pytest.mark.parametrize("variant", [
    "rloo", *(pytest.param(name, marks=pytest.mark.slow) for name in ("grpo", "dr-grpo", "reinforce"))])
def test_with_k1_in_the_reward_they_end_at_gibbs(variant):
    """At Gibbs' reward - β·log(π/ρ) is the same of all words, so that no answer is better than the others."""
    policy = trained(grpo, ["x"], worth, grpo.VARIANTS[variant](SAMPLED))
    assert distance(policy, GIBBS) < CLOSE


def grpo_with_k3(scaled: bool, size: int = 4, beta: float = BETA) -> list[float]:
    """E over groups of (1/G) Σ Â_i ∇ log π(y_i) = β ∇KL(ρ ‖ π), and ∇KL(ρ ‖ π) by the logits is π - ρ."""
    groups = torch.tensor(list(itertools.product(range(3), repeat=size)))                        # [3^G, G]
    reward = torch.tensor(REWARD, dtype=torch.float64)[groups]
    advantage = reward - reward.mean(1, keepdim=True)
    if scaled:
        advantage = advantage / (reward.std(1, keepdim=True) + 1e-4)
    counts = torch.zeros(len(groups), 3, dtype=torch.float64).scatter_add(1, groups, advantage)  # Σ Â e_y; Σ Â is 0
    return flow(lambda p: p[groups].prod(1) @ counts / size - beta * (p - RHO))


@pytest.mark.parametrize("scaled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_grpo_with_k3_in_the_loss_ends_at_an_optimum_of_its_own(scaled):
    config = replace(SAMPLED, kl=KL(coefficient=BETA, estimate="k3", in_loss=True), scale="group" if scaled else "none")
    own = grpo_with_k3(scaled)
    policy = trained(grpo, ["x"], worth, config)
    assert distance(policy, own) < CLOSE
    assert sum(abs(p - q) for p, q in zip(own, GIBBS, strict=True)) / 2 > 2 * CLOSE


# -- pairs -------------------------------------------------------------------------------------------------------------

def pairs() -> list[Comparison]:
    """A hundred of each two words, which win as often as Bradley and Terry say of their rewards."""
    found = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        wins = round(100 / (1 + math.exp(REWARD[i] - REWARD[j])))
        found += [Comparison("x", "abc"[j], "abc"[i])] * wins + [Comparison("x", "abc"[i], "abc"[j])] * (100 - wins)
    return found


OFFLINE = dpo.Config(steps=60, batch_size=300, learning_rate=0.1, warmup=1, min_lr_ratio=0.02, beta=BETA,
                     max_grad_norm=math.inf)


@pytest.fixture(autouse=True)
def one_word_is_a_response(monkeypatch):
    """Of what people wrote, too: without its end, which would be a second decision."""
    from rlhf_kit import sampling
    from rlhf_kit.loops import fitting
    original = sampling.response_rows
    for place in (sampling, fitting):
        monkeypatch.setattr(place, "response_rows", lambda *a: [row[:1] for row in original(*a)])


def test_dpo_ends_at_gibbs():
    assert distance(trained(dpo, pairs(), OFFLINE), GIBBS) < CLOSE


def test_ipo_ends_at_the_least_squares_of_its_margins():
    """(2p - 1)/(2β) is the best Δ of a pair that is won with p; three differences of two free numbers."""
    differences = torch.tensor([[-1.0, 1, 0], [-1, 0, 1], [0, -1, 1]], dtype=torch.float64)
    won = torch.tensor([0.73, 0.88, 0.73], dtype=torch.float64)
    d = torch.linalg.lstsq(differences, ((2 * won - 1) / (2 * BETA))[:, None], driver="gelsd").solution[:, 0]
    own = (RHO.log() + d).softmax(0).tolist()
    policy = trained(dpo, pairs(), replace(OFFLINE, loss="ipo"))
    assert distance(policy, own) < CLOSE
    assert distance(policy, GIBBS) > 4 * CLOSE


@pytest.mark.parametrize("soft", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_online_dpo_ends_at_gibbs_if_its_labels_are_as_uncertain_as_the_rewards_say(soft):
    """With labels that always go one way it does not stop there: the best word takes all."""
    config = replace(OFFLINE, steps=80, batch_size=128, sampling=ONE, soft_labels=soft)
    policy = trained(dpo, ["x"], config, reward=worth)
    assert (distance(policy, GIBBS) < CLOSE) == soft


# -- labels ------------------------------------------------------------------------------------------------------------

LABELS = {"a": (50, 5), "b": (30, 21), "c": (20, 18)}       # word: how often it was seen, and called good


def test_kto_ends_at_an_optimum_of_its_own():
    """The whole data a batch, so that z is no estimate. In float64: the force on log π of a word is
    Σ over its labels of ±β σ'(β(d - z)), z = max(0, mean d) held fixed."""
    examples = [Labelled("x", word, i < good) for word, (seen, good) in LABELS.items() for i in range(seen)]
    seen, good = (torch.tensor(column, dtype=torch.float64) for column in zip(*LABELS.values(), strict=True))

    def force(p):
        d = p.log() - RHO.log()
        z = ((seen * d).sum() / seen.sum()).clamp(min=0)
        s = torch.sigmoid(BETA * (d - z))
        pull = BETA * s * (1 - s) * (2 * good - seen) / seen.sum()
        return 20 * (pull - p * pull.sum())
    own = flow(force)
    config = kto.Config(steps=150, batch_size=100, learning_rate=0.1, warmup=1, min_lr_ratio=0.02, beta=BETA,
                        max_grad_norm=math.inf)
    policy = trained(kto, examples, config)
    assert distance(policy, own) < CLOSE
    assert distance(policy, GIBBS) > CLOSE
