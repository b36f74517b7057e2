"""`rlhf-kit train ppo`: a language model's name and something to please become a policy that pleases it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.door import OPTIONS, Account, Brought, bring, columns_in, named
from rlhf_kit.evaluate import evaluate, win_rate
from rlhf_kit.formulas.records import Chat, Step
from rlhf_kit.formulas.root_kl import line, root_kl_line
from rlhf_kit.jobs import scores, written
from rlhf_kit.jobs.questions import questions, rows_of, samples
from rlhf_kit.jobs.rows import Rows
from rlhf_kit.jobs.scaling import Chosen, Rates, ScaledJob, further
from rlhf_kit.jobs.settings import changed, check_task, described, unread, use_threads, with_task_room, world
from rlhf_kit.language import Lang
from rlhf_kit.loops import samplers
from rlhf_kit.loops.sanity_checks import check_varies
from rlhf_kit.methods import ppo
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.shared import VALUE_HEAD
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage
from rlhf_kit.sampling import Sampler, check_room

TEST = "test_judge"                 # what its scores are called
FEWEST = 5                          # steps that a line is fitted to
RATES = {"tiny": Rates(whole=zoo.TINY_PPO.learning_rate, adapter=2e-3), "small":
         Rates(whole=zoo.GPT2_PPO.learning_rate, adapter=1e-4), "large": Rates(whole=1e-6, adapter=1.4e-5)}


@dataclass(frozen=True, kw_only=True)
class PpoJob(ScaledJob):
    """Train a policy with PPO towards a classifier's opinion, a reward model's, or a reward function of yours."""

    name: ClassVar[str] = "ppo"
    files: ClassVar[tuple[str, ...]] = ("prompts",)
    method: ClassVar[ModuleType] = ppo
    rates: ClassVar[dict[str, Rates]] = RATES

    model: str                              # a tiny model's name, a folder, or a hub id
    judge: str | None = None                # the same for a classifier, whose probability of `label` is the score, or
                                            # for a reward model: the probability of beating a text that scores 0
    label: str = "positive"                 # by name; models differ in the order of their outputs
    reward: str | None = None               # or a function: my_reward.py:reward
    prompts: str | None = None              # a file of prompts, a folder of them, or a set on the hub; None = openings
                                            # of the made-up reviews
    column: str = "prompt"                  # its column, unless it is a .txt
    columns: str | None = None              # or "prompt=question,system=rules"
    template: str | None = None             # that conversations are written by; None = the model's own
    reference: str | None = None            # what drift is measured from; None = the model as it is now
    lang: Lang = "en"                       # of the made-up reviews
    task: str | None = None                 # another made-up world: its name, or my_task.py:Weather
    rollouts: str | None = None             # what draws responses: continuous, or vllm=ADDRESS; None = the kit's own
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `ppo.Config` that differ from its defaults
    test_judge: str | None = None           # a reward model of the other half of the data: reported, never pleased

    def __post_init__(self) -> None:
        self.check_rewards()
        if self.test_judge is not None and (self.judge is None or self.test_judge == self.judge):
            raise ValueError("--test-judge is a reward model that learned from the other half of what --judge learned "
                             "from (train reward-model --half first and --half second). Name two different ones.")
        if self.prompts is None and (self.column != "prompt" or self.columns is not None):
            raise ValueError("--prompt-column is one of a file of prompts, and there is none. Name it with --prompts.")
        columns_in(self.columns)
        check_task(self.task, self.prompts, "--prompts")
        samplers.named(self.rollouts)
        self.check_scale()
        changed(self.own("tiny"), self.changes)

    def own(self, size: str) -> Any:
        """The method's settings for a model of that size, before anybody changes them."""
        return zoo.TINY_PPO if size == "tiny" else zoo.GPT2_PPO

    def stream(self, policy: Policy, reference: Policy, prompts: Sequence[str], score: rewards.Reward, config: Any,
               watch: Mapping[str, rewards.Reward], sampler: Sampler | None, checkpoint: Path | None) -> Iterator[Step]:
        """The method's steps."""
        return self.method.steps(policy, reference, prompts, score, config, evaluation_rewards=watch, sampler=sampler,
                                 checkpoint=checkpoint, **self.often(10))

    def check_rewards(self) -> None:
        """Raises: ValueError unless there is one thing to please."""
        scores.check_one(self.judge, self.reward, self.label)

    def please(self) -> rewards.Reward:
        """What scores a response. Raises: RewardError, ModelUnavailable, ValueError."""
        return scores.asked(self.judge, self.reward, self.label, device=self.device, rows=self._rows())

    def please_on_chats(self, score: rewards.Reward, chats: Mapping[str, Chat]) -> rewards.Reward:
        """The same, handed conversations as it knows them."""
        return scores.on_chats(score, chats, self.judge)

    def claim(self) -> dict[str, Any]:
        """The file of the reward function belongs to it; where a server stands does not."""
        claim = scores.belongs(super().claim(), *self.places_of_rewards())
        if self.rollouts:
            claim["rollouts"] = self.rollouts.partition("=")[0]
        return claim

    def places_of_rewards(self) -> Sequence[str | None]:
        """Functions in files."""
        return (self.reward,)

    def plan(self, run: Run) -> Plan:
        """Two stages: learning, which leaves `policy/` and of a small model `snapshots/`, and the same questions again.

        The untrained policy answers first, so that a reward function that fails does so before anything is written.
        """
        brought = self.brought
        score = self.please()
        policy, chosen = self.open_policy(self.changes.get("seed", 0), value_head=self.method is ppo)
        asked = questions(brought, self.task, self.lang, policy, self.template, self.model)
        learn, held_out, watch, chats, account = asked.learn, asked.held_out, asked.watch, asked.chats, asked.account
        if self.test_judge is not None:
            watch = {**watch, TEST: self._test_judge(chats)}
        if chats:
            score = self.please_on_chats(score, chats)
        use_threads(run.threads, policy)
        config = self._config(chosen)
        config = further(self.with_room(config, chosen, policy, [*learn, *held_out]), run.more)
        check_room(policy, [*learn, *held_out], config.sampling)
        reference = self.open_reference(policy, self.reference)
        measured, sampler = {"score": score, **watch}, samplers.named(self.rollouts)
        if sampler is not None:
            sampler.check(policy.eval(), learn, config.sampling)
        first = reference if self.reference is None else policy
        seen = {"before": evaluate(first, reference, held_out, measured, config.sampling, config.seed + 1)}

        if config.checks:
            check_varies(torch.tensor(seen["before"].each["score"][:len(set(held_out))]), "the reward",
                         of="to the held-out prompts ")

        def train() -> Iterator[Step]:
            with nullcontext() if sampler is None else closing(sampler):
                steps = self.stream(policy, reference, learn, score, config, watch, sampler, run.checkpoint())
                yield from run.with_snapshots(policy, config.total, run.checkpoint(), steps, self.save_every)
            zoo.save_policy(policy, run.at("policy"))

        def examine() -> Iterator[Step]:
            seen["after"] = evaluate(policy, reference, held_out, measured, config.sampling, config.seed + 1)
            yield from ()

        def result() -> dict[str, Any]:
            before, after = seen["before"], seen["after"]
            return {"job": self.name, "settings": described(self, config), "prompts": len(learn),
                    "before": before.numbers(), "after": after.numbers(), "judge_accuracy": {},
                    "win_rate": {name: asdict(win_rate(after.each[name], before.each[name])) for name in measured},
                    "samples": samples(before, after, chats), "steps": len(run.history(self.name)),
                    **_growth(run.history(self.name)), **_stopped(config, run.history(self.name)),
                    **({} if account is None else {"read": account.numbers()})}
        return Plan([Stage(self.name, train, total=config.total, metrics=Metrics(every=1, shrinks=False)),
                     Stage("evaluate", examine)], result, notes=[
                         *self.preset(chosen, config, self.changes), *written.news(brought, account),
                         *self._notes(), *unread(policy.tokenizer, learn)])

    def rows(self, n: int) -> Rows:
        """What the first `n` prompts become, and counts of all; no weights are read. Raises: as `plan` does."""
        policy, chosen = self.outline_policy()
        asked = questions(self.brought, self.task, self.lang, policy, self.template, self.model)
        return rows_of(asked, policy, self._config(chosen).sampling.max_new_tokens, n, job=self.name, model=self.model,
                       notes=[*self._notes(), *unread(policy.tokenizer, asked.learn)])

    def _config(self, chosen: Chosen) -> Any:
        own = self.own(chosen.size)
        if self.brought is None:
            own = with_task_room(own, world(self.task, self.lang))
        return self.config_for(chosen, own, self.rates, self.changes)

    def _test_judge(self, chats: Mapping[str, Chat]) -> rewards.Reward:
        """Raises: ValueError unless it scores as the judge does."""
        if not (zoo.is_reward_model(self.judge) and zoo.is_reward_model(self.test_judge)):
            raise ValueError(f"--test-judge is {self.test_judge} and --judge {self.judge}; expected two reward models, "
                             f"of either half of the data.")
        found = scores.asked(self.test_judge, None, device=self.device)
        return scores.on_chats(found, chats, self.test_judge) if chats else found

    def _notes(self) -> list[tuple[str, dict[str, Any]]]:
        """A policy that was trained before does not silently become what its own drift is measured from; and what draws
        the responses has been tried with a stand-in only."""
        trained = self.reference is None and (Path(self.model).expanduser() / VALUE_HEAD).is_file()
        drawn = self.rollouts is not None and self.rollouts.startswith("vllm")
        return [*([("ppo_reference_trained", {"model": self.model})] if trained else []),
                *([("ppo_vllm", {"address": self.rollouts.partition("=")[2]})] if drawn else [])]

    @cached_property
    def brought(self) -> Brought | None:
        """What the file of prompts holds, read once. Raises: datasets.reading.FileError."""
        if self.prompts is None:
            return None
        column = None if self.column == "prompt" else self.column
        return bring(self.prompts, "prompts", named(self.columns, prompt=column), OPTIONS)

    def understood(self) -> Account | None:
        return None if self.brought is None else self.brought.account

    def _rows(self) -> list[dict[str, Any]]:
        """The other columns of a table of prompts, for a reward with TRL's signature."""
        return [] if self.brought is None else list(self.brought.rows)


