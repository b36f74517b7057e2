"""What is said of reward models, measured: why rankings, which loss, all pairs together, how good they get.

    study = studies.rankings.annotators()
    study.numbers, study.figure
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from rlhf_kit import plots, rewards, zoo
from rlhf_kit.evaluate import agreement
from rlhf_kit.formulas.agreement import kendall_w, krippendorff_alpha
from rlhf_kit.formulas.losses import ranking
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.language import Lang
from rlhf_kit.methods import reward_model
from rlhf_kit.models import heads, text, tiny
from rlhf_kit.studies.study import Study
from rlhf_kit.tasks.reviews import Reviews

HELD_OUT = 300                      # rankings on which a reward model is examined


def losses_from_wrong_start(start: float = -5.0, rate: float = 1.0, spread: float = 0.0, pairs: int = 1,
                            seed: int = 0) -> Study:
    """How long -σ and -log σ take to turn a pair round that begins on the wrong side.

    Gradient descent on the score of the better response alone. The gradient of -σ at a gap Δ is σ(Δ)(1 - σ(Δ)), which
    vanishes where the model is confidently wrong; that of -log σ is 1 - σ(Δ), which is largest there.

    Args:
        start: gap between better and worse response at the beginning.
        spread: standard deviation of the starts, if there are several `pairs`.

    Numbers: for "log_sigmoid" and "sigmoid", steps until the mean gap is above 0: 6 and 161 by default.
    """
    drawn = torch.randn(pairs, generator=torch.Generator().manual_seed(seed))
    paths = {kind: _descend(kind, start + spread * drawn, rate) for kind in ("log_sigmoid", "sigmoid")}
    longest = max(map(len, paths.values()))
    drawn_out = {name: [*path, *[path[-1]] * (longest - len(path))] for name, path in paths.items()}
    figure = plots.lines(range(longest), {"-log σ": drawn_out["log_sigmoid"], "-σ": drawn_out["sigmoid"]},
                         across="step", unit="better minus worse")
    return Study({kind: len(path) - 1 for kind, path in paths.items()}, figure)


def annotators(lang: Lang = "en", people: int = 5, tasks: int = 60, noise: float = 0.05, seed: int = 0) -> Study:
    """People who agree on what is better disagree on how good it is.

    Each has a scale of their own: score = offset + slope · (gold + error), rounded to 1 to 7 as on a questionnaire.
    The same scores put the four responses of each task in order.

    Numbers: Krippendorff's interval alpha of the raw scores; the same of the scores' order within each task (ordinal);
    mean Kendall's W of those orders. 1 is perfect agreement, 0 chance.
    """
    task, g = Reviews(lang), torch.Generator().manual_seed(seed)
    ranked = task.rankings(tasks, seed=seed)
    gold = torch.tensor([[task.gold(one.prompt, r) for r in one.responses] for one in ranked])          # [tasks, 4]
    offset = 1 + 4 * torch.rand(people, 1, 1, generator=g)
    slope = 1.5 + 3 * torch.rand(people, 1, 1, generator=g)
    felt = gold + noise * torch.randn(people, *gold.shape, generator=g)
    score = (offset + slope * felt).round().clamp(1, 7)                                      # [people, tasks, 4]
    rank = (score[..., None] < score[..., None, :]).sum(-1) + 1.0                            # ties share the best rank
    numbers = {"raw scores": krippendorff_alpha(score.flatten(1), "interval").item(),
               "their orders": krippendorff_alpha(rank.flatten(1), "ordinal").item(),
               "W": torch.stack([kendall_w(rank[:, t]) for t in range(tasks)]).nanmean().item()}
    return Study(numbers, plots.bars({"raw scores": numbers["raw scores"], "their orders": numbers["their orders"]},
                                     unit="Krippendorff's alpha"))


def annotator_quality(lang: Lang = "en", noises: Sequence[float] = (0.0, 0.1, 0.3, 1.0), rankings: int = 1500,
                      steps: int = 500, seed: int = 0) -> Study:
    """A reward model is examined on labels by people who err, so it cannot be seen to be better than they are.

    One reward model for each temperature of the labeler (see `Reviews.rankings`).

    Numbers: for each noise, pair accuracy "on labels" (held-out rankings with the same noise), the "ceiling" (gold on
    these labels: how often the labeler is right), and "on the truth" (held-out rankings without noise), which can be
    above the ceiling: errors that go either way average out while the model learns.
    """
    task, found = Reviews(lang), {}
    truth = task.rankings(HELD_OUT, seed=seed, split="heldout")
    for noise in noises:
        ranked = task.rankings(rankings, noise=noise, seed=seed)
        model = _reader(ranked, seed)
        reward_model.train(model, ranked, replace(zoo.TinyRewardModel().reward_model, steps=steps, seed=seed))
        labels = task.rankings(HELD_OUT, noise=noise, seed=seed + 1, split="heldout")
        judge = rewards.learned(model)
        found[noise] = {"on labels": agreement(judge, labels).pair_accuracy.mean,
                        "ceiling": agreement(rewards.gold(task), labels).pair_accuracy.mean,
                        "on the truth": agreement(judge, truth).pair_accuracy.mean}
    curves = {name: [found[noise][name] for noise in noises] for name in ("ceiling", "on labels", "on the truth")}
    return Study(found, plots.lines(noises, curves, across="temperature of the labeler", unit="pairs right",
                                    dashed=("ceiling",)))


def grouped_or_shuffled(lang: Lang = "en", rates: Sequence[float] = (1e-3, 3e-3), prompts: int = 128, k: int = 6,
                        seed: int = 0) -> Study:
    """All pairs of a prompt in one batch element, or every pair a row of its own, shuffled: InstructGPT's question.

    The same model (the tiny language model with a new head) and the same pairs; each way with several learning rates,
    since which is better depends on that. "grouped" and "shuffled" see every pair once, as many of them in each step;
    only the passes differ, K for each prompt against K(K-1). "grouped, as many passes" goes K-1 times over the rankings
    for the price of the shuffled pairs.

    Numbers: for each way its `passes` through the network; the `best_rate` by held-out loss; and for each rate in
    `rates` the held-out loss and pair accuracy, and the loss on the pairs learnt from, `learnt`.
    """
    task, pairs = Reviews(lang), k * (k - 1) // 2
    ranked = task.rankings(prompts, k, noise=0.1, seed=seed)
    held_out = task.rankings(HELD_OUT, noise=0.1, seed=seed + 1, split="heldout")
    single = [pair for one in ranked for pair in one.pairs()]
    ways = {"grouped": (ranked, 4, 1), "shuffled": (single, 4 * pairs, 1),
            "grouped, as many passes": (ranked, 4, k - 1)}
    numbers: dict[str, Any] = {}
    for way, (items, batch, epochs) in ways.items():
        found = {}
        for rate in rates:
            model = zoo.load_reward_model(f"tiny-lm-{lang}", new_head=True, seed=seed)
            reward_model.train(model, items, reward_model.Config(
                steps=epochs * prompts // 4, batch_size=batch, learning_rate=rate, warmup=5, seed=seed))
            seen, learnt = (agreement(rewards.learned(model), some) for some in (held_out, ranked))
            found[rate] = {"loss": seen.loss, "pair_accuracy": seen.pair_accuracy.mean, "learnt": learnt.loss}
        numbers[way] = {"passes": epochs * prompts * (k * (k - 1) if way == "shuffled" else k),
                        "best_rate": min(found, key=lambda rate: found[rate]["loss"]), "rates": found}
    curves = {way: [numbers[way]["rates"][rate]["loss"] for rate in rates] for way in ways}
    return Study(numbers, plots.lines([math.log10(rate) for rate in rates], curves, unit="held-out loss, nats per pair",
                                      across="log10 of the learning rate"))


def _descend(kind: Literal["log_sigmoid", "sigmoid"], gap: torch.Tensor, rate: float) -> list[float]:
    """The mean gap, step by step, until it is above 0."""
    rank, path = torch.tensor([[1, 2]]).expand(len(gap), 2), [gap.mean().item()]
    while path[-1] <= 0 and len(path) < 100_000:
        gap = gap.detach().requires_grad_()
        score = torch.stack([gap, torch.zeros_like(gap)], dim=1)                                   # [pairs, 2]
        slope, = torch.autograd.grad(ranking(score, rank, kind=kind) * len(gap), gap)
        gap = gap - rate * slope
        path.append(gap.mean().item())
    return path


def _reader(ranked: Sequence[Ranking], seed: int) -> heads.RewardModel:
    """A fresh reward model of the zoo's size."""
    recipe = zoo.TinyRewardModel()
    tokenizer = text.train_tokenizer((one.prompt + r for one in ranked for r in one.responses), recipe.vocabulary)
    return tiny.reward_model(tokenizer, layers=recipe.layers, width=recipe.width, seed=seed)
