"""A reward model: from people's rankings of responses, one score a response that agrees with their order."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.optim import AdamW

from rlhf_kit.datasets.rankings import answers_of
from rlhf_kit.engine import precision
from rlhf_kit.formulas.choice import of_ranks, preference_model
from rlhf_kit.formulas.losses import ranking
from rlhf_kit.formulas.preference import as_batch, margins, pairs_right, preference_mask
from rlhf_kit.formulas.records import Comparison, Ranking, Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.as_read import Example, shortened
from rlhf_kit.loops.batches import check_settings, draw_by_length, seeded
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.duration import Longer
from rlhf_kit.loops.fingerprints import fingerprint, fingerprint_of
from rlhf_kit.loops.identity import settings_of
from rlhf_kit.loops.parts import add_gradients, check_parts, in_parts
from rlhf_kit.loops.sanity_checks import check_learns
from rlhf_kit.loops.schedules import cosine, stretched
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.chats import closed, shared
from rlhf_kit.models.checkpointing import checkpointed
from rlhf_kit.models.heads import RewardModel
from rlhf_kit.models.judging import by_length, reward_scores
from rlhf_kit.models.text import encode_texts, pad_id


@spelled
@dataclass(frozen=True, kw_only=True)
class Config(Longer):
    """Settings of one run."""

    steps: int = 300                 # optimizer updates
    batch_size: int = 16             # rankings per update, at most all there are; each brings its responses and pairs
    learning_rate: float = 2e-3      # peak; for BERT, GPT-2 and larger 1e-5 (9e-6 in arXiv:2203.02155)
    warmup: int = 20                 # updates until the peak, linear
    min_lr_ratio: float = 0.1          # share of the peak at the end, cosine (arXiv:2203.02155 appendix C)
    weight_decay: float = 0.01
    max_length: int = 96             # tokens; of longer texts the end is read, where the response is
    token_dropout: float = 0.0       # share of each text's tokens left out while learning, [CLS] and EOS too
    pass_size: int = 24              # texts in one forward pass, those of like length together; larger on a GPU
    max_grad_norm: float = 1.0
    loss: Literal["log_sigmoid", "sigmoid", "choice"] = "log_sigmoid"   # "sigmoid": transformers_tasks' first version;
                                     # "choice": the best was picked, the others are not ordered (`formulas.choice`)
    centring: float = 0.0            # pull of the scores towards 0; TRL suggests 0.01, of "choice" 0.1
    seed: int = 0
    micro_batch: int | None = field(default=None, repr=False)   # rankings in memory at once; None = the whole batch
    activation_checkpointing: bool = field(default=False, repr=False)   # keep each block's input: less memory, slower
    autocast: Literal["bfloat16"] | None = field(default=None, repr=False)      # matrices multiplied in 16 bits
    more_steps: int = field(default=0, repr=False)      # after the last of `steps`, by a run that has taken those
    bradley_terry: float = field(default=1.0, repr=False)       # of "choice": weight of the pairs beside the choice

    def __post_init__(self) -> None:
        for name in ("steps", "max_length", "pass_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate, warmup=self.warmup,
                       min_lr_ratio=self.min_lr_ratio, weight_decay=self.weight_decay, max_grad_norm=self.max_grad_norm)
        check_parts(self.micro_batch, self.more_steps, self.autocast)
        if self.loss not in ("log_sigmoid", "sigmoid", "choice"):
            raise ValueError(f"loss is {self.loss!r}; it is 'log_sigmoid', 'sigmoid' or 'choice'.")
        if not 0 <= self.bradley_terry < math.inf:
            raise ValueError(f"bradley_terry is {self.bradley_terry}; it is a weight, 0 or more, such as 1.")
        if not 0 <= self.token_dropout < 1:
            raise ValueError(f"token_dropout is {self.token_dropout}; it is a share, at least 0 and below 1.")
        if not 0 <= self.centring < math.inf:
            raise ValueError(f"centring is {self.centring}; it is a weight, 0 or more, such as 0.01.")


SPARROW = Config(loss="choice", centring=0.1)        # a preference model as in arXiv:2209.14375, reconstructed


def steps(model: RewardModel, rankings: Sequence[Ranking | Comparison], config: Config | None = None, *,
          weights: Sequence[float] | None = None, checkpoint: Path | str | None = None,
          checkpoint_every: int = 50) -> Iterator[Step]:
    """Yield one `Step` per update; nothing runs until you iterate.

        L = mean over rankings of  mean over the ranking's pairs i ≻ j of  -log σ(r_i - r_j)

    All K responses of a prompt are in one batch and each is read once: K passes for K(K-1)/2 pairs. Taken apart into
    pairs, the same ranking would cost K(K-1) passes and move the model for each response K-1 times an epoch.

    Args:
        model: trained in place. One that has learnt other preferences before is a warm start (preference model
            pretraining, arXiv:2112.00861): hand over that model.
        rankings: of any K, mixed as you like; a `Comparison` is a ranking of two, with its margin if it has one.
        weights: what each of them counts; None = 1 each. Of two kinds of comparisons, 1 for one and λ for the other
            (arXiv:2204.05862).
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.

    Metrics: loss; pair_accuracy on the step's own batch, before the update; margin, the mean gap of a pair;
    comparisons, pairs learnt from so far; seconds.
    Raises: ValueError if there is no pair to learn from; sanity_checks.CheckFailed before an update by a loss or a
        gradient that is not finite.
    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.5 and Eq. 1.
    """
    config = given(config, Config)
    odd = next((one for one in rankings if not isinstance(one, Ranking | Comparison)), None)
    if odd is not None:
        raise ValueError(f"the rankings hold {' '.join(repr(odd).split())[:60]}; expected kit.Ranking(prompt, "
                         f"responses, ranks) or kit.Comparison(prompt, chosen, rejected).")
    check_learns(model)
    counts = _weights(rankings, weights, config)
    lists = _lists(model, rankings, counts)
    lists = [one for one in lists if len(set(one.ranks)) > 1]                          # all tied: nothing to learn
    if not lists:
        raise ValueError(f"the {len(rankings)} rankings have no pair with a winner (all ties?); a reward model learns "
                         f"from differences. Give at least one.")
    rows = _encoded(model, lists, min(config.max_length, model.context))
    lengths = [max(map(len, responses)) for responses in rows]
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=config.learning_rate,
                      weight_decay=config.weight_decay, fused=True)
    run = {"method": "reward_model", "rankings": fingerprint(rankings), "start": fingerprint_of(model),
           **settings_of(config), **({} if weights is None else {"weights": fingerprint(list(weights))})}
    saved = Checkpoint(checkpoint, run, checkpoint_every)
    past, _ = saved.resume(model, optimizer)
    yield from past
    comparisons = past[-1].metrics["comparisons"] if past else 0
    for number in range(len(past), config.total):
        began = time.perf_counter()
        batch = draw_by_length(lengths, min(config.batch_size, len(lists)), config.seed, number)
        optimizer.zero_grad()
        model.train()
        loss, seen = torch.zeros((), device=model.device), torch.zeros(3, device=model.device)
        with seeded(model.device, config.seed, "dropout", number):
            for part, share in in_parts(batch, config.micro_batch):
                rank, mask, margin, weight = (x.to(model.device) for x in _together([lists[i] for i in part]))
                with precision(model, config.autocast), checkpointed([model.model], config.activation_checkpointing):
                    score = _scores(model, [rows[i] for i in part], mask, config)                          # [B, K]
                loss += add_gradients(_loss(score, rank, mask, margin, weight, config), share)
                right, pairs = pairs_right(score, rank, mask)
                gaps = margins(score.detach(), preference_mask(rank, mask))
                seen += torch.stack([right.sum(), pairs.sum(), gaps.sum()])
        model.eval()
        optimizer.param_groups[0]["lr"] = cosine(config.learning_rate, number, stretched(
            number, config.steps, config.total), config.warmup, config.min_lr_ratio)
        update(model, optimizer, config.max_grad_norm, number, loss=loss, cause=diverged(config.learning_rate))
        comparisons += int(seen[1])
        step = Step(number, {"loss": loss, "pair_accuracy": seen[0] / seen[1], "margin": seen[2] / seen[1],
                             "comparisons": comparisons, "seconds": time.perf_counter() - began})
        saved.record(step, config.total - 1, model, optimizer)
        yield step


def train(model: RewardModel, rankings: Sequence[Ranking | Comparison], config: Config | None = None, *,
          weights: Sequence[float] | None = None, checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(model, rankings, config, weights=weights, checkpoint=checkpoint))


def centre(model: RewardModel, demonstrations: Sequence[tuple[str, str]], max_length: int | None = None) -> float:
    """Shift the scores so that these (prompt, response) pairs score 0 on average; returns the shift.

    Differences, and with them the loss and every order, stay as they are.
    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.5: labeler demonstrations score 0 before RL.
    """
    texts = closed(model.tokenizer, *zip(*demonstrations, strict=True))
    model.shift += reward_scores(model, texts, max_length=max_length or model.context).double().mean().item()
    return model.shift


def calibrate(model: RewardModel, scored: Sequence[tuple[str, str, float]], max_length: int | None = None,
              rounds: int = 50) -> tuple[float, float]:
    """Stretch and shift the scores so that σ(r) tells the quality of these texts; returns the two numbers a and b.

        r' = a · r + b,     minimising  - mean over texts of  q · log σ(r') + (1 - q) · log σ(-r')

    Every order stays as it is. At the minimum σ(r') averages to the mean of q: as a whole nothing is over- or
    underrated.

    Args:
        scored: (prompt, response, quality in [0, 1]).
        rounds: Newton steps, at most.

    Raises: ValueError if scores do not rise with quality, or a quality lies outside [0, 1].
    Source: Platt 1999, "Probabilistic outputs for support vector machines"; here with soft targets.
    """
    quality = torch.tensor([q for *_, q in scored], dtype=torch.float64)
    if not ((quality >= 0) & (quality <= 1)).all():
        raise ValueError(f"qualities go from {quality.min():g} to {quality.max():g}; they must lie in [0, 1].")
    texts = closed(model.tokenizer, *zip(*((prompt, response) for prompt, response, _ in scored), strict=True))
    score = reward_scores(model, texts, max_length=max_length or model.context).double()
    x = torch.stack([score, torch.ones_like(score)], dim=1)                            # [N, 2]
    found = torch.zeros(2, dtype=torch.float64)                                        # a, b
    for _ in range(rounds):
        p = torch.sigmoid(x @ found)
        step = torch.linalg.solve((x.T * (p * (1 - p))) @ x + 1e-9 * torch.eye(2, dtype=x.dtype), x.T @ (quality - p))
        found += step
        if step.abs().max() < 1e-10:
            break
    a, b = found.tolist()
    if not 0 < a < math.inf:
        raise ValueError(f"scores fall where quality rises (a = {a:g}); a reward model that orders texts the wrong way "
                         f"round cannot be calibrated. Train it longer.")
    _stretch(model, a, b)
    return a, b


def standardise(model: RewardModel, answers: Sequence[tuple[str, str]],
                max_length: int | None = None) -> tuple[float, float]:
    """Stretch and shift the scores to mean 0 and deviation 1 over these (prompt, response) pairs; returns a and b.

        r' = a · r + b = (r - mean) / standard deviation

    Over answers of the start, so that reward models of different seeds or data have one scale. Every order stays.

    Raises: ValueError if all scores are the same, or there are fewer than 2.
    Source: Gao, Schulman and Hilton 2022, arXiv:2210.10760, which sets the mean of the start's answers to 0; the
        deviation besides: Coste et al. 2023, arXiv:2310.02743.
    """
    if len(answers) < 2:
        raise ValueError(f"{len(answers)} answer(s) have no deviation; give at least 2.")
    texts = closed(model.tokenizer, *zip(*answers, strict=True))
    score = reward_scores(model, texts, max_length=max_length or model.context).double()
    mean, deviation = score.mean().item(), score.std().item()
    if not 0 < deviation < math.inf:
        raise ValueError(f"the scores of {len(answers)} answers are all {mean:g}; a reward model that tells nothing "
                         f"apart has no scale. Train it longer, or give different answers.")
    _stretch(model, 1 / deviation, -mean / deviation)
    return 1 / deviation, -mean / deviation


def _stretch(model: RewardModel, a: float, b: float) -> None:
    """From now on the scores are a · r + b."""
    [head] = [part for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)
              and part.out_features == 1 and "original_module" not in name and ".lora_" not in name]
    with torch.no_grad():
        for weight in head.parameters():
            weight *= a
    if model.likelihood is not None:
        model.likelihood = a * model.likelihood[0], model.likelihood[1]
    model.shift = a * model.shift - b


@dataclass(frozen=True)
class _List:
    """One batch element: K texts to be scored, their ranks, and the margin between them."""

    texts: tuple[str, ...]
    ranks: tuple[int, ...]
    margin: float = 0.0
    weight: float = 1.0                     # what it counts


def _lists(model: RewardModel, rankings: Sequence[Ranking | Comparison], weights: Sequence[float]) -> list[_List]:
    """Each with its texts as `rewards.learned` will read them: behind a template's prompt with the end of the turn."""
    answers = [answers_of(one) for one in rankings]
    prompts = [one.prompt for one, said in zip(rankings, answers, strict=True) for _ in said]
    texts = iter(closed(model.tokenizer, prompts, [response for said in answers for response in said]))
    return [_List(tuple(next(texts) for _ in said), one.ranks if isinstance(one, Ranking) else (1, 2),
                  0.0 if isinstance(one, Ranking) else one.margin or 0.0, weight)
            for one, said, weight in zip(rankings, answers, weights, strict=True)]


def _encoded(model: RewardModel, lists: Sequence[_List], limit: int) -> list[list[list[int]]]:
    """Token ids: for each list, for each of its responses."""
    rows = iter(encode_texts(model.tokenizer, [text for one in lists for text in one.texts], limit, keep="end"))
    return [[next(rows) for _ in one.texts] for one in lists]


def as_read(model: RewardModel, rankings: Sequence[Ranking | Comparison],
            config: Config | None = None) -> Iterator[Example]:
    """Every ranking as `steps` reads it, its texts cut at their beginning; all tied, it is left out.

    No token is learned by itself: a text has one score. Words that `token_dropout` takes out are still in.
    """
    config = given(config, Config)
    lists = _lists(model, rankings, [1.0] * len(rankings))
    texts, kept = _encoded(model, lists, sys.maxsize), _encoded(model, lists, min(config.max_length, model.context))
    asked = encode_texts(model.tokenizer, [one.prompt for one in rankings], sys.maxsize)
    for one, listed, ids, read, prompt in zip(rankings, lists, texts, kept, asked, strict=True):
        names = ("chosen", "rejected") if isinstance(one, Comparison) else tuple(map(str, one.ranks))
        yield Example(tuple(shortened(name, row, some, shared(prompt, row) if one.prompt else 0)
                            for name, row, some in zip(names, ids, read, strict=True)),
                      left_out=len(set(listed.ranks)) < 2)


def _together(lists: Sequence[_List]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ranks [B, K], mask [B, K], margins [B, K, K] and weights [B] of lists whose K may differ."""
    rank, mask = as_batch([one.ranks for one in lists])
    margin = torch.tensor([one.margin for one in lists])[:, None, None].expand(*rank.shape, rank.shape[1])
    return rank, mask, margin, torch.tensor([one.weight for one in lists])


def _loss(score: Tensor, rank: Tensor, mask: Tensor, margin: Tensor, weight: Tensor, config: Config) -> Tensor:
    """Of an order, or of a choice that says nothing of those who were not picked."""
    if config.loss == "choice":
        return preference_model(score, of_ranks(rank, mask), mask, bradley_terry=config.bradley_terry,
                                centring=config.centring)
    return ranking(score, rank, mask, kind=config.loss, margin=margin, centring=config.centring,
                   weight=None if (weight == 1).all() else weight)


def _weights(rankings: Sequence[Ranking | Comparison], weights: Sequence[float] | None,
             config: Config) -> Sequence[float]:
    """One for each. Raises: ValueError if there are as many as there are not, or one is no weight."""
    if weights is None:
        return [1.0] * len(rankings)
    if len(weights) != len(rankings) or not all(0 <= one < math.inf for one in weights):
        raise ValueError(f"there are {len(rankings)} rankings and {len(weights)} weights; give each one, 0 or more.")
    if config.loss == "choice":
        raise ValueError("weights are those of rankings, and the loss is 'choice'; leave one of them out.")
    return weights


def _scores(model: RewardModel, rows: Sequence[Sequence[Sequence[int]]], mask: Tensor, config: Config) -> Tensor:
    """Every response of the batch read once, [B, K]; 0 where a list is shorter."""
    flat = [_thinned(row, config.token_dropout) for responses in rows for row in responses]
    score = by_length(model, flat, pad_id(model.tokenizer), model.device, config.pass_size)          # [ΣK]
    return torch.zeros(mask.shape, device=score.device).masked_scatter(mask, score)


def _thinned(row: Sequence[int], share: float) -> Sequence[int]:
    """Without that share of its tokens, drawn at random: word dropout (Iyyer et al. 2015, doi:10.3115/v1/P15-1162)."""
    kept = [token for token, draw in zip(row, torch.rand(len(row)).tolist(), strict=True) if draw >= share]
    return kept or row