def _growth(history: Sequence[Step]) -> dict[str, Any]:
    """Over the first half of the run, how far the score is a line in √KL, and in KL, to compare with; and of a test
    judge how far the judge's score runs away from it, in the first fifth of the steps and in the last."""
    seen = [step.metrics for step in history]
    half = seen[:(len(seen) + 1) // 2]
    found: dict[str, Any] = {}
    if len(half) >= FEWEST and all({"kl", "score"} <= one.keys() for one in half):
        kl, score = (torch.tensor([one[name] for one in half]) for name in ("kl", "score"))
        if kl.clamp(min=0).std() > 0:
            root = root_kl_line(kl, score)
            found["root_kl"] = {**asdict(root), "r2_of_kl": line(kl, score).r2}
    if seen and TEST in seen[0]:
        fifth = max(len(seen) // 5, 1)
        gaps = [sum(one["score"] - one[TEST] for one in some) / len(some) for some in (seen[:fifth], seen[-fifth:])]
        found["split_half"] = {"gap_at_first": gaps[0], "gap_at_last": gaps[1]}
    return found


def _stopped(config: Any, history: Sequence[Step]) -> dict[str, Any]:
    """What ended the run before its last step, if anything did."""
    if getattr(config, "stop_kl", None) is None or not history or not config.too_far(history[-1]):
        return {}
    return {"stopped": {"step": len(history), "of": config.total, "kl": history[-1].metrics["kl"],
                        "stop_kl": config.stop_kl}}
