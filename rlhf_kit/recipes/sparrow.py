"""Sparrow: what is preferred and what keeps the rules are judged apart, and a policy learns from both; on one trunk.

    1. labels      candidates of a turn, of which raters pick one; answers and rules, in five levels
    2. sft         what was picked, and answers that follow their rule             base → SFT, whose lower layers are
                                                                                   the trunk from now on
    3. preference  the pick among the candidates and replies from elsewhere        trunk → preference model
    4. rules       a rule in words and a dialogue: is it broken?                   trunk → rule model
    5. rl          A2C on questions, dialogues, adversarial prompts, self-play     trunk → policy
    6. evaluate    … and the best of 8 by both, when nothing is learned any more

Every model after the second stage is a top of the trunk, a fifth of the layers, and the trunk never changes.

Source: Glaese et al. 2022, arXiv:2209.14375; A2C as in Menick et al. 2022, arXiv:2203.11147. The appendix with the
coefficients of Sparrow was not available: all weights in a preset are ours, and so are sizes of batches and rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from transformers import PreTrainedModel

from rlhf_kit import rewards
from rlhf_kit.datasets.recast import choices, with_distractors
from rlhf_kit.engine import precision
from rlhf_kit.evaluate import Evaluation, distinct, distinct_pairs, evaluate, mean
from rlhf_kit.formulas.kl_penalty import sequence_kl
from rlhf_kit.formulas.records import Ranking, Rollout, RuleLabel, Step
from rlhf_kit.formulas.rule_reward import LEVELS, Reduction
from rlhf_kit.loops.batches import draw, seed_for
from rlhf_kit.loops.mixing import mixed
from rlhf_kit.methods import best_of_n, classifier, ppo, reward_model, self_play, sft
from rlhf_kit.models.chats import first_turn
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.ruling import KEEP, LABELS, Ask, ask, examples
from rlhf_kit.models.tops import SHARE, Trunk
from rlhf_kit.recipes.learners import begin_with_likelihood, updates
from rlhf_kit.sampling import Sampling, generate, given_rollout, sample_rollout

Pairs = list[tuple[str, str]]
SOURCES = ("questions", "dialogues", "adversarial")
FOLLOWED = LEVELS[LEVELS.index("unsure") + 1:]
AT_ONCE = 256                           # prompts answered together
SPARE = 1.1                             # prompts asked for one turn: to some all candidates are the same


class Data(Protocol):
    """What the recipe asks of its data: of the assistant's world, or of somebody's folder."""

    rules: Sequence[str]                # their texts
    marks: tuple[str, str] | None       # what turns of the user and of the assistant begin with; None: no self-play

    def asked(self, source: str, n: int, split: str = "train", purpose: str = "ppo") -> list[str]:
        """At most n prompts of one of `SOURCES`."""

    @property
    def mark(self) -> str | None:
        """The word behind which a response begins in every prompt; None if there is none."""

    def dressed(self, prompt: str, k: int) -> str:
        """The prompt as the base is handed it that writes the k-th candidate."""

    def people(self, prompts: Sequence[str], k: int) -> list[tuple[str, list[str]]]:
        """k candidates to each prompt that people wrote, where there are any."""

    def picked(self, asked: Sequence[tuple[str, Sequence[str]]], n: int, split: str = "train") -> list[Ranking]:
        """At most n turns of which a rater picked one, where somebody can be asked; else those that there are."""

    def labels(self, n: int, split: str = "train") -> list[RuleLabel]:
        """At most n answers, each with a rule and whether it is broken."""

    @property
    def asks(self) -> bool:
        """True if there is somebody to pick among new candidates."""

    @property
    def ask(self) -> Ask:
        """What the rule model reads of a dialogue and a rule."""

    def measured(self) -> Mapping[str, rewards.Reward]:
        """What is reported and never optimised."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """All settings of a run at one scale; numbers of updates follow from the epochs and what there is to learn from."""

    base: str                           # a tiny model's name, a folder, or a hub id
    turns: int                          # of which raters pick a candidate that the base wrote
    by_people: int = 0                  # and those, of a made-up world, whose candidates people wrote
    candidates: int = 4                 # of a turn, at most
    labels: int                         # of rules
    share: float = SHARE                # of the layers that each top has for itself
    sft_epochs: int
    sft: sft.Config
    whole_sft: bool = True              # all weights learn in SFT, and the trunk is SFT's; False: the base's
    distractors: int = 2                # replies from other dialogues beside a turn's candidates
    preference_epochs: int
    preference: reward_model.Config     # its loss is `formulas.choice.preference_model`
    likelihood: float = 0.0             # of a made-up world: score per nat of a response token's mean log-probability
    rule_epochs: int
    rules: classifier.Config
    shares: Mapping[str, float] = field(default_factory=lambda: {"questions": 0.4, "dialogues": 0.2,
                                                                 "adversarial": 0.4})
    self_play: float = 0.2              # of a batch: dialogues that the policy has played itself
    prompts: int                        # of the three sources, that A2C draws from
    reduction: Reduction = "sum"        # of the rules; see `rule_reward.total_reward` for what is known of the paper's
    rule_weight: float = 1.0            # 0: what is preferred alone
    preference_weight: float = 1.0      # 0: the rules alone
    normalise: bool = True              # the preference in units of its own spread
    price_per_character: float = 0.0
    rl: ppo.Config
    rerank: int = 8                     # candidates, when nothing is learned any more
    held_out: int                       # prompts to be examined on
    reranked: int                       # of these: those to which all candidates are written
    held_out_turns: int
    held_out_labels: int


PRESETS: dict[str, Preset] = {
    # Twelve hundred choices teach one layer little: the preference model also hears how likely SFT finds a reply. Of
    # pairs of held-out candidates it then orders 64 % as raters did, and 56 % without (seed 0 of `make bench
    # ARGS=sparrow`).
    "tiny": Preset(
        base="tiny-base-{lang}", turns=200, by_people=1000, labels=6000, sft_epochs=1, preference_epochs=1,
        likelihood=4.0, rule_epochs=3, prompts=1500, held_out=200, reranked=80, held_out_turns=100, held_out_labels=600,
        sft=sft.Config(batch_size=16, learning_rate=2e-3, warmup=5, max_length=256),
        preference=replace(reward_model.SPARROW, batch_size=8, learning_rate=2e-3, warmup=10, max_length=256),
        rules=classifier.Config(batch_size=32, learning_rate=3e-3, warmup=20, max_length=256, keep=KEEP),
        rl=ppo.gophercite(ppo.Config(steps=50, batch_size=32, learning_rate=5e-4, warmup=10, value_coef=0.5,
                                     sampling=Sampling(max_new_tokens=64)))),
    # Half a billion parameters on a free GPU of 16 GB: 24 layers, of which 5 learn; four models hold 39 of 96.
    "colab": Preset(
        base="Qwen/Qwen2.5-0.5B", turns=1000, labels=4000, sft_epochs=2, preference_epochs=1, rule_epochs=1,
        prompts=5000, held_out=200, reranked=50, held_out_turns=200, held_out_labels=400, whole_sft=False,
        sft=sft.Config(batch_size=32, learning_rate=5e-5, warmup=10, max_length=512, micro_batch=4,
                       activation_checkpointing=True),
        preference=replace(reward_model.SPARROW, batch_size=32, learning_rate=3e-5, warmup=10, max_length=512,
                           micro_batch=2),
        rules=classifier.Config(batch_size=32, learning_rate=3e-5, warmup=20, max_length=512, micro_batch=8, keep=KEEP),
        rl=ppo.gophercite(ppo.Config(steps=100, batch_size=64, learning_rate=1e-5, warmup=10, value_coef=0.5,
                                     sampling=Sampling(max_new_tokens=128), tokens_per_pass=2560))),
    # One GPU of 80 GB. A fifth of the layers for each of four models, their gradients and moments would not fit there
    # in 32 bits: a tenth does.
    "7b": Preset(
        base="Qwen/Qwen2.5-7B", turns=10_000, labels=14_000, sft_epochs=1, preference_epochs=1, rule_epochs=1,
        prompts=20_000, held_out=500, reranked=100, held_out_turns=500, held_out_labels=1000, whole_sft=False,
        share=0.1,
        sft=sft.Config(batch_size=32, learning_rate=1e-5, warmup=20, max_length=1024, micro_batch=2,
                       activation_checkpointing=True, autocast="bfloat16"),
        preference=replace(reward_model.SPARROW, batch_size=64, learning_rate=1e-5, warmup=20, max_length=1024,
                           micro_batch=1, autocast="bfloat16"),
        rules=classifier.Config(batch_size=64, learning_rate=1e-5, warmup=20, max_length=1024, micro_batch=4, keep=KEEP,
                                autocast="bfloat16"),
        rl=ppo.gophercite(ppo.Config(steps=500, batch_size=128, learning_rate=2e-6, warmup=10, value_coef=0.5,
                                     sampling=Sampling(max_new_tokens=256), tokens_per_pass=4096,
                                     autocast="bfloat16"))),
}


# -- 1: labels ---------------------------------------------------------------------------------------------------------

def rated(preset: Preset, data: Data, writer: Policy, split: Literal["train", "heldout"] = "train") -> list[Ranking]:
    """Turns of which raters picked a candidate: those that the base wrote, and to learn from those of people, too."""
    n, purpose = (preset.turns, "labels") if split == "train" else (preset.held_out_turns, "test labels")
    turns = data.picked(candidates(preset, data, writer, round(SPARE * n), split, purpose), n, split)
    if split == "train" and preset.by_people:
        prompts = questions(preset, data, preset.by_people, split, "demonstrations")
        turns += data.picked(data.people(prompts, preset.candidates), preset.by_people, split)
    return turns


def candidates(preset: Preset, data: Data, writer: Policy, n: int, split: str = "train",
               purpose: str = "labels") -> list[tuple[str, list[str]]]:
    """What the base writes to each of n prompts, each candidate under another description of how to answer."""
    prompts = questions(preset, data, n, split, purpose)
    found: list[tuple[str, list[str]]] = [(prompt, []) for prompt in prompts]
    rows = [(i, k) for i in range(len(prompts)) for k in range(i, i + preset.candidates)]
    for first in range(0, len(rows), AT_ONCE):
        part = rows[first:first + AT_ONCE]
        said = generate(writer, [data.dressed(prompts[i], k) for i, k in part], preset.rl.sampling,
                        seed=seed_for(preset.rl.seed, "candidates", purpose, first))
        for (i, _), response in zip(part, said, strict=True):
            found[i][1].append(first_turn(response, data.marks))
    return found


def questions(preset: Preset, data: Data, n: int, split: str = "train", purpose: str = "ppo") -> list[str]:
    """n prompts, of each source its share, as far as there are any of it."""
    return [prompt for prompt, _ in sourced(preset, data, n, split, purpose)]


def sourced(preset: Preset, data: Data, n: int, split: str, purpose: str) -> list[tuple[str, str]]:
    """The same with the source of each. A source of which there is nothing leaves its share to the others."""
    shares = {name: share for name, share in preset.shares.items() if share and data.asked(name, 1, split, purpose)}
    found = {name: data.asked(name, ceil(n * share / sum(shares.values())) + 1, split, purpose)
             for name, share in shares.items()}
    mix = mixed(found, shares, n, preset.rl.seed)
    return list(dict.fromkeys(zip(mix.prompts, mix.sources, strict=True)))


# -- 2: imitation ------------------------------------------------------------------------------------------------------

def demonstrated(turns: Sequence[Ranking], labels: Sequence[RuleLabel]) -> Pairs:
    """What was picked, and as many answers, if there are, that follow the rule that somebody tried to have broken."""
    preferred = [(one.prompt, one.responses[one.ranks.index(1)]) for one in turns]
    abiding = [(one.prompt, one.response) for one in labels if one.level in FOLLOWED]
    return [*preferred, *list(dict.fromkeys(abiding))[:len(preferred)]]


def imitator(preset: Preset, base: Policy) -> Policy:
    """What SFT trains: all of the base, or its top."""
    return base if preset.whole_sft else Trunk(base.lm, base.tokenizer, preset.share).policy(value_head=False)


def sft_steps(preset: Preset, policy: Policy, pairs: Pairs, checkpoint: Path | None = None) -> Iterator[Step]:
    config = replace(preset.sft, steps=updates(preset.sft, len(pairs), preset.sft_epochs))
    yield from sft.steps(policy, pairs, config, checkpoint=checkpoint)


def trunk_of(preset: Preset, policy: Policy) -> Trunk:
    """The lower layers of the SFT model, frozen, on which all that follows is a top."""
    return Trunk(policy.lm, policy.tokenizer, preset.share)


# -- 3 and 4: two judges -----------------------------------------------------------------------------------------------

def preference_model(preset: Preset, data: Data, trunk: Trunk, seed: int = 0) -> RewardModel:
    """A top of one output; with `likelihood` its score is at first how likely the SFT model finds a response."""
    model = trunk.reward_model(seed)
    begin_with_likelihood(model, preset.likelihood, data.mark)
    return model


def preference_steps(preset: Preset, model: RewardModel, turns: Sequence[Ranking],
                     checkpoint: Path | None = None) -> Iterator[Step]:
    """Cross-entropy over the candidates and the distractors, Bradley-Terry pair by pair, and scores around 0."""
    learn = with_distractors(choices(turns), preset.distractors, preset.preference.seed)
    config = replace(preset.preference, steps=updates(preset.preference, len(learn), preset.preference_epochs))
    yield from reward_model.steps(model, learn, config, checkpoint=checkpoint)


def rule_model(trunk: Trunk, seed: int = 0) -> PreTrainedModel:
    """A top of two outputs, "followed" and "broken"."""
    return trunk.classifier(seed, LABELS)


def rule_steps(preset: Preset, model: PreTrainedModel, trunk: Trunk, labels: Sequence[RuleLabel], asks: Ask = ask,
               checkpoint: Path | None = None) -> Iterator[Step]:
    """One classifier for all rules; what nobody was sure of is left out."""
    learn = examples(labels, asks)
    config = replace(preset.rules, steps=updates(preset.rules, len(learn), preset.rule_epochs))
    yield from classifier.steps(model, trunk.tokenizer, learn, config, checkpoint=checkpoint)


@dataclass(frozen=True)
class Judges:
    """What the two models say, as rewards; neither learns any more."""

    liked: rewards.Reward               # the preference model's score
    kept: rewards.Reward                # the rule model's probability that a rule is kept, mean over the rules

    @classmethod
    def of(cls, preset: Preset, data: Data, preference: RewardModel, rules: PreTrainedModel) -> Judges:
        texts = rewards.rules_of(rules, preference.tokenizer, data.rules, ask=data.ask, once=True,
                                 max_length=preset.rules.max_length)
        return cls(rewards.learned(preference), texts)


# -- 5: reinforcement learning -----------------------------------------------------------------------------------------

def total(preset: Preset, data: Data, judges: Judges) -> rewards.Reward:
    """What is preferred, what keeps the rules, what is short, and what is one turn and no more."""
    liked = judges.liked
    if preset.preference_weight != 1:
        liked = rewards.weighted([(preset.preference_weight, liked)])
    return rewards.total(liked, judges.kept, reduction=preset.reduction, weight=preset.rule_weight,
                         normalise=preset.normalise and preset.preference_weight > 0,
                         price_per_character=preset.price_per_character,
                         valid=None if data.marks is None else rewards.one_turn(data.marks))


def optimised(preset: Preset, data: Data, judges: Judges) -> rewards.Reward:
    """The total around its mean so far and in units of its spread, which changes no order and no trade-off.

    A2C whitens no advantages, and its critic begins at 0. Of a reward that is -3 on average it would for long tell the
    policy that everything it says is bad.
    """
    return rewards.Normalised(total(preset, data, judges))


class Played:
    """A reward that shows what it scores to the buffer of self-play; a checkpoint keeps both."""

    def __init__(self, reward: rewards.Reward, buffer: self_play.Buffer) -> None:
        self.reward, self.buffer, self.__name__ = reward, buffer, f"played({rewards.name_of(reward)})"

    @property
    def run_identity(self) -> tuple[Any, ...]:
        return "played", self.reward, self.buffer.config

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> torch.Tensor:
        scores = rewards.checked(self.reward(prompts, responses), len(responses), self.reward)
        self.buffer.offer(prompts, responses, scores.tolist())
        return scores

    def state_dict(self) -> dict[str, Any]:
        """Normalisation and dialogues."""
        return {"reward": rewards.Memory({"reward": self.reward}).state_dict(), "buffer": self.buffer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        rewards.Memory({"reward": self.reward}).load_state_dict(state["reward"])
        self.buffer.load_state_dict(state["buffer"])


def rl_steps(preset: Preset, data: Data, policy: Policy, reference: Policy, judges: Judges,
             checkpoint: Path | None = None) -> Iterator[Step]:
    """Stage 5: A2C, or PPO if the preset's settings say so. The user's statements of self-play are the policy's."""
    prompts, drawn = questions(preset, data, preset.prompts), None
    reward = optimised(preset, data, judges)
    if data.marks is not None and preset.self_play:
        buffer = self_play.Buffer(self_play.Config(user=data.marks[0], assistant=data.marks[1], seed=preset.rl.seed,
                                                   sampling=preset.rl.sampling))
        reward, drawn = Played(reward, buffer), played(preset, policy, prompts, buffer)
    yield from ppo.steps(policy, reference, prompts, reward, preset.rl, rollouts=drawn, checkpoint=checkpoint,
                         evaluation_rewards={"preference": judges.liked, "kept": judges.kept, **data.measured()})


