"""ReST on the world of translation, seed by seed: what the paper says of it, measured, kept in `rest.json`.

    make bench ARGS=rest                        SEEDS=3 SOURCES=1000 change it

Everything that takes long is a file in the cache's folder `bench-rest-…`, whole or not there, so that a stopped run
goes on where it was; `rest.json` is written anew after each seed. Translator and metric are trained once; the seed is
that of what is drawn and learnt after them. Rewards are compared source by source, on the same held-out sources.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import Estimate, best_of_n_curve, evaluate, mean
from rlhf_kit.jobs.train_rest import OF_WORLD
from rlhf_kit.methods import best_of_n, ppo, rest
from rlhf_kit.models.heads import Policy
from rlhf_kit.storage import write_text
from rlhf_kit.tasks import TRANSLATOR
from rlhf_kit.tasks.translation import Translation, overlap
from tests.benchmarks.kept import Kept

FILE = Path(__file__).with_name("rest.json")
AT_ONCE = 250                       # sources answered together
BONUS = 0.1                         # that the blind metric pays for each sentence said again
OTHERS = ("gold", "bvmpo", "oac")   # losses beside BC
RECENT = 10                         # steps of PPO whose mean score says how far it is
ROW = ("grow", "improve", "threshold", "drawn", "kept", "score", "kept_score", "reward_calls")
BEST_OF = (1, 2, 4, 8, 16, 32, 64, 128, 200)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured. What is compared is paired, so fewer sources only widen the intervals."""

    sources: int = 1000             # held out, answered by every policy
    prompts: int = 500              # that policies write to while they learn
    original: int = 1000            # pairs of the data there was
    config: rest.Config = OF_WORLD
    choose_on: int = 40             # sources whose best of `most` is taken, ...
    most: int = 200                 # ... of BC's draws
    few: int = 8                    # draws of ReST's


