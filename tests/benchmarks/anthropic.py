"""Anthropic's recipe on the assistant's world, seed by seed: what the paper says of it, kept in `anthropic.json`.

    make bench ARGS=anthropic           SEEDS=3 PARTS=agdcebf change it: (a) to (g) of the table, in that order

A seed's line of the paper, up to PPO, is a run of the recipe's tiny preset; what is compared with it begins where that
run's stages did. Everything that takes long is a file in the cache's folder `bench-anthropic-…`, whole or not there, so
that a stopped bench goes on where it was; `anthropic.json` is written anew after each part of a seed. The base is
trained once; the seed is that of prompts, crowdworkers and all that is drawn and learnt after it. Two policies are
compared prompt by prompt, on the same held-out prompts; a preference model is asked about comparisons that it did not
learn from.
"""

from __future__ import annotations

import json
import os
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.rankings import as_ranking
from rlhf_kit.evaluate import agreement, share_kept
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.formulas.root_kl import line, root_kl_line
from rlhf_kit.jobs import JOBS
from rlhf_kit.jobs.helpful_harmless import World, team_of
from rlhf_kit.methods import classifier
from rlhf_kit.models.chats import first_turn
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.recipes import anthropic, learners
from rlhf_kit.recipes.anthropic import PRESETS, Team
from rlhf_kit.runs import pipeline
from rlhf_kit.sampling import given_rollout
from rlhf_kit.storage import is_complete, write_text
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.answers import draw_writer
from rlhf_kit.tasks.assistant.derivation import tell
from rlhf_kit.tasks.assistant.prompts import case_of
from tests.benchmarks.differences import about, mean, over_seeds, rows_of
from tests.benchmarks.kept import Kept, folder_of

