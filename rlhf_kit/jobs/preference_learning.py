"""What `rlhf-kit train dpo` and `kto` share: judged answers from a file or a made-up world, and an examination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.door import Account, Brought, bring, columns_in, lines_of
from rlhf_kit.datasets.rankings import FEWEST, hold_out
from rlhf_kit.datasets.reading import refused
from rlhf_kit.evaluate import Estimate, evaluate, win_rate
from rlhf_kit.formulas.records import Chat, Step
from rlhf_kit.jobs import scores, written
from rlhf_kit.jobs.questions import EVALUATED, examined, samples
from rlhf_kit.jobs.rows import Of, Rows, rows
from rlhf_kit.jobs.scaling import Chosen, Rates, ScaledJob, further
from rlhf_kit.jobs.settings import changed, check_task, described, unread, use_threads, world
from rlhf_kit.language import Lang
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import prompt_rows
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage
from rlhf_kit.sampling import Sampling, check_room
from rlhf_kit.tasks.rankings import rankings_of

HELD_OUT = 400                      # pairs, rankings or answers of a file, or a fifth if that is fewer
MADE_UP, MADE_UP_HELD_OUT = 2000, 100           # rankings of a made-up world
RATES = {"tiny": Rates(whole=3e-4, adapter=1e-3), "small": Rates(whole=5e-6, adapter=5e-5),
         "large": Rates(whole=5e-7, adapter=5e-6)}


@dataclass(frozen=True)
class Material:
    """What is learned from, as the policy reads it."""

    learn: list[Any]
    kept_out: list[Any]
    prompts: list[str]                          # that are answered before and after
    watch: dict[str, rewards.Reward]            # what is known of the truth
    chats: Mapping[str, Chat]                   # of conversations: what the template wrote -> what it was
    account: Account | None
    sides: tuple[Sequence[Any], Sequence[Any]] = ((), ())       # learn and kept_out before they were taken apart,
    of: tuple[Sequence[Any], Sequence[int | None]] = ((), ())   # and both in the file's order with their lines


@dataclass(frozen=True, kw_only=True)
class PreferenceJob(ScaledJob):
    """Train a policy on answers that people judged, and look at what it says before and after."""

    files: ClassVar[tuple[str, ...]] = ("data",)
    method: ClassVar[ModuleType]
    rates: ClassVar[dict[str, Rates]] = RATES

    model: str                              # that has been fine-tuned: a name, a folder, or a hub id
    data: str | None = None                 # a file, a folder of them, or a set on the hub; None = a made-up world's
    columns: str | None = None              # of the file: "prompt=question,chosen=better"
    template: str | None = None             # that conversations are written by; None = the model's own
    reference: str | None = None            # what log-ratios are measured from; None = the model as it is now
    judge: str | None = None                # scores the answers before and after; nothing is learned from it
    label: str = "positive"
    reward: str | None = None               # or a function does: my_reward.py:reward
    held_out: int | None = None             # to be examined on; None = 400, or a fifth if that is fewer
    max_new_tokens: int = 48                # of an answer before and after
    temperature: float = 1.0
    lang: Lang = "en"                       # of the made-up reviews
    task: str | None = None                 # another made-up world: its name, or my_task.py:Weather
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of the method's `Config` that differ

    def __post_init__(self) -> None:
        if self.judge is not None or self.reward is not None or self.label != "positive":
            scores.check_one(self.judge, self.reward, self.label)
        if self.columns is not None and self.data is None:
            raise ValueError("--columns are those of a file, and there is none. Name it with --data.")
        columns_in(self.columns)
        check_task(self.task, self.data, "--data")
        if self.held_out is not None and self.held_out < 2:
            raise ValueError(f"--held-out is {self.held_out}; at least 2 have to be examined on.")
        self.check_scale()
        Sampling(max_new_tokens=self.max_new_tokens, temperature=self.temperature)
        changed(self.own("tiny"), self.changes)

    # -- what differs --------------------------------------------------------------------------------------------------

    def own(self, size: str) -> Any:
        """The method's settings for a model of that size, before anybody changes them."""
        raise AssertionError(f"{type(self).__name__} has no settings")

    def judged(self, brought: Brought) -> list[Any]:
        """What a file holds, in the form that the method learns from."""
        raise AssertionError(f"{type(self).__name__} reads no files")

    def learned_from(self, items: Sequence[Any]) -> list[Any]:
        """Of what `judged` gave, or of a world's rankings, the examples."""
        raise AssertionError(f"{type(self).__name__} has no examples")

    def told(self, policy: Policy, reference: Policy, kept_out: Sequence[Any], config: Any) -> Estimate:
        """How well implicit rewards tell held-out answers apart."""
        raise AssertionError(f"{type(self).__name__} examines nothing")

    def fitted(self, config: Any, learn: Sequence[Any]) -> tuple[Any, list[written.NOTE]]:
        """Settings that depend on the data, and what is said of them."""
        return config, []

    # -- what does not -------------------------------------------------------------------------------------------------

    @property
    def sampling(self) -> Sampling:
        """Of the answers before and after."""
        return Sampling(max_new_tokens=self.max_new_tokens, temperature=self.temperature)

    def claim(self) -> dict[str, Any]:
        """The file of the reward function belongs to it."""
        return scores.belongs(super().claim(), self.reward)

    def plan(self, run: Run) -> Plan:
        """Two stages: learning, which leaves `policy/`, and the same held-out questions as before it."""
        score = None if self.judge is None and self.reward is None else scores.asked(
            self.judge, self.reward, self.label, device=self.device)
        policy, chosen = self.open_policy(self.changes.get("seed", 0), value_head=False)
        use_threads(run.threads, policy)
        material = self._material(policy)
        config = self.config_for(chosen, self.own(chosen.size), self.rates, self.changes)
        fit = self.method.fit(policy, material.learn, config)
        config, said = self.fitted(further(config, run.more), [material.learn[place] for place in fit.places])
        reference = self.open_reference(policy, self.reference)
        return self._plan(run, policy, reference, chosen, config, material, score, said, fit.left_out, fit.limit)

    def rows(self, n: int) -> Rows:
        """What the first `n` rows become, and counts of all; no weights are read. Raises: as `plan` does."""
        policy, chosen = self.outline_policy()
        material = self._material(policy)
        config = self.config_for(chosen, self.own(chosen.size), self.rates, self.changes)
        fit = self.method.fit(policy, material.learn, config)
        said = self.fitted(config, [material.learn[place] for place in fit.places])[1]
        learn, held_out = material.sides
        kind = Of(*material.of, lambda items: self.method.as_read(policy, items, config), learn, held_out,
                  apart=self.learned_from)
        return rows([kind], n, job=self.name, model=self.model, tokenizer=policy.tokenizer,
                    generation=policy.lm.generation_config, limit=fit.limit, account=material.account,
                    notes=[*said, *_too_long(fit.left_out, fit.limit), *unread(policy.tokenizer, material.prompts)])

    def _plan(self, run: Run, policy: Policy, reference: Policy, chosen: Chosen, config: Any, material: Material,
              score: rewards.Reward | None, said: list[written.NOTE], left_out: int, limit: int) -> Plan:
        if score is not None and material.chats:
            score = scores.on_chats(score, material.chats, self.judge)
        measured = {**({} if score is None else {"score": score}), **material.watch}
        asked, no_room = self._with_room(policy, material.prompts)
        first = reference if self.reference is None else policy

        def look(at: Policy) -> dict[str, Any]:
            return {"answers": evaluate(at, reference, asked, measured, self.sampling, config.seed + 1),
                    "told": self.told(at, reference, material.kept_out, config)}
        seen = {"before": look(first)}

        def train() -> Iterator[Step]:
            steps = self.method.steps(policy, reference, material.learn, config, checkpoint=run.checkpoint(),
                                      **self.often(50))
            yield from run.with_snapshots(policy, config.total, run.checkpoint(), steps, self.save_every)
            zoo.save_policy(policy, run.at("policy"))

        def examine() -> Iterator[Step]:
            seen["after"] = look(policy)
            yield from ()

        def result() -> dict[str, Any]:
            before, after = seen["before"]["answers"], seen["after"]["answers"]
            return {"job": self.name, "settings": described(self, config), "examples": len(material.learn),
                    "held_out": len(material.kept_out), "before": before.numbers(), "after": after.numbers(),
                    "told": {side: asdict(seen[side]["told"]) for side in seen}, "judge_accuracy": {},
                    "win_rate": {name: asdict(win_rate(after.each[name], before.each[name])) for name in measured},
                    "left_out": {"too_long": left_out}, "samples": samples(before, after, material.chats),
                    "steps": len(run.history(self.name)),
                    **({} if material.account is None else {"read": material.account.numbers()})}
        notes = [*_too_long(left_out, limit), *([("preferences_no_room", {"n": no_room})] if no_room else [])]
        return Plan([Stage(self.name, train, total=config.total, metrics=Metrics()), Stage("evaluate", examine)],
                    result, notes=[*self.preset(chosen, config, self.changes), *said, *notes, *written.news(
                        self.brought, material.account), *unread(policy.tokenizer, material.prompts)])

    @cached_property
    def brought(self) -> Brought | None:
        """What the file holds, read once. Raises: datasets.reading.FileError."""
        return None if self.data is None else bring(self.data, "preferences", columns_in(self.columns),
                                                    joined=self.template is None)

    def understood(self) -> Account | None:
        return None if self.brought is None else self.brought.account

    def _material(self, policy: Policy) -> Material:
        """Of a file a part is kept out; a made-up world keeps its own, and knows the truth. Raises: CannotWrite."""
        brought = self.brought
        if brought is None:
            known = world(self.task, self.lang)
            recipe = zoo.TinyRewardModel()
            learn, kept_out = (written.comparisons(rankings_of(known, n, recipe.k, recipe.noise, split=split),
                                                   policy.tokenizer, self.template, self.model, writes=True)
                               for n, split in ((MADE_UP, "train"), (self.held_out or MADE_UP_HELD_OUT, "heldout")))
            found = written.prompts(known.prompts("heldout", EVALUATED), policy.tokenizer, self.template, self.model)
            gold = rewards.gold(known)
            return Material(self.learned_from(learn.items), self.learned_from(kept_out.items), examined(found.items),
                            {"gold": rewards.of_chats(gold, found.chats) if found.chats else gold}, found.chats, None,
                            (learn.items, kept_out.items), learn.where(()))
        judged = self.judged(brought)
        texts = written.comparisons(judged, policy.tokenizer, self.template, self.model, writes=True)
        if len(texts.items) < FEWEST:
            raise refused(brought.account.source, f"holds {len(texts.items)} examples; at least {FEWEST} are needed, "
                                                  f"so that some can be held out. Add more.")
        wanted = self.held_out or max(min(HELD_OUT, len(texts.items) // 5), 2)
        learn, kept_out = hold_out(texts.items, wanted)
        if not learn:
            raise ValueError(f"{brought.account.source} holds {len(texts.items)} examples, and with {wanted} held out "
                             f"none is left to learn from (those of one prompt stay together). Lower --held-out, or "
                             f"add some with other prompts.")
        prompts = examined(list(dict.fromkeys(one.prompt for one in kept_out)))
        return Material(self.learned_from(learn), self.learned_from(kept_out), prompts, {}, texts.chats,
                        texts.told(brought.account), (learn, kept_out), texts.where(lines_of(brought, judged)))

    def _with_room(self, policy: Policy, prompts: list[str]) -> tuple[list[str], int]:
        """Prompts that can be answered within the model's context, and how many cannot. Raises: ValueError if none."""
        if policy.context is None:
            return prompts, 0
        rows = prompt_rows(policy.tokenizer, prompts)
        kept = [prompt for prompt, row in zip(prompts, rows, strict=True)
                if len(row) + self.max_new_tokens <= policy.context]
        if not kept:
            check_room(policy, prompts, self.sampling)
        return examined(kept), len(prompts) - len(kept)


def _too_long(left_out: int, limit: int) -> list[written.NOTE]:
    return [("preferences_too_long", {"n": left_out, "limit": limit})] if left_out else []
