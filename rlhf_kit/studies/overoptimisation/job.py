"""`rlhf-kit overoptimisation`: reward models made, pleased and measured, each piece kept as soon as it is done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.language import Lang
from rlhf_kit.loops.batches import seed_for
from rlhf_kit.loops.checkpoints import steps_in
from rlhf_kit.methods import best_of_n, ppo, reward_model
from rlhf_kit.methods.best_of_n import Draws
from rlhf_kit.models import text, tiny
from rlhf_kit.runs.folder import STATES, Event
from rlhf_kit.runs.pipeline import Job, Plan, Run, Stage
from rlhf_kit.storage import is_complete, remove
from rlhf_kit.studies.frontier.world import Size, World
from rlhf_kit.studies.overoptimisation import curves, page
from rlhf_kit.studies.overoptimisation.comparisons import compared, labelled
from rlhf_kit.studies.overoptimisation.proxies import (
    CAUTION,
    FLIPPED,
    MEMBERS,
    METHODS,
    NS,
    PENALTIES,
    SIZES,
    Amounts,
    Curve,
    Proxy,
)
from rlhf_kit.studies.overoptimisation.proxies import curves as wanted
from rlhf_kit.studies.pieces import POINTS, keep, kept

TEXTS = 4000                                # of the world, from which the reward models' tokenizer is made
SHOWN = 3                                   # answers of a policy that its last measurement keeps


@dataclass(frozen=True, kw_only=True)
class OveroptimisationJob(Job):
    """Gold against drift, while reward models of few and many comparisons are optimised by best-of-n and PPO.

    Methods, sizes, seeds and the page's language are no part of a run's identity: the same folder takes more of them
    later, and what is there is not made again.
    """

    name: ClassVar[str] = "overoptimisation"

    task: str                               # a made-up world by name
    lang: Lang = "en"                       # of picture and page
    methods: tuple[str, ...] = METHODS
    sizes: tuple[int, ...] = SIZES          # comparisons that the reward models learn from
    seeds: int = 1                          # 0, 1, …: of answers, labels, reward models and policies
    amounts: Amounts = field(default_factory=Amounts)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"--seeds is {self.seeds}; it must be at least 1.")

    def claim(self) -> dict[str, Any]:
        """World, start and amounts, and every setting of what learns."""
        later = ("methods", "sizes", "seeds", "lang")
        shared = {name: value for name, value in super().claim().items() if name not in later}
        return json.loads(json.dumps({
            **shared, "start": zoo.place(self.world.start).name, "flipped": FLIPPED, "members": MEMBERS, "ns": NS,
            "caution": CAUTION, "learning": asdict(self.amounts.learning(1000, 0)),
            "ppo": [asdict(self.amounts.ppo(penalty, 0)) for penalty in PENALTIES]}))

    @cached_property
    def world(self) -> World:
        """Raises: ValueError for a world that there is not."""
        amounts = self.amounts
        return World(self.task, Size(prompts=amounts.prompts, held_out=amounts.held_out, sampling=amounts.sampling))

    @property
    def curves(self) -> list[Curve]:
        """All that are asked for."""
        return wanted(self.methods, self.sizes)

    @property
    def models(self) -> list[tuple[Proxy, int]]:
        """The reward models that they need: of how many comparisons, how many flipped, and which member."""
        proxies = dict.fromkeys(curve.proxy for curve in self.curves)
        return list({(Proxy(one.comparisons, one.flipped), member): None for one in proxies for member in one.members})

    def numbers(self) -> dict[str, int]:
        """What the stages' descriptions say, of each seed."""
        return {"draws": self.amounts.draws, "models": len(self.models),
                "policies": sum(curve.method == "ppo" for curve in self.curves)}

    def plan(self, run: Run) -> Plan:
        """The start; then, seed by seed, its answers, the reward models, and the policies that please them."""
        work, start = _Work(run, self), self.world.start
        stages = [Stage("language_model", work=partial(zoo.build, start), total=zoo.planned(start),
                        leaves=(str(zoo.place(start)),), silent=True)]
        for seed in range(self.seeds):
            stages += work.stages(seed)
        return Plan(stages, partial(self.result, run), report=partial(page.write, run.folder, self.lang))

    def result(self, run: Run) -> dict[str, Any]:
        """Every curve, its fit and its peak, over the seeds."""
        work = _Work(run, self)
        points = [[work.points(curve, seed) for seed in range(self.seeds)] for curve in self.curves]
        pools = [work.pool(seed) for seed in range(self.seeds)]
        gold = torch.tensor([[one.scores for one in pool] for pool in pools])
        accuracies = {(proxy.comparisons, proxy.flipped): [work.read(_model("scores", proxy, 0, seed))["accuracy"]
                                                          for seed in range(self.seeds)]
                      for proxy in (curve.proxy for curve in self.curves)}
        return {"job": "overoptimisation", "world": self.world.task.name, "start": self.world.start, "lang": self.lang,
                "methods": list(self.methods), "sizes": list(self.sizes), "seeds": list(range(self.seeds)),
                "amounts": asdict(self.amounts),
                "accuracy": [{"comparisons": size, "flipped": flipped, "seeds": seeds}
                             for (size, flipped), seeds in accuracies.items()],
                "curves": curves.gathered(self.curves, points, gold)}