FILE = Path(__file__).with_name("anthropic.json")
TEAMS: tuple[Team, ...] = ("helpful", "red_team")
MEASURES = ("score", "gold", "helpful", "honest", "harmless", "balked", "explained")
BASE = "tiny-base-en"
EDGE = 5                            # steps at either end of a run, over which scores are averaged


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured. What is compared is paired, so fewer prompts only widen the intervals."""

    layers: int = 1                 # of the smaller preference model: the base's first
    few: int = 50                   # comparisons with which PMP should help,
    many: int = 1000                # and with which it should not
    graded: int = 150               # held-out rankings of four, to compare kinds of judges on
    weight: float = 10.0            # λ of too much harmlessness
    straight: float = 0.5           # of a run, in which reward against √KL should be a line


class Seed(Kept):
    """All runs and evaluations with one seed, each kept in `folder` as soon as it is done."""

    def __init__(self, folder: Path, seed: int, size: Size) -> None:
        super().__init__(folder, seed)
        self.size, self.job = size, JOBS["anthropic"](lang="en", seed=seed)
        self.preset, self.data = self.job.settings(), World(Assistant("en"), seed)

    # -- what is there -------------------------------------------------------------------------------------------------

    def at(self, name: str) -> Path:
        """A folder of the recipe's run, or of what is compared with it."""
        return self.folder / "run" / LINE[name] if name in LINE else self.folder / name

    def policy(self, name: str) -> Policy:
        return zoo.load_policy(self.preset.base if name in ("base", "prompted") else self.at(name), value_head=False)

    def judge(self, name: str) -> RewardModel:
        return zoo.load_reward_model(self.at(name))

    def compared(self, name: str) -> list[Comparison]:
        """Those of the recipe's run, "helpful" or "helpful held out"; or others that were kept."""
        team, _, out = name.partition(" ")
        if team in TEAMS and out in ("", "held out"):
            rows = self.rows(f"labels/{team}-{'heldout' if out else 'train'}.jsonl")
        else:
            rows = self.kept(name, lambda: None)
        return [Comparison(**row) for row in rows]

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "run" / name).read_text(encoding="utf-8").splitlines()]

    @cached_property
    def asked(self) -> dict[Team, list[str]]:
        """The held-out prompts for which the prompted base has room."""
        asked = anthropic.examined(self.preset, self.data)
        base = self.policy("base")
        return {team: anthropic.with_room(base, one, self.data.behind, self.preset.ppo.sampling)
                for team, one in asked.items()}

    # -- what several parts need ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """The recipe, up to its policy."""
        def make() -> None:
            for stage in STAGES:
                for _ in self.job.run(self.folder / "run", stage=stage):
                    pass
        self.kept("line", make)

    def collect(self, name: str, writers: Sequence[str], team: Team, n: int, purpose: str,
                split: str = "train") -> None:
        self.kept(name, lambda: [asdict(one) for one in anthropic.collect(
            self.preset, self.data, [self.policy(one) for one in writers], team, n, purpose, split, seed=self.seed)])

    def fitted(self, name: str, model: RewardModel, steps: Any) -> None:
        rows = [step.metrics for step in steps]
        zoo.save_reward_model(model, self.folder / name)
        self.kept(f"fitted-{name}", lambda: rows)

    def preferred(self, name: str, helpful: Sequence[Comparison], harmless: Sequence[Comparison], *, begin: str = "pmp",
                  layers: int | None = None, weight: float = 1.0, mark: str | None = None) -> None:
        """A preference model of these, once; from what PMP left, or from the base or its first layers.

        From the base and without a mark it is a head alone, which hears nothing of how likely an answer is.
        """
        if is_complete(self.folder / name):
            return
        place = self.preset.base if begin == "base" else self.at(begin)
        model = learners.opened_judge(self.preset, place, mark, seed=self.seed, new_head=begin == "base")
        if layers is not None:
            model.model.base_model.layers = model.model.base_model.layers[:layers]
            model.model.config.num_hidden_layers = layers
        preset = replace(self.preset, harmless_weight=weight)
        self.fitted(name, model, anthropic.reward_steps(preset, model, helpful, harmless))

    def accuracy(self, name: str, kind: str) -> list[float]:
        """[share of held-out comparisons of that kind that it decides as people did, standard error]."""
        def make() -> list[float]:
            return _right(rewards.learned(self.judge(name)), list(map(as_ranking, self.compared(f"{kind} held out"))))
        return self.kept(f"agrees-{name}-{kind}", make)

    def ppo(self, name: str, judge: str, *, red_team: float | None = None, test: str | None = None,
            keep: bool = False) -> None:
        """A policy that pleases that model, from the distilled one; with `keep` its snapshots stay."""
        preset = self.preset if red_team is None else replace(self.preset, red_team=red_team)
        if not is_complete(self.at(name)):
            policy = learners.actor(preset, self.policy("distilled"), preset.ppo.seed)
            steps = anthropic.ppo_steps(preset, self.data, policy, policy.reference(), self.judge(judge),
                                        anthropic.prompts(preset, self.data, self.requests(), self.seed),
                                        self.folder / f"{name}.training",
                                        test=None if test is None else self.judge(test))
            self.trained(name, policy, self.watched(steps, policy, name) if keep else steps)
        self.examined(name)

    def watched(self, steps: Any, policy: Policy, name: str) -> Any:
        for step in steps:
            if step.number + 1 in anthropic.kept_after(self.preset):
                zoo.save_policy(policy, self.folder / f"{name}-{step.number + 1}")
            yield step

    def requests(self) -> list[str]:
        return [row["prompt"] for row in self.rows("requests/requests.jsonl")]

    def examined(self, name: str) -> dict[str, Any]:
        """What it answers to every held-out prompt, and what each measure says of it."""
        def make() -> dict[str, Any]:
            seen = anthropic.examine(self.preset, self.data, self.policy(name), self.policy("distilled"),
                                     self.judge("judge"), self.asked, prompted=name == "prompted")
            return {**{key: list(one) for key, one in seen.each.items()}, "kl": seen.kl,
                    "responses": list(seen.responses)}
        return self.kept(f"seen-{name}", make)

    # -- the parts -----------------------------------------------------------------------------------------------------

    def run(self, parts: str, after: Callable[[], None]) -> None:
        """Those parts; `after` each the JSON is written."""
        for part in parts:
            try:
                getattr(self, f"part_{part}")()
            finally:                    # interrupted, it says what there is
                after()

    def part_g(self) -> None:
        """(g) The base, the base behind its prompt, and the student without it."""
        self.start()
        for name in ("base", "prompted", "distilled"):
            self.examined(name)

    def part_a(self) -> None:
        """(a) Preference models of help alone, of harm alone and of both, of two sizes; and other kinds of judges."""
        self.start()
        helpful, harmless = self.compared("helpful"), self.compared("red_team")
        for size, how in (("large", {}), ("small", {"layers": self.size.layers})):
            for name, sets in (("helpful", (helpful, [])), ("harmless", ([], harmless)), ("mix", (helpful, harmless))):
                self.preferred(f"{size}-{name}", *sets, begin="base", **how)
                for kind in TEAMS:
                    self.accuracy(f"{size}-{name}", kind)
        self.kept("judges", self.judges)

    def judges(self) -> dict[str, list[float]]:
        """How many pairs of graded answers each kind of judge orders as gold does: ranked, classified, likelihood."""
        graded = self.data.task.rankings(self.size.graded, 4, 0.0, self.seed + 50, "heldout")
        pairs = [*self.compared("helpful"), *self.compared("red_team")]
        model, tokenizer = zoo.load_classifier(self.preset.base, new_head=True, seed=self.seed)
        texts = [(one.prompt + answer, label) for one in pairs
                 for answer, label in ((one.chosen, 1), (one.rejected, 0))]
        config = classifier.Config(steps=anthropic.reward_updates(self.preset, len(pairs)), batch_size=32,
                                   learning_rate=self.preset.reward.learning_rate, seed=self.seed,
                                   max_length=self.preset.reward.max_length)
        classifier.train(model.requires_grad_(True), tokenizer, texts, config)
        base, label = self.policy("base"), model.config.id2label[1]

        def likelihood(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
            found = []
            for first in range(0, len(prompts), 64):
                read = given_rollout(base, list(prompts[first:first + 64]), list(responses[first:first + 64]))
                found += ((read.logprob * read.mask).sum(-1) / read.mask.sum(-1)).tolist()
            return found
        kinds = {"ranked": rewards.learned(self.judge("large-mix")), "likelihood": likelihood,
                 "classifier": rewards.classifier(model, tokenizer, label=label)}
        return {name: _right(one, graded) for name, one in kinds.items()}

    def part_c(self) -> None:
        """(c) With and without PMP, on few comparisons of people's answers and on many."""
        self.start()
        self.kept("crowd", lambda: [asdict(one) for one in self.crowd(self.size.many, "train")])
        test = 2 * self.preset.held_out_pairs
        self.kept("crowd held out", lambda: [asdict(one) for one in self.crowd(test, "heldout")])
        pairs = self.compared("crowd")
        for n in (self.size.few, self.size.many):
            for begin in ("pmp", "base"):
                self.preferred(f"{begin}-{n}", pairs[:n], [], begin=begin, mark=self.data.mark)
                self.accuracy(f"{begin}-{n}", "crowd")

    def crowd(self, n: int, split: str) -> list[Comparison]:
        """n comparisons of two people's answers, by who is more helpful."""
        rng, found = random.Random(f"crowd {self.seed} {split}"), []
        compare = self.data.compare("helpful", f"crowd {split}")
        for one in self.data.task.asked(3 * n, self.seed + 70, split):
            if team_of(one.case) == "helpful" and len(found) < n:
                said = [self.data.task.dialogue(one, draw_writer(rng), rng)[1] for _ in range(2)]
                if said[0] != said[1] and (judged := compare(one.text, (said[0], said[1]))) is not None:
                    found.append(judged)
        return found

    def part_e(self) -> None:
        """(e) The recipe's own policy: what its steps say of reward and drift."""
        self.start()
        for name in ("distilled", "policy"):
            self.examined(name)

    def part_d(self) -> None:
        """(d) A model of one half is pleased and that of the other half watched: all data, a quarter, fewer layers."""
        self.start()
        for name, share, layers in (("all", 1, None), ("quarter", 4, None), ("small", 1, self.size.layers)):
            sets = [self.compared(team) for team in TEAMS]
            sets = [pairs[:len(pairs) // share] for pairs in sets]
            for half in (0, 1):
                self.preferred(f"{name}-half-{half}", *(pairs[half::2] for pairs in sets), begin="base", layers=layers)
            self.ppo(f"split-{name}", f"{name}-half-0", test=f"{name}-half-1")
            self.kept(f"offsets-{name}", lambda name=name: [self.offset(f"{name}-half-{half}") for half in (0, 1)])

    def offset(self, judge: str) -> float:
        """A model's mean over held-out answers, which is taken off before two models are compared."""
        score = rewards.learned(self.judge(judge))
        pairs = [pair for kind in TEAMS for pair in self.compared(f"{kind} held out")]
        texts = [(one.prompt, answer) for one in pairs for answer in (one.chosen, one.rejected)]
        return float(torch.as_tensor(score(*zip(*texts, strict=True))).mean())

    def part_b(self) -> None:
        """(b) Harm that counts λ times and half of the prompts a red team's; the same with few of these; refusals."""
        self.start()
        self.part_e()
        self.preferred("heavy", self.compared("helpful"), self.compared("red_team"), weight=self.size.weight)
        self.ppo("heavy-many", "heavy", red_team=0.6)
        self.ppo("heavy-few", "heavy", red_team=0.1)
        self.kept("refusals", self.refusals)

    def refusals(self) -> dict[str, list[float]]:
        """A refusal that says why and offers something against a bare one: what crowdworkers and the model see."""
        prompts = [one for one in self.asked["red_team"] if case_of(one, "en").kind == "do"]
        bare = " " + tell("say/refuse", {}, random.Random(0)).text("en")
        full = [" ".join([bare, tell("say/why", {"common": case_of(one, "en").thing[1]}, random.Random(0)).text("en"),
                          tell("say/offer", {}, random.Random(0)).text("en")]) for one in prompts]
        score, task = rewards.learned(self.judge("judge")), self.data.task
        gap = torch.as_tensor(score(prompts, full)) - torch.as_tensor(score(prompts, [bare] * len(prompts)))
        return {"score": mean(gap.tolist()),
                "helpful": mean([task.hs(p, one).helpful - task.hs(p, bare).helpful
                                 for p, one in zip(prompts, full, strict=True)]),
                "harmless": mean([task.hs(p, one).harmless - task.hs(p, bare).harmless
                                  for p, one in zip(prompts, full, strict=True)])}

    def part_f(self) -> None:
        """(f) Half of the comparisons from the distilled model, the other half from snapshots of what these gave."""
        self.part_e()
        sets = {team: self.compared(team) for team in TEAMS}
        half = {team: pairs[:len(pairs) // 2] for team, pairs in sets.items()}
        self.preferred("judge-half", half["helpful"], half["red_team"])
        self.ppo("half", "judge-half", keep=True)
        writers = [f"half-{step}" for step in anthropic.kept_after(self.preset)]
        sampled, more = {"helpful": len(self.rows("sampled/helpful-train.jsonl"))}, {}
        for team in TEAMS:              # as many in all as the policy's model learned from, its best of k among them
            n = len(sets[team]) - len(half[team]) + sampled.get(team, 0)
            self.collect(f"{team} online", writers, team, n, "labels-2")
            more[team] = self.compared(f"{team} online")
        self.preferred("judge-online", *([*half[team], *more[team]] for team in TEAMS))
        self.ppo("online", "judge-online")

    # -- what was found ------------------------------------------------------------------------------------------------

    def numbers(self) -> dict[str, Any]:
        """One part of the JSON; what is not measured yet is not in it."""
        stages = {}
        names = ("base", "prompted", "distilled", "policy", "heavy-many", "heavy-few", "half", "online")
        for name in names:
            if (seen := self.get(f"seen-{name}")) is not None:
                stages[name] = {**{key: self.of(seen, key) for key in MEASURES}, "kl": seen["kl"],
                                "runs_on": mean([float(first_turn(one, self.data.marks) != one)
                                                 for one in seen["responses"]])}
        agrees = {path.stem.removeprefix("agrees-"): self.get(path.stem)
                  for path in sorted(self.folder.glob("agrees-*.json"))}
        found: dict[str, Any] = {"cpu_seconds": round(self.cpu_seconds), "stages": stages, "accuracy": agrees}
        for name in ("judges", "refusals"):
            if (one := self.get(name)) is not None:
                found[name] = one
        if self.has("line"):
            rows = self.rows(pipeline.METRICS)
            found["root_kl"], found["steps"] = self.along(rows), columns(rows, "kl", "score", "gold")
        if (one := self.against("policy", "distilled")) is not None:
            found["against"] = one
        found["halves"] = {name: {**columns(rows, "kl", "score", "test_score", "gold"),
                                  "offsets": self.get(f"offsets-{name}")}
                           for name in HALVES if (rows := self.get(f"trained-split-{name}")) is not None}
        found["differences"] = self.differences(found)
        return found

    def of(self, seen: dict[str, Any], key: str) -> list[float]:
        """[mean, standard error] over the prompts that the measure is about."""
        n, team = len(self.asked["helpful"]), anthropic.OF_TEAM.get(key)
        return mean(seen[key][:n] if team == "helpful" else seen[key][n:] if team == "red_team" else seen[key])

    def against(self, ours: str, theirs: str) -> dict[str, list[float]] | None:
        """What the preference model gives both for each prompt, and which of the two is better by gold: 1, 0 or ½."""
        one, other = self.get(f"seen-{ours}"), self.get(f"seen-{theirs}")
        if one is None or other is None:
            return None
        beats = [(a > b) + (a == b) / 2 for a, b in zip(one["gold"], other["gold"], strict=True)]
        return {"score": [round(x, 4) for x in one["score"]], "baseline": [round(x, 4) for x in other["score"]],
                "beats": beats}

    def along(self, rows: Sequence[dict[str, float]]) -> dict[str, Any]:
        kl, score = (torch.tensor([row[name] for row in rows]) for name in ("kl", "score"))
        half = round(len(rows) * self.size.straight)
        return {"root": asdict(root_kl_line(kl[:half], score[:half])),
                "kl": asdict(line(kl[:half].clamp(min=0), score[:half]))}

    def differences(self, found: dict[str, Any]) -> dict[str, list[float]]:
        """What the signatures ask: [mean, standard error]."""
        out: dict[str, list[float]] = {}
        right = found["accuracy"]
        for size in ("large", "small"):
            for name, kind in (("helpful", "red_team"), ("harmless", "helpful"), ("helpful", "helpful"),
                               ("harmless", "red_team"), ("mix", "helpful"), ("mix", "red_team")):
                if (one := right.get(f"{size}-{name}-{kind}")) is not None:
                    out[f"a: {size} model of {SETS[name]}, accuracy on {SETS[kind]} - chance"] = [one[0] - 0.5, one[1]]
            lost = [_minus(right.get(f"{size}-{name}-{kind}"), right.get(f"{size}-mix-{kind}"))
                    for name, kind in (("helpful", "helpful"), ("harmless", "red_team"))]
            if None not in lost:
                out[f"a: {size} model, accuracy lost by mixing"] = [(lost[0][0] + lost[1][0]) / 2,
                                                                    (lost[0][1] ** 2 + lost[1][1] ** 2) ** 0.5 / 2]
        if (kinds := found.get("judges")) is not None:
            out["a: ranked - classifier, on graded answers"] = _minus(kinds["ranked"], kinds["classifier"])
            out["a: classifier - likelihood, on graded answers"] = _minus(kinds["classifier"], kinds["likelihood"])
        for key, (measure, ours, theirs) in DIFFERENCES.items():
            one, other = self.get(f"seen-{ours}"), self.get(f"seen-{theirs}")
            if one is not None and other is not None:
                gaps = [a - b for a, b in zip(one[measure], other[measure], strict=True)]
                out[key] = self.of({measure: gaps}, measure)
        if (one := found.get("refusals")) is not None:
            for key, x in one.items():
                out[f"b: {key}, refusal that explains - bare refusal"] = x
        for n in (self.size.few, self.size.many):
            gain = _minus(right.get(f"pmp-{n}-crowd"), right.get(f"base-{n}-crowd"))
            if gain is not None:
                out[f"c: accuracy with PMP - without, {n} comparisons"] = gain
        for name in ("all", "quarter", "small"):
            if (rows := self.get(f"trained-split-{name}")) is not None:
                gap = [row["score"] - row["test_score"] for row in rows]
                first, last = gap[:EDGE], gap[-EDGE:]
                out[f"d: train score - test score, end - begin, {HALVES[name]}"] = [
                    statistics.fmean(last) - statistics.fmean(first),
                    (statistics.variance(first) / EDGE + statistics.variance(last) / EDGE) ** 0.5]
        if (one := found.get("root_kl")) is not None:
            out["e: R² of reward along √KL"] = [one["root"]["r2"], 0.0]
            out["e: R² of reward along KL"] = [one["kl"]["r2"], 0.0]
        seen = [self.get(f"seen-{name}") for name in ("base", "prompted", "distilled")]
        if None not in seen and (kept := share_kept(*(one["gold"] for one in seen))) is not None:
            out["g: share of the prompt's gold that the student keeps"] = [kept.mean, kept.standard_error]
        return out


STAGES = ("distil", "pmp", "labels", "first", "sampled", "requests", "reward", "ppo")
LINE = {"distilled": "distilled", "pmp": "pmp", "judge": "reward_model", "policy": "policy"}     # of the recipe's run
SETS = {"helpful": "help", "harmless": "harm", "red_team": "harm", "mix": "both"}
HALVES = {"all": "all data", "quarter": "a quarter", "small": "small model"}
DIFFERENCES = {             # what it shows: (measure, of whom, minus that of whom)
    "b: refuses what is fine, too much harmlessness - policy": ("balked", "heavy-many", "policy"),
    "b: refuses what is fine, more helpful prompts - too much harmlessness": ("balked", "heavy-few", "heavy-many"),
    "b: helpful, more helpful prompts - too much harmlessness": ("helpful", "heavy-few", "heavy-many"),
    "f: gold, online - all comparisons at once": ("gold", "online", "policy"),
    "f: gold, policy - distilled": ("gold", "policy", "distilled"),
    "f: score, policy - distilled": ("score", "policy", "distilled"),
    "g: gold, prompted - base": ("gold", "prompted", "base"),
    "g: gold, distilled - base": ("gold", "distilled", "base"),
}
ZH = (("share of the prompt's gold that the student keeps", "学生不用提示保住的真值提升"),
      ("accuracy lost by mixing", "混合训练损失的准确率"), ("all comparisons at once", "一次比较完"),
      ("more helpful prompts", "多用求助提示"), ("too much harmlessness", "无害过重"),
      ("refuses what is fine", "该答的却拒绝"), ("refusal that explains", "说明原因的拒绝"),
      ("bare refusal", "光秃秃的拒绝"),
      ("on graded answers", "在分等级的回答上"), ("accuracy with PMP - without", "有 PMP 与没有 PMP 的准确率之差"),
      ("train score - test score, end - begin", "训练分减测试分，末尾减开头"), ("a quarter", "四分之一数据"),
      ("all data", "全部数据"), ("small model of ", "小模型学"), ("large model of ", "大模型学"),
      ("small model", "小模型"),
      ("large model", "大模型"), ("accuracy on ", "准确率："), ("comparisons", "次比较"), ("classifier", "分类器"),
      ("likelihood", "似然"), ("R² of reward along", "奖励的 R²，沿"), ("prompted", "带提示"), ("distilled", "蒸馏"),
      ("policy", "策略"), ("online", "在线"), ("base", "底座"), ("ranked", "排序"), ("chance", "随机"),
      ("harmless", "无害"), ("helpful", "有用"), ("score", "得分"), ("gold", "真值"), ("both", "两者"),
      ("help", "有用"), ("harm", "无害"), ("准确率： ", "准确率："), (": ", "："), (", ", "，"))


def columns(rows: Sequence[dict[str, float]], *names: str) -> dict[str, list[float]]:
    """Those metrics of all steps."""
    return {name: [round(row[name], 4) for row in rows] for name in names if name in rows[0]}


def _right(reward: rewards.Reward, graded: Sequence[Any]) -> list[float]:
    found = agreement(reward, graded).pair_accuracy
    return [found.mean, found.standard_error]


def _minus(one: Sequence[float] | None, other: Sequence[float] | None) -> list[float] | None:
    """The difference of two that were measured apart."""
    return None if one is None or other is None else [one[0] - other[0], (one[1] ** 2 + other[1] ** 2) ** 0.5]


def stored(seeds: Sequence[Seed], size: Size) -> dict[str, Any]:
    """The content of `anthropic.json`."""
    parts = {str(one.seed): one.numbers() for one in seeds}
    return {"about": {**about("anthropic"), "base": zoo.place(BASE).name, **asdict(size),
                      "preset": json.loads(json.dumps(asdict(PRESETS["tiny"]), default=str))},
            "parts": parts, "over_seeds": over_seeds(parts)}


def place(size: Size) -> Path:
    """Where the runs are kept: another size, recipe or base has another place."""
    return folder_of("anthropic", f"{size!r} {PRESETS['tiny']!r} {zoo.place(BASE).name}")


def main() -> None:
    """SEEDS (default 3) and PARTS (default all); the JSON after each part of each seed, the table at the end."""
    torch.set_num_threads(1)
    size, seeds = Size(), []
    zoo.cached(BASE)
    folder = place(size)
    print(f"kept in {folder}", flush=True)
    for seed in range(int(os.environ.get("SEEDS", 3))):
        seeds.append(Seed(folder, seed, size))
        seeds[-1].run(os.environ.get("PARTS", "gaecdbf"), lambda: write_text(
            FILE, json.dumps(stored(seeds, size), indent=1, ensure_ascii=False) + "\n"))
    print("", *table(json.loads(FILE.read_text(encoding="utf-8"))), sep="\n")


def table(found: dict[str, Any], lang: str = "en") -> list[str]:
    """The page's rows."""
    return rows_of(found["over_seeds"], lang, ZH)


STAGE_NAMES = {
    "en": ("| mean, 95 % interval | base | base, prompted | distilled model | policy | policy, harm × 10 | online |",
           {"gold": "gold", "helpful": "helpful, on prompts for help", "harmless": "harmless, on a red team's",
            "explained": "a red team's: says why it refuses", "balked": "refuses what is fine",
            "runs_on": "goes on as the next speaker", "kl": "KL from the distilled model, nats"}),
    "zh": ("| 均值，95% 区间 | 底座 | 底座，带提示 | 蒸馏后的模型 | 策略 | 策略，无害 × 10 | 在线 |",
           {"gold": "真值", "helpful": "有用，在求助的提示上", "harmless": "无害，在红队的提示上",
            "explained": "红队的提示：拒绝时说明原因",
            "balked": "该答的却拒绝", "runs_on": "接着替别人说话", "kl": "与蒸馏后模型的 KL，奈特"}),
}


def stages(found: dict[str, Any], lang: str = "en") -> list[str]:
    """What each policy of the seeds that went through everything is like: mean over the seeds, ± over prompts."""
    shown = ("base", "prompted", "distilled", "policy", "heavy-many", "online")
    seeds = [part["stages"] for part in found["parts"].values() if part["stages"].keys() >= set(shown)]
    head, measures = STAGE_NAMES[lang]

    def cell(name: str, measure: str) -> str:
        if measure == "kl":
            return f"{abs(statistics.fmean(one[name]['kl'] for one in seeds)):.2f}"
        means, errors = zip(*(one[name][measure] for one in seeds), strict=True)
        return f"{statistics.fmean(means):.2f} ± {1.96 * sum(se ** 2 for se in errors) ** 0.5 / len(seeds):.2f}"
    return [head, "|---|---|---|---|---|---|---|", *(
        f"| {said} | {' | '.join(cell(name, measure) for name in shown)} |" for measure, said in measures.items())]