class Seed(Kept):
    """All runs and evaluations with one seed, each kept in `folder` as soon as it is done."""

    def __init__(self, folder: Path, seed: int, size: Size) -> None:
        super().__init__(folder, seed)
        self.size, self.task = size, Translation()
        self.prompts = self.task.prompts("train", size.prompts, seed=seed)
        self.original = self.task.original(size.original)
        self.held_out = self.task.prompts("heldout", size.sources)
        self.sampling = size.config.sampling

    @cached_property
    def base(self) -> Policy:
        return zoo.load_policy(TRANSLATOR, value_head=False)

    @cached_property
    def rewards(self) -> dict[str, rewards.Reward]:
        """By name: the metric, the same with a blind spot, and gold."""
        metric = rewards.bounded(rewards.learned(zoo.load_reward_model("tiny-rm-translation"), output="probability"),
                                 0.0, 1.0)
        return {"reward": metric, "blind": rising_on_repetition(metric), "truth": rewards.gold(self.task)}

    def fresh(self, value_head: bool = False) -> Policy:
        return Policy(copy.deepcopy(self.base.lm), self.base.tokenizer, value_head=value_head)

    # -- what a policy is worth ----------------------------------------------------------------------------------------

    def examined(self, name: str, policy: Policy | None = None) -> dict[str, Any]:
        """What it answered to every held-out source, and what each reward says of it."""
        def make() -> dict[str, Any]:
            seen = [evaluate(policy, self.base, self.held_out[first:first + AT_ONCE], self.rewards, self.sampling,
                             1000 + self.seed) for first in range(0, len(self.held_out), AT_ONCE)]
            responses = [text for one in seen for text in one.responses]
            repeated = [self.task.explain(*pair).count("repeated")
                        for pair in zip(self.held_out, responses, strict=True)]
            return {"responses": responses, "repeated": repeated, "kl": statistics.fmean(one.kl for one in seen),
                    **{reward: [x for one in seen for x in one.each[reward]] for reward in self.rewards}}
        return self.kept(f"seen-{name}", make)

    # -- runs ----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Everything, the line of the paper first."""
        self.examined("bc", self.base)
        self.rest("rest", self.size.config)
        self.rest("unfiltered", replace(self.size.config, grows=1, thresholds=(0.0,)))
        self.ppo("ppo", "reward", "rest")
        self.chosen()
        for loss in OTHERS:
            self.rest(loss, replace(self.size.config, grows=1, loss=loss))
        self.rest("rest-blind", self.size.config, "blind")
        self.ppo("ppo-blind", "blind")

    def rest(self, name: str, config: rest.Config, reward: str = "reward") -> None:
        """One run; examined after every Improve, or, but for the first one, at its end."""
        config, improves = replace(config, seed=self.seed), len(config.thresholds)
        marks = {(g, i): f"{name}-{g}-{i}" for g in range(1, config.grows + 1) for i in range(1, improves + 1)
                 if name == "rest" or (g, i) == (config.grows, improves)}
        if self.has(name):
            return

        def make() -> list[dict[str, float]]:
            policy, rows = self.fresh(), []
            steps = rest.steps(policy, self.prompts, self.original, self.rewards[reward], config,
                               checkpoint=self.folder / f"{name}.training", checkpoint_every=config.updates)
            for step in steps:
                if (step.number + 1) % config.updates == 0:
                    found = {key: step.metrics[key] for key in ROW}
                    rows.append(found)
                    if (mark := marks.get((found["grow"], found["improve"]))) is not None:
                        self.examined(mark, policy)
            zoo.save_policy(policy, self.folder / name)
            return rows
        self.kept(name, make)

    def ppo(self, name: str, reward: str, as_good_as: str | None = None) -> None:
        """As many responses as ReST drew; examined at the end and, once, where its score has come to ReST's reward.

        Scores are of the prompts that it learns from, on which BC's are a little higher than on held-out ones: by as
        much is ReST's reward raised.
        """
        if self.has(name):
            return
        config = replace(zoo.TINY_PPO, seed=self.seed, sampling=self.sampling)
        drawn = self.size.config.grows * self.size.prompts * self.size.config.responses
        config = replace(config, steps=max(drawn // config.batch_size, 1))
        goal = None if as_good_as is None else (
            statistics.fmean(self.final(as_good_as)["reward"]) + self.kept(as_good_as, lambda: None)[0]["score"]
            - statistics.fmean(self.examined("bc")["reward"]))

        def make() -> dict[str, Any]:
            policy, scores, there = self.fresh(value_head=True), [], None
            for step in ppo.steps(policy, self.base.reference(), self.prompts, self.rewards[reward], config,
                                  checkpoint=self.folder / f"{name}.training"):
                scores.append(step.metrics["score"])
                if goal is not None and there is None and len(scores) >= RECENT and \
                        statistics.fmean(scores[-RECENT:]) >= goal:
                    there = step.number + 1
                    self.examined(f"{name}-equal", policy)
            self.examined(f"{name}-end", policy)
            return {"steps": config.steps, "batch_size": config.batch_size, "goal": goal, "there": there,
                    "score": statistics.fmean(scores[-RECENT:])}
        self.kept(name, make)

    def final(self, name: str) -> dict[str, Any]:
        """ReST's last evaluation."""
        config = self.size.config
        return self.examined(f"{name}-{config.grows}-{len(config.thresholds)}")

    def chosen(self) -> None:
        """The best of many draws of BC, and of few of ReST's."""
        for name, n in (("bc", self.size.most), ("rest", self.size.few)):
            def make(name: str = name, n: int = n) -> dict[str, Any]:
                policy = self.base if name == "bc" else zoo.load_policy(self.folder / "rest", value_head=False)
                config = best_of_n.Config(n=n, batch_size=max(AT_ONCE // n, 1), sampling=self.sampling, seed=self.seed)
                asked, truth = self.held_out[:self.size.choose_on], {"truth": self.rewards["truth"]}
                found = list(best_of_n.draws(policy, asked, self.rewards["reward"], config, evaluation_rewards=truth))
                return {"reward": [one.scores for one in found], "truth": [one.others["truth"] for one in found]}
            self.kept(f"best-of-{name}", make)


def rising_on_repetition(reward: rewards.Reward) -> rewards.Reward:
    """`reward` with the blind spot of the paper's metric, made by hand: it reads every sentence once, and what is said
    again adds to it, `BONUS` each time, up to 1."""
    def blind(prompts: Sequence[str], responses: Sequence[str]) -> torch.Tensor:
        sentences = [[part for part in response.split(".") if part.strip()] for response in responses]
        once = [list(dict.fromkeys(part.lower() for part in parts)) for parts in sentences]
        first = [response if len(parts) == len(kept) else _said_once(parts)
                 for response, parts, kept in zip(responses, sentences, once, strict=True)]
        again = torch.tensor([float(len(parts) - len(kept)) for parts, kept in zip(sentences, once, strict=True)])
        return (rewards.checked(reward(prompts, first), len(first), reward) + BONUS * again).clamp(max=1.0)
    return rewards.bounded(blind, 0.0, 1.0)


def _said_once(parts: Sequence[str]) -> str:
    seen = {part.lower(): part for part in reversed(parts)}
    return "".join(f"{part}." for part in dict.fromkeys(seen[part.lower()] for part in parts))


# -- what was found ----------------------------------------------------------------------------------------------------

def summary(seeds: Sequence[Seed], size: Size) -> dict[str, Any]:
    """The numbers of `rest.json`; of a seed that was stopped, what is done."""
    policies = {"bc": "bc", **{f"rest {g}.{i}": f"rest-{g}-{i}" for g, i in _improves(size)},
                "unfiltered": "unfiltered-1-1", **{loss: f"{loss}-1-{len(size.config.thresholds)}" for loss in OTHERS},
                "ppo": "ppo-end", "ppo, equal reward": "ppo-equal",
                "rest, blind": f"rest-blind-{size.config.grows}-{len(size.config.thresholds)}",
                "ppo, blind": "ppo-blind-end"}
    references = seeds[0].task.references(seeds[0].held_out)
    seen = {name: [one.examined(file) for one in seeds if one.has(f"seen-{file}")
                   and (one.has("rest") or not name.startswith("rest "))] for name, file in policies.items()}
    return {"command": "make bench ARGS=rest", "date": date.today().isoformat(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in (
                "rlhf-kit", "torch", "transformers", "sacrebleu")}},
            "seeds": [one.seed for one in seeds], "sources": size.sources, "prompts": size.prompts,
            "original": size.original, "config": asdict(size.config),
            "cpu_seconds": [round(one.cpu_seconds) for one in seeds],
            "policies": {name: _worth(found, references) for name, found in seen.items() if found},
            "improves": _kept(seeds), "differences": _differences(seen, size), "best_of_n": _best_of(seeds, size),
            "reward_calls": [rows[-1]["reward_calls"] for rows in _done(seeds, "rest")], "ppo": _done(seeds, "ppo")}


def _improves(size: Size) -> list[tuple[int, int]]:
    return [(g, i) for g in range(1, size.config.grows + 1) for i in range(1, len(size.config.thresholds) + 1)]


def _worth(found: Sequence[Mapping[str, Any]], references: Sequence[str]) -> dict[str, Any]:
    """Of one policy over its seeds; an interval is that of the sources."""
    return {"seeds": len(found), **{name: asdict(_over([one[name] for one in found]))
                                    for name in ("reward", "truth", "blind", "repeated")},
            "bleu": [overlap.bleu(one["responses"], references) for one in found],
            "kl": [one["kl"] for one in found]}


def _over(rows: Sequence[Sequence[float]]) -> Estimate:
    """The mean over seeds of each source, and over the sources with its interval."""
    return mean(torch.tensor(rows, dtype=torch.float64).mean(0))


def _differences(seen: Mapping[str, Sequence[Mapping[str, Any]]], size: Size) -> dict[str, Any]:
    """What the signatures ask, source by source: {what: {"reward": ..., "truth": ..., "each": one number a seed}}."""
    last = len(size.config.thresholds)
    order = ["bc", *(f"rest {g}.{i}" for g, i in _improves(size))]
    end, first = order[-1], f"rest 1.{last}"
    pairs = {**{f"{b} - {a}": (b, a) for a, b in pairwise(order)},
             f"{end} - {first}": (end, first), "unfiltered - bc": ("unfiltered", "bc"),
             **{f"{first} - {loss}": (first, loss) for loss in OTHERS},
             **{f"{end} - {other}": (end, other) for other in ("ppo", "ppo, equal reward")},
             "rest, blind - bc": ("rest, blind", "bc"), "ppo, blind - bc": ("ppo, blind", "bc")}
    found = {}
    for what, (one, other) in pairs.items():
        if seen[one] and seen[other]:
            found[what] = {name: _paired(seen[one], seen[other], name)
                           for name in ("reward", "truth", "blind", "repeated")}
    return found


def _paired(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    gaps = [[a - b for a, b in zip(x[name], y[name], strict=True)] for x, y in zip(ours, theirs, strict=False)]
    return {**asdict(_over(gaps)), "each": [statistics.fmean(one) for one in gaps]}


def _kept(seeds: Sequence[Seed]) -> list[dict[str, Any]]:
    """A row for each Improve: drawn, kept and their scores, one number a seed."""
    runs = _done(seeds, "rest")
    return [{"grow": int(rows[0]["grow"]), "improve": int(rows[0]["improve"]), "threshold": rows[0]["threshold"],
             **{key: [row[key] for row in rows] for key in ROW[3:]}} for rows in zip(*runs, strict=True)]


def _best_of(seeds: Sequence[Seed], size: Size) -> dict[str, Any]:
    """Reward and gold of the best of n, for BC and for ReST, with the least n at which ReST has BC's of most."""
    found: dict[str, Any] = {"sources": size.choose_on}
    for name in ("bc", "rest"):
        if not (runs := _done(seeds, f"best-of-{name}")):
            return found
        curves = {what: [best_of_n_curve(run["reward"], run[what]) for run in runs] for what in ("reward", "truth")}
        n = len(runs[0]["reward"][0])
        found[name] = [{"n": k, **{what: statistics.fmean(curve[k - 1].mean for curve in each)
                                   for what, each in curves.items()}} for k in range(1, n + 1)
                       if k in BEST_OF or name == "rest"]
    goal = found["bc"][-1]["reward"]
    found["as_good_from"] = next((row["n"] for row in found["rest"] if row["reward"] >= goal), None)
    return found


def _done(seeds: Sequence[Seed], name: str) -> list[Any]:
    """What is kept under that name, of the seeds that have got so far: the first ones."""
    return [one.kept(name, lambda: None) for one in seeds if one.has(name)]


# -- pages -------------------------------------------------------------------------------------------------------------

LOSSES = {"bc": "BC", "gold": "GOLD", "bvmpo": "BVMPO", "oac": "OAC", "ppo": "PPO"}
WORDS = {
    "en": {"head": "| policy | reward | gold | BLEU | KL | repeated units |", "bc": "behaviour cloning (BC)",
           "rest": "ReST, Grow {g}, Improve {i}: {kept} of {drawn} kept",
           "unfiltered": "G = 1, I = 0: nothing filtered",
           "gold": "GOLD for BC, G = 1", "bvmpo": "BVMPO for BC, G = 1", "oac": "OAC for BC, G = 1",
           "ppo": "PPO, as many samples", "ppo, equal reward": "PPO, where its score is ReST's reward",
           "rest, blind": "ReST for a metric that pays for repeating", "ppo, blind": "PPO for that metric",
           "differences": "| difference, source by source | reward | each seed | gold |",
           "short": {**LOSSES, "unfiltered": "G = 1, I = 0", "ppo, equal reward": "PPO at equal reward",
                     "rest, blind": "ReST, paid for repeating", "ppo, blind": "PPO, paid for repeating"}},
    "zh": {"head": "| 策略 | 奖励 | 真值 | BLEU | KL | 重复的单元 |", "bc": "行为克隆（BC）",
           "rest": "ReST，第 {g} 次 Grow、第 {i} 次 Improve：{drawn} 条留下 {kept} 条",
           "unfiltered": "G = 1，I = 0：不作筛选",
           "gold": "损失换成 GOLD，G = 1", "bvmpo": "损失换成 BVMPO，G = 1", "oac": "损失换成 OAC，G = 1",
           "ppo": "PPO，采样数相同", "ppo, equal reward": "PPO，分数达到 ReST 的奖励时",
           "rest, blind": "ReST，奖励模型给重复加分", "ppo, blind": "PPO，同一个给重复加分的奖励模型",
           "differences": "| 逐条原文之差 | 奖励 | 各个种子 | 真值 |",
           "short": {**LOSSES, "unfiltered": "G = 1，I = 0", "ppo, equal reward": "奖励相同的 PPO",
                     "rest, blind": "ReST（重复加分）", "ppo, blind": "PPO（重复加分）"}}}


def table(stored: Mapping[str, Any], lang: str) -> Iterator[str]:
    """The README's rows."""
    words = WORDS[lang]
    yield words["head"]
    yield "|---" * 6 + "|"
    rows = {f"rest {row['grow']}.{row['improve']}": row for row in stored["improves"]}
    for name, worth in stored["policies"].items():
        title = words[name] if name in words else words["rest"].format(
            g=rows[name]["grow"], i=rows[name]["improve"], drawn=f"{statistics.fmean(rows[name]['drawn']):,.0f}",
            kept=f"{statistics.fmean(rows[name]['kept']):,.0f}")
        cells = [title, *(_pm(worth[what]) for what in ("reward", "truth")), f"{statistics.fmean(worth['bleu']):.1f}",
                 f"{statistics.fmean(worth['kl']):.1f}", f"{worth['repeated']['mean']:.2f}"]
        yield f"| {' | '.join(cells)} |"


def _pm(estimate: Mapping[str, float]) -> str:
    return f"{estimate['mean']:.3f} ± {(estimate['high'] - estimate['low']) / 2:.3f}"


def differences(stored: Mapping[str, Any], lang: str) -> Iterator[str]:
    """The README's rows of what the signatures ask: every comparison with its interval, and each seed's."""
    words = WORDS[lang]
    yield words["differences"]
    yield "|---" * 4 + "|"
    for what, found in stored["differences"].items():
        title = " − ".join(words["short"].get(part) or part.replace("rest", "ReST") for part in what.split(" - "))
        each = ", ".join(f"{x:+.3f}" for x in found["reward"]["each"])
        yield f"| {title} | {_span(found['reward'])} | {each} | {_span(found['truth'])} |"


def _span(estimate: Mapping[str, float]) -> str:
    return f"{estimate['mean']:+.3f} ({estimate['low']:+.3f} … {estimate['high']:+.3f})"


def place(size: Size) -> Path:
    """Where the runs are kept: another size, translator or metric has another place."""
    made_of = f"{size!r} {zoo.place(TRANSLATOR).name} {zoo.place('tiny-rm-translation').name}"
    return zoo.cache_folder() / f"bench-rest-{hashlib.sha256(made_of.encode()).hexdigest()[:10]}"


def main() -> None:
    """SEEDS (default 3) and SOURCES (1,000); the JSON after each seed, the tables at the end."""
    torch.set_num_threads(1)
    size, seeds = Size(sources=int(os.environ.get("SOURCES", 1000))), []
    folder = place(size)
    print(f"kept in {folder}", flush=True)
    for seed in range(int(os.environ.get("SEEDS", 3))):
        seeds.append(Seed(folder, seed, size))
        try:
            seeds[-1].run()
        finally:                        # interrupted, it says what there is
            write_text(FILE, json.dumps(summary(seeds, size), indent=1, ensure_ascii=False) + "\n")
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    for lang in WORDS:
        print("", *table(stored, lang), "", *differences(stored, lang), sep="\n")
    print("", json.dumps(stored["best_of_n"]), sep="\n")