class _Work:
    """What the stages do."""

    def __init__(self, run: Run, job: OveroptimisationJob) -> None:
        self.run, self.job, self.world, self.amounts = run, job, job.world, job.amounts
        self.gold = rewards.gold(job.world.task)

    def stages(self, seed: int) -> list[Stage]:
        """Of one seed, in order."""
        most, models = max(self.job.sizes), self.job.models
        ppos = [curve for curve in self.job.curves if curve.method == "ppo"]
        updates = sum(self.amounts.learning(proxy.comparisons, seed).steps for proxy, _ in models)
        found = [
            self.stage("answers", seed, partial(self.answers, most, seed), most, (_answers(most, seed),)),
            self.stage("pool", seed, partial(self.draw_pool, seed), self.amounts.held_out, (_pool(seed),)),
            self.stage("models", seed, partial(self.models, models, seed), updates,
                       tuple(_model(what, *one, seed) for one in models for what in ("model", "scores")))]
        if ppos:
            leaves = tuple(_ppo(curve, step, seed) for curve in ppos for step in self.amounts.measured_at)
            found.append(self.stage("ppo", seed, partial(self.policies, ppos, seed),
                                    len(ppos) * self.amounts.ppo_steps, leaves))
        return found

    @staticmethod
    def stage(name: str, seed: int, work, total: int, leaves: tuple[str, ...]) -> Stage:
        return Stage(f"overoptimisation_{name}@{seed}", work=work, total=total, leaves=leaves, silent=True)

    def answers(self, most: int, seed: int) -> Iterator[Event]:
        """The start answers prompts until there are so many comparisons, and gold says which is better."""
        found, pairs = [], 0
        prompts = self.world.task.prompts("train", most, seed=seed)
        config = best_of_n.Config(n=self.amounts.answers, batch_size=128, sampling=self.world.size.sampling,
                                  seed=seed_for("comparisons", seed))
        for one in best_of_n.draws(self.world.reference, prompts, self.gold, config):
            found.append(one)
            pairs += len(compared([one]))
            yield Event(f"overoptimisation_answers@{seed}", min(pairs, most), most)
            if pairs >= most:
                break
        if pairs < most:
            raise ValueError(f"{len(found)} prompts of {self.job.task} gave {pairs} comparisons with a better answer; "
                             f"--sizes asks for {most}. Name smaller ones.")
        self.keep(_answers(most, seed), [asdict(one) for one in found])

    def draw_pool(self, seed: int) -> Iterator[Event]:
        """The start answers every held-out prompt often: what best-of-n chooses from."""
        found, held_out = [], self.world.held_out
        config = best_of_n.Config(n=self.amounts.draws, batch_size=8, sampling=self.world.size.sampling,
                                  seed=seed_for("pool", seed))
        for one in best_of_n.draws(self.world.reference, held_out, self.gold, config):
            found.append(one)
            yield Event(f"overoptimisation_pool@{seed}", len(found), len(held_out))
        self.keep(_pool(seed), [asdict(one) for one in found])

    def models(self, models: list[tuple[Proxy, int]], seed: int) -> Iterator[Event]:
        """Each reward model learns, is brought to the common scale, and scores the pool."""
        stage, done = f"overoptimisation_models@{seed}", 0
        configs = [self.amounts.learning(proxy.comparisons, seed_for("reward model", seed, member))
                   for proxy, member in models]
        total, judged = sum(config.steps for config in configs), self.judged(max(self.job.sizes), seed)
        pairs, pool = compared(judged), self.pool(seed)
        answers = [(one.prompt, response) for one in judged for response in one.responses][:self.amounts.scaled]
        tokenizer = text.train_tokenizer(self.world.task.corpus(TEXTS), 700)
        for (proxy, member), config in zip(models, configs, strict=True):
            folder, scores = _model("model", proxy, member, seed), _model("scores", proxy, member, seed)
            if not is_complete(self.run.at(folder)):
                checkpoint = self.run.checkpoint(f"model-{proxy.comparisons}-{proxy.flipped:g}-{member}-{seed}")
                model = tiny.reward_model(tokenizer, context=config.max_length, seed=config.seed)
                learnt: list[Comparison] = labelled(pairs[:proxy.comparisons], proxy.flipped, seed)
                for step in reward_model.steps(model, learnt, config, checkpoint=checkpoint):
                    yield Event(stage, done + step.number + 1, total, step.metrics)
                reward_model.standardise(model, answers)
                zoo.save_reward_model(model, self.run.at(folder))
                remove(checkpoint, STATES)
            if not is_complete(self.run.at(scores)):
                self.keep(scores, self.scored(rewards.learned(zoo.load_reward_model(self.run.at(folder))), pool))
            done += config.steps
            yield Event(stage, done, total)

    def scored(self, reward: rewards.Reward, pool: list[Draws]) -> dict[str, Any]:
        """What a reward model says of the pool, and how often it orders two of its answers as gold does."""
        n = self.amounts.draws
        said = torch.as_tensor(reward([one.prompt for one in pool for _ in range(n)],
                                      [response for one in pool for response in one.responses])).reshape(-1, n)
        gold = torch.tensor([one.scores for one in pool])
        half = n // 2
        apart = (gold[:, :half] - gold[:, half:2 * half]).sign()
        right = (said[:, :half] - said[:, half:2 * half]).sign() == apart
        return {"scores": said.tolist(), "accuracy": right[apart != 0].float().mean().item()}

    def policies(self, ppos: list[Curve], seed: int) -> Iterator[Event]:
        """One policy after the other learns; what each is worth is measured as it goes on."""
        stage, steps = f"overoptimisation_ppo@{seed}", self.amounts.ppo_steps
        for number, curve in enumerate(ppos):
            checkpoint = self.run.checkpoint(_ppo(curve, steps, seed).removeprefix(f"{POINTS}/"))
            if not all(is_complete(self.run.at(_ppo(curve, step, seed))) for step in self.amounts.measured_at):
                for step in self.learn(curve, checkpoint, seed):
                    yield Event(stage, number * steps + step.number + 1, len(ppos) * steps, step.metrics)
            remove(checkpoint, STATES)
            yield Event(stage, (number + 1) * steps, len(ppos) * steps)

    def learn(self, curve: Curve, checkpoint: Path, seed: int) -> Iterator[Any]:
        """PPO against one proxy. Behind every checkpoint the policy is measured, unless that is kept already.

        After a kill only the policy of the last checkpoint comes back: where an earlier measurement is missing, too,
        the run begins anew.
        """
        behind = len(steps_in(checkpoint))
        if not all(is_complete(self.run.at(_ppo(curve, step, seed))) for step in self.amounts.measured_at
                   if step < behind):
            remove(checkpoint, STATES)
            behind = 0
        world, reward, every = self.world, self.reward(curve, seed), self.amounts.every
        policy = world.fresh(value_head=True)
        config = replace(self.amounts.ppo(curve.penalty, seed), sampling=world.size.sampling)
        for step in ppo.steps(policy, world.reference, world.prompts, reward, config, checkpoint=checkpoint,
                              checkpoint_every=every):
            number = step.number + 1
            here = number >= behind and number in self.amounts.measured_at
            if here and not is_complete(self.run.at(_ppo(curve, number, seed))):
                self.keep(_ppo(curve, number, seed), {"step": number, **world.examined_by(
                    policy, {"proxy": reward, "gold": self.gold}, seed, SHOWN)})
            yield step

    def reward(self, curve: Curve, seed: int) -> rewards.Reward:
        """What the policy is taught by."""
        members = [rewards.learned(zoo.load_reward_model(self.run.at(_model("model", curve.proxy, member, seed))))
                   for member in curve.proxy.members]
        kind = curve.proxy.kind
        return members[0] if kind == "single" else rewards.ensemble(members, kind, CAUTION[curve.method])

    # -- what is kept --------------------------------------------------------------------------------------------------

    def keep(self, folder: str, piece: Any) -> None:
        """Whole, or not at all."""
        keep(self.run.at(folder), piece)

    def read(self, folder: str) -> Any:
        """What `keep` left."""
        return kept(self.run.at(folder))

    def judged(self, most: int, seed: int) -> list[Draws]:
        """The answers that are compared."""
        return [Draws(**one) for one in self.read(_answers(most, seed))]

    def pool(self, seed: int) -> list[Draws]:
        """All answers to the held-out prompts; their scores are gold."""
        return [Draws(**one) for one in self.read(_pool(seed))]

    def points(self, curve: Curve, seed: int) -> curves.Points:
        """How far each point is from the start, and what proxy and gold say of it, prompt by prompt."""
        gold = torch.tensor([one.scores for one in self.pool(seed)])
        said = torch.tensor([self.read(_model("scores", curve.proxy, member, seed))["scores"]
                             for member in curve.proxy.members])
        proxy = curves.together(said, curve)
        if curve.method == "best-of-n":
            return curves.best_of(proxy, gold, [n for n in NS if n <= self.amounts.draws])
        return curves.along([self.read(_ppo(curve, step, seed)) for step in self.amounts.measured_at], proxy, gold)


def _answers(most: int, seed: int) -> str:
    return f"{POINTS}/answers-{most}-{seed}"


def _pool(seed: int) -> str:
    return f"{POINTS}/pool-{seed}"


def _model(what: str, proxy: Proxy, member: int, seed: int) -> str:
    return f"{POINTS}/{what}-{proxy.comparisons}-{proxy.flipped:g}-{member}-{seed}"


def _ppo(curve: Curve, step: int, seed: int) -> str:
    proxy = curve.proxy
    return f"{POINTS}/ppo-{proxy.comparisons}-{proxy.flipped:g}-{proxy.kind}-{curve.penalty:g}-{step}-{seed}"