def played(preset: Preset, policy: Policy, prompts: Sequence[str],
           buffer: self_play.Buffer) -> Callable[[int], Rollout]:
    """Step number -> the responses to learn from: to dialogues of the buffer, as far as it has any, and to prompts."""
    config = preset.rl

    def drawn(number: int) -> Rollout:
        with precision(policy, config.autocast):
            own = buffer.prompts(policy, round(config.batch_size * preset.self_play), number)
            asked = [prompts[i] for i in draw(len(prompts), config.batch_size, config.seed, number)]
            return sample_rollout(policy, [*asked[len(own):], *own], config.sampling,
                                  seed_for(config.seed, "rollout", number))
    return drawn


# -- 6: examination ----------------------------------------------------------------------------------------------------

def measures(data: Data, judges: Judges) -> dict[str, rewards.Reward]:
    """What every policy is examined by."""
    return {"score": judges.liked, "kept": judges.kept, **data.measured()}


def examine(preset: Preset, data: Data, policy: Policy, reference: Policy, judges: Judges,
            prompts: Sequence[str]) -> Evaluation:
    """One response to each prompt, what both judges say of it, and what is measured besides."""
    return evaluate(policy, reference, prompts, measures(data, judges), preset.rl.sampling, preset.rl.seed + 1)


