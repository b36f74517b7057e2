"""InstructGPT on the assistant's world, seed by seed: what the paper says of it, measured, kept in `instructgpt.json`.

    make bench ARGS=instructgpt                 SEEDS=3 PARTS=all change it

Everything that takes long is a file in the cache's folder `bench-instructgpt-…`, whole or not there, so that a stopped
run goes on where it was; `instructgpt.json` is written anew after each part of a seed. The base is trained once; the
seed is that of demonstrations, prompts, labelers and all that is drawn and learnt after it. Two policies are compared
prompt by prompt, on the same held-out prompts.
"""

from __future__ import annotations

import json
import os
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import agreement
from rlhf_kit.evaluate.tax import tax
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.jobs.instructions import World
from rlhf_kit.methods import reward_model, sft
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.recipes import instructgpt, learners
from rlhf_kit.recipes.instructgpt import PRESETS, Preset
from rlhf_kit.storage import is_complete, write_text
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.prompts import case_of
from tests.benchmarks.differences import about, mean, over_seeds, rows_of
from tests.benchmarks.kept import Kept, folder_of

FILE = Path(__file__).with_name("instructgpt.json")
MEASURES = ("score", "gold", "helpful", "honest", "harmless")
TAXES = {"translation": "translation_gold", "reviews": "reviews_loss", "forum": "forum_loss"}
AT_ONCE = 100                       # prompts answered together


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured. What is compared is paired, so fewer prompts only widen the intervals."""

    preset: Preset = field(default_factory=lambda: replace(PRESETS["tiny"], base="tiny-base-en"))
    prompts: int = 300              # held out, answered by every policy
    taxed: int = 80                 # sources and texts of each untouched world
    pages: int = 40                 # that reward models learn from in whole pages and in shuffled pairs
    label_epochs: int = 3           # of SFT on the best response of every page


class Seed(Kept):
    """All runs and evaluations with one seed, each kept in `folder` as soon as it is done."""

    def __init__(self, folder: Path, seed: int, size: Size) -> None:
        super().__init__(folder, seed)
        self.size, preset = size, size.preset
        self.preset = replace(preset, sft=replace(preset.sft, seed=seed), start=replace(preset.start, seed=seed),
                              reward=replace(preset.reward, seed=seed), ppo=replace(preset.ppo, seed=seed))
        self.data = World(Assistant("en"), seed)

    @cached_property
    def demonstrations(self) -> instructgpt.Pairs:
        return self.data.demonstrations(self.preset.demonstrations)

    @cached_property
    def held_out(self) -> list[str]:
        return self.data.prompts(self.size.prompts, "heldout", "test")

    # -- keeping -------------------------------------------------------------------------------------------------------

    def policy(self, name: str) -> Policy:
        return zoo.load_policy(self.preset.base if name == "base" else self.folder / name, value_head=False)

    def judge(self, name: str) -> RewardModel:
        return zoo.load_reward_model(self.folder / name)

    # -- the stages ----------------------------------------------------------------------------------------------------

    def run(self, after: Callable[[], None]) -> None:
        """Everything, the line of the paper first; `after` each part the JSON is written."""
        for part in (self.sft, self.labels, self.judges, self.epochs, self.line, self.taxes, self.kwise,
                     self.labels_alone, self.second_round):
            try:
                part()
            finally:                    # interrupted, it says what there is
                after()

    def sft(self) -> None:
        """SFT, of which some epochs are kept, and the start of PPO."""
        kept = instructgpt.kept_after(self.preset, len(self.demonstrations))
        if not is_complete(self.folder / f"epoch-{self.preset.epochs}"):
            policy = self.policy("base")
            for step in instructgpt.sft_steps(self.preset, policy, self.demonstrations):
                if (epoch := kept.get(step.number + 1)) is not None:
                    zoo.save_policy(policy, self.folder / f"epoch-{epoch}")
        if not is_complete(self.folder / "start"):
            policy = self.policy("base")
            mixed = instructgpt.start_mix(self.preset, self.data, self.demonstrations)
            self.trained("start", policy, instructgpt.start_steps(self.preset, policy, mixed))

    def labels(self) -> None:
        writers = ["start", f"epoch-{self.preset.epochs}"]
        self.pages("labels", writers, self.preset.rankings)
        self.pages("test labels", writers, self.preset.held_out_rankings, "heldout")

    def pages(self, purpose: str, writers: Sequence[str], n: int, split: str = "train") -> list[Ranking]:
        """What labelers say of those writers' responses."""
        def make() -> list[dict[str, Any]]:
            found = instructgpt.labels(self.preset, self.data, [self.policy(name) for name in writers], n, purpose,
                                       split, self.seed)
            return [asdict(ranking) for ranking in found]
        return [Ranking(**row) for row in self.kept(purpose, make)]

    def judges(self) -> None:
        """A reward model of all pages, and one of half of them."""
        labels = self.pages("labels", (), 0)
        self.reward("judge", labels)
        self.reward("judge-half", labels[:len(labels) // 2])

    def reward(self, name: str, rankings: Sequence[Ranking], test: str = "test labels") -> None:
        if not is_complete(self.folder / name):
            model = learners.opened_judge(self.preset, self.folder / "start", self.data.mark, seed=self.seed)
            for _ in instructgpt.reward_steps(self.preset, model, rankings, self.demonstrations):
                pass
            zoo.save_reward_model(model, self.folder / name)
        self.kept(f"agrees-{name}", lambda: agreement(rewards.learned(self.judge(name)),
                                                      self.pages(test, (), 0)).numbers())

    def epochs(self) -> None:
        """(d) Loss and score of the SFT models, and the one that the reward model chooses."""
        def make() -> list[dict[str, Any]]:
            judge, kept = self.judge("judge"), instructgpt.kept_after(self.preset, len(self.demonstrations))
            return [asdict(instructgpt.examine_epoch(self.preset, self.data, self.policy(f"epoch-{epoch}"), judge,
                                                     epoch)) for epoch in kept.values()]
        rows = self.kept("epochs", make)
        chosen = max(rows, key=lambda row: statistics.fmean(row["score"]))["epoch"]
        if not is_complete(self.folder / "sft"):
            zoo.save_policy(self.policy(f"epoch-{chosen}"), self.folder / "sft")

    def line(self) -> None:
        """(a), (c), (f) Base, SFT, start, PPO-ptx, PPO, and PPO at a hundred times the price."""
        for name in ("base", "sft", "start"):
            self.examined(name)
        plain = replace(self.preset.ppo, ptx_coef=0.0)
        self.ppo("ppo", plain)
        self.ppo("ptx", self.preset.ppo)
        # In the reward such a price makes the policy run away: whitening divides it by its own deviation (`KL`).
        self.ppo("kl100", replace(plain, kl=KL(coefficient=100 * plain.kl.coefficient, in_loss=True)))

    def taxes(self) -> None:
        """(c) What each can still do besides."""
        for name in ("start", "ptx", "ppo", "kl100", "sft"):
            self.kept(f"tax-{name}", lambda name=name: _taxed(self.policy(name), self.size.taxed))

    def ppo(self, name: str, config: Any, judge: str = "judge") -> None:
        preset, start = replace(self.preset, ppo=config), self.policy("start")
        if not is_complete(self.folder / name):
            model = self.judge(judge)
            policy, reference = instructgpt.actor(preset, start, model), start.reference()
            self.trained(name, policy, instructgpt.ppo_steps(preset, self.data, policy, reference, model,
                                                             self.folder / f"{name}.training"))
        self.examined(name)

    def labels_alone(self) -> None:
        """(h) SFT on what labelers put first, of the same pages that the reward model learned from."""
        best = [(one.prompt, one.responses[one.ranks.index(1)]) for one in self.pages("labels", (), 0)]
        policy = self.policy("start")
        steps = learners.updates(self.preset.start, len(best), self.size.label_epochs)
        self.trained("best", policy, sft.steps(policy, best, replace(self.preset.start, steps=steps)))
        self.examined("best")

    def second_round(self) -> None:
        """(e) Half of the labels from the SFT models, the other half from the policy that these gave."""
        labels = self.pages("labels", (), 0)
        half = labels[:len(labels) // 2]
        plain = replace(self.preset.ppo, ptx_coef=0.0)
        self.ppo("half", plain, "judge-half")
        more = self.pages("labels-2", ["half"], len(labels) - len(half))
        self.reward("judge-2", [*half, *more])
        self.ppo("round2", plain, "judge-2")

    def kwise(self) -> None:
        """(g) Whole pages against their pairs shuffled: each pair once, and as many texts read."""
        pages, test = self.pages("labels", (), 0)[:self.size.pages], self.pages("test labels", (), 0)
        pairs = [pair for one in pages for pair in one.pairs()]
        random.Random(self.seed).shuffle(pairs)
        at_once = max(round(len(pairs) / len(pages)), 1) * self.preset.reward.batch_size
        read = sum(len(one.responses) for one in pages)
        again = max(round(2 * len(pairs) / read), 1)
        for name, items, batch, epochs in (("grouped", pages, self.preset.reward.batch_size, 1),
                                           ("shuffled", pairs, at_once, 1),
                                           ("grouped, as many read", pages, self.preset.reward.batch_size, again)):
            self.kept(f"kwise-{name}", lambda items=items, batch=batch, epochs=epochs: self.judged(
                items, batch, epochs, pages, test))

    def judged(self, items: Sequence[Ranking | Comparison], batch: int, epochs: int, pages: Sequence[Ranking],
               test: Sequence[Ranking]) -> dict[str, Any]:
        config = replace(self.preset.reward, batch_size=batch)
        config = replace(config, steps=learners.updates(config, len(items), epochs))
        model = learners.opened_judge(self.preset, self.folder / "start", self.data.mark, seed=self.seed)
        for _ in reward_model.steps(model, items, config):
            pass
        learnt, held = (agreement(rewards.learned(model), some) for some in (pages, test))
        texts = sum(len(one.responses) if isinstance(one, Ranking) else 2 for one in items) * epochs
        return {"passes": texts, "updates": config.steps, "train_loss": learnt.loss, "heldout_loss": held.loss,
                "train_accuracy": learnt.pair_accuracy.mean, "heldout_accuracy": held.pair_accuracy.mean}

    # -- what a policy is worth ----------------------------------------------------------------------------------------

    def examined(self, name: str) -> dict[str, Any]:
        """What it answered to every held-out prompt, and what each measure says of it."""
        def make() -> dict[str, Any]:
            policy, start, judge = self.policy(name), self.policy("start"), self.judge("judge")
            parts = [instructgpt.examine(self.preset, self.data, policy, start, judge, self.held_out[i:i + AT_ONCE])
                     for i in range(0, len(self.held_out), AT_ONCE)]
            each = {key: [x for one in parts for x in one.each[key]] for key in parts[0].each}
            return {**each, "kl": statistics.fmean(one.kl for one in parts), "responses": [
                text for one in parts for text in one.responses]}
        return self.kept(f"seen-{name}", make)

    def numbers(self) -> dict[str, Any]:
        """One part of the JSON; what is not measured yet is not in it."""
        names = ("base", "sft", "start", "ppo", "ptx", "kl100", "best", "half", "round2")
        facts = [i for i, prompt in enumerate(self.held_out) if case_of(prompt, "en").kind == "fact"]
        stages = {}
        for name in names:
            if (seen := self.get(f"seen-{name}")) is not None:
                stages[name] = {**{key: mean(seen[key]) for key in MEASURES},
                                "invented": mean([seen["invented"][i] for i in facts]), "kl": seen["kl"]}
        found: dict[str, Any] = {"cpu_seconds": round(self.cpu_seconds), "stages": stages, "tax": {
            name: {key: value for key, value in x.items() if key != "each"}
            for name in ("sft", "start", "ppo", "ptx", "kl100") if (x := self.get(f"tax-{name}")) is not None}}
        if (rows := self.get("epochs")) is not None:
            found["sft_epochs"] = {"epoch": [row["epoch"] for row in rows],
                                   "validation_loss": [row["loss"] for row in rows],
                                   "score": [row["score"] for row in rows],
                                   "gold": [statistics.fmean(row["others"]["gold"]) for row in rows]}
        found["reward_models"] = {name: {"pair_accuracy": x["pair_accuracy"]["mean"], "loss": x["loss"]}
                                  for name in ("judge", "judge-half", "judge-2")
                                  if (x := self.get(f"agrees-{name}")) is not None}
        found["kwise"] = {name: x for name in ("grouped", "shuffled", "grouped, as many read")
                          if (x := self.get(f"kwise-{name}")) is not None}
        found["differences"] = self.differences(facts)
        return found

    def differences(self, facts: Sequence[int]) -> dict[str, list[float]]:
        """What the signatures ask, prompt by prompt: [mean, standard error]."""
        found = {}
        for key, (measure, ours, theirs) in DIFFERENCES.items():
            one, other = self.get(f"seen-{ours}"), self.get(f"seen-{theirs}")
            if one is not None and other is not None:
                rows = facts if measure == "invented" else range(len(self.held_out))
                found[key] = mean([one[measure][i] - other[measure][i] for i in rows])
        if (rows := self.get("epochs")) is not None:
            lowest = min(rows, key=lambda row: row["loss"])
            found["d: loss, last epoch - lowest"] = [rows[-1]["loss"] - lowest["loss"], 0.0]
            for key in ("score", "gold"):
                last, first = (row["score"] if key == "score" else row["others"]["gold"] for row in (rows[-1], lowest))
                found[f"d: {key}, last epoch - epoch of lowest loss"] = mean(
                    [a - b for a, b in zip(last, first, strict=True)])
        start = self.get("tax-start")
        for name, words in (("ppo", "PPO"), ("ptx", "PPO-ptx"), ("kl100", "100 x KL")):
            if start is not None and (seen := self.get(f"tax-{name}")) is not None:
                for measure in TAXES:
                    found[f"c: {measure}, {words} - start"] = mean([
                        a - b for a, b in zip(seen["each"][measure], start["each"][measure], strict=True)])
        pages, pairs = self.get("kwise-grouped"), self.get("kwise-shuffled")
        if pages is not None and pairs is not None:
            for measure in ("train", "heldout"):
                found[f"g: {measure} loss, shuffled - grouped"] = [pairs[f"{measure}_loss"] - pages[f"{measure}_loss"],
                                                                   0.0]
        return found


DIFFERENCES = {             # what it shows: (measure, of whom, minus that of whom)
    "a: helpful, PPO-ptx - SFT": ("helpful", "ptx", "sft"), "a: gold, PPO-ptx - SFT": ("gold", "ptx", "sft"),
    "a: helpful, PPO - SFT": ("helpful", "ppo", "sft"), "a: gold, PPO - SFT": ("gold", "ppo", "sft"),
    "c: score, PPO - start": ("score", "ppo", "start"), "c: score, PPO-ptx - start": ("score", "ptx", "start"),
    "c: score, 100 x KL - start": ("score", "kl100", "start"),
    "e: gold, second round - all labels from SFT": ("gold", "round2", "ppo"),
    "f: invented, PPO-ptx - SFT": ("invented", "ptx", "sft"), "f: honest, PPO-ptx - SFT": ("honest", "ptx", "sft"),
    "h: gold, PPO-ptx - SFT on the same labels": ("gold", "ptx", "best"),
    "h: score, PPO-ptx - SFT on the same labels": ("score", "ptx", "best"),
}


ZH = (("SFT on the same labels", "用同样的标注做 SFT"), ("all labels from SFT", "全部标注来自 SFT"),
      ("second round", "第二轮"), ("100 x KL", "100 倍 KL"), ("start", "起点"), ("last epoch", "最后一轮"),
      ("epoch of lowest loss", "损失最低的一轮"), ("lowest", "最低"),
      ("heldout loss", "留出损失"), ("train loss", "训练损失"), ("grouped", "整页"), ("shuffled", "打散"),
      ("reviews", "评论损失"), ("forum", "论坛损失"), ("translation", "译文真值"), ("helpful", "有用"),
      ("honest", "诚实"),
      ("invented", "编造"), ("gold", "真值"), ("score", "得分"), ("loss", "损失"), (": ", "："), (", ", "，"))


def _taxed(policy: Policy, n: int) -> dict[str, Any]:
    found = tax(policy, "en", sources=n, texts=n)
    return {**{said: getattr(found, name).mean for name, said in TAXES.items()}, "bleu": found.bleu,
            "each": found.each}


# -- what was found ----------------------------------------------------------------------------------------------------

def stored(seeds: Sequence[Seed], size: Size) -> dict[str, Any]:
    """The content of `instructgpt.json`; what another command put there ("sizes") stays."""
    before = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    parts = {str(one.seed): one.numbers() for one in seeds}
    for name, part in before.get("parts", {}).items():
        if name in parts and "sizes" in part:
            parts[name]["sizes"] = part["sizes"]
    return {"about": {**about("instructgpt"), "base": zoo.place(size.preset.base).name, "prompts": size.prompts,
                      "taxed": size.taxed, "preset": json.loads(json.dumps(asdict(size.preset), default=str))},
            "parts": parts, "over_seeds": over_seeds(parts)}


def place(size: Size) -> Path:
    """Where the runs are kept: another size, recipe or base has another place."""
    return folder_of("instructgpt", f"{size!r} {zoo.place(size.preset.base).name}")


def main() -> None:
    """SEEDS (default 3); the JSON after each part of each seed, the tables at the end."""
    torch.set_num_threads(1)
    size, seeds = Size(), []
    zoo.cached(size.preset.base)
    folder = place(size)
    print(f"kept in {folder}", flush=True)
    for seed in range(int(os.environ.get("SEEDS", 3))):
        seeds.append(Seed(folder, seed, size))
        seeds[-1].run(lambda: write_text(FILE, json.dumps(stored(seeds, size), indent=1, ensure_ascii=False) + "\n"))
    print("", *table(json.loads(FILE.read_text(encoding="utf-8"))), sep="\n")


def table(found: Mapping[str, Any], lang: str = "en") -> list[str]:
    """The page's rows."""
    return rows_of(found["over_seeds"], lang, ZH)