def examine_best(preset: Preset, data: Data, policy: Policy, reference: Policy, judges: Judges,
                 prompts: Sequence[str], n: int | None = None) -> Evaluation:
    """The same of the best of n responses by preference and rules together: `rule_reward.rerank_score`.

        KL(best ‖ reference) = E over the best of log π - log reference  +  KL(best ‖ π)

    The second is Beirami's estimate, `formulas.best_of_n.kl_estimate`.
    """
    config = best_of_n.Config(n=preset.rerank if n is None else n, sampling=preset.rl.sampling, seed=preset.rl.seed + 1)
    found = list(best_of_n.draws(policy, prompts, rewards.reranked(judges.liked, judges.kept), config))
    chosen = [one.response for one in found]
    by = measures(data, judges)
    each = {name: rewards.checked(reward(prompts, chosen), len(chosen), reward) for name, reward in by.items()}
    here, there = (given_rollout(model, prompts, chosen) for model in (policy, reference))
    drift = sequence_kl(here.logprob, there.logprob, here.mask).item()
    of_choosing, ended = (sum(x) / len(found) for x in zip(*((one.kl_estimate, one.ended[one.best]) for one in found),
                                                           strict=True))
    return Evaluation(prompts=tuple(prompts), responses=tuple(chosen),
                      each={name: tuple(x.tolist()) for name, x in each.items()},
                      scores={name: mean(x, rewards.range_of(by[name])) for name, x in each.items()},
                      kl=drift + of_choosing, eos_rate=ended, length=here.length.float().mean().item(),
                      distinct=distinct(chosen), distinct_2=distinct_pairs(here))
