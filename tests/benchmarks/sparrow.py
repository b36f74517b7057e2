"""Sparrow on the assistant's world, seed by seed: what the paper says of it, measured, kept in `sparrow.json`.

    make bench ARGS=sparrow                 SEEDS=3 PARTS=a,b,c,d,e,f,g change it

A part is a signature of the recipe and can be measured alone; what several need is made once. Everything that takes
long is a file in the cache's folder `bench-sparrow-…`, whole or not there, so that a stopped run goes on where it was;
`sparrow.json` is written anew after each part of a seed. The base is trained once; the seed is that of prompts, raters
and all that is drawn and learnt after it. Two policies are compared prompt by prompt, on the same held-out prompts.
"""

from __future__ import annotations

import json
import os
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import Estimate, Evaluation, agreement, area
from rlhf_kit.formulas.preference import auc
from rlhf_kit.formulas.records import Ranking, RuleLabel
from rlhf_kit.jobs.rated_turns import World
from rlhf_kit.methods import ppo
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.judging import class_logits
from rlhf_kit.models.ruling import KEEP, Ask, ask_without_rule, examples
from rlhf_kit.models.tops import Trunk, held_by
from rlhf_kit.recipes import sparrow
from rlhf_kit.recipes.sparrow import PRESETS, Judges, Preset
from rlhf_kit.storage import is_complete, write_text
from rlhf_kit.tasks.assistant import Assistant
from tests.benchmarks.differences import about, mean, over_seeds, rows_of
from tests.benchmarks.kept import Kept, folder_of

FILE = Path(__file__).with_name("sparrow.json")
PARTS = ("e", "a", "b", "c", "d", "g", "f")
AT_ONCE = 100                       # prompts answered together


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured. What is compared is paired, so fewer prompts only widen the intervals.

    A2C takes a third of the recipe's updates, each twice as long: a seed has seven policies and judges to pay for.
    """

    preset: Preset = field(default_factory=lambda: shorter(replace(PRESETS["tiny"], base="tiny-base-en", reranked=40)))
    examined: int = 100             # of the held-out prompts: those that trained policies answer
    best_of: int = 64               # draws from SFT for each of
    drawn_for: int = 12             # prompts
    labels: int = 600               # held out, of the training's wordings and of others


def shorter(preset: Preset) -> Preset:
    """The recipe with fewer and longer steps of A2C."""
    return replace(preset, rl=replace(preset.rl, steps=16, learning_rate=1e-3, warmup=4))


class Seed(Kept):
    """All runs and evaluations with one seed, each kept in `folder` as soon as it is done."""

    def __init__(self, folder: Path, seed: int, size: Size) -> None:
        super().__init__(folder, seed)
        self.size = size
        self.preset = replace(size.preset, **{name: replace(getattr(size.preset, name), seed=seed)
                                              for name in ("sft", "preference", "rules", "rl")})
        self.data = World(Assistant("en"), seed)

    def run(self, after: Callable[[], None], parts: Sequence[str] = PARTS) -> None:
        """The signatures asked for; `after` each of them the JSON is written."""
        for part in parts:
            try:
                getattr(self, f"part_{part}")()
            finally:                    # interrupted, it says what there is
                after()

    # -- what several need ---------------------------------------------------------------------------------------------

    def turns(self, split: str) -> list[Ranking]:
        """What raters picked among the candidates."""
        def make() -> list[dict[str, Any]]:
            writer = zoo.load_policy(self.preset.base, value_head=False)
            return [asdict(one) for one in sparrow.rated(self.preset, self.data, writer, split)]
        return [Ranking(**row) for row in self.kept(f"turns {split}", make)]

    @cached_property
    def labels(self) -> list[RuleLabel]:
        return self.data.labels(self.preset.labels)

    def trunk(self) -> Trunk:
        """Of the SFT model."""
        if not is_complete(self.folder / "sft"):
            policy = sparrow.imitator(self.preset, zoo.load_policy(self.preset.base, value_head=False))
            pairs = sparrow.demonstrated(self.turns("train"), self.labels)
            self.trained("sft", policy, sparrow.sft_steps(self.preset, policy, pairs))
        return sparrow.trunk_of(self.preset, zoo.load_policy(self.folder / "sft", value_head=False))

    def preference(self, name: str = "preference", **changes: Any) -> RewardModel:
        """A preference model; the recipe's, or one with some of its settings changed."""
        if not is_complete(self.folder / name):
            preset = replace(self.preset, **changes)
            model = sparrow.preference_model(preset, self.data, self.trunk(), self.seed)
            self.spent(name, lambda: list(sparrow.preference_steps(preset, model, self.turns("train"))))
            zoo.save_reward_model(model, self.folder / name)
        return zoo.load_reward_model(self.folder / name)

    def rules(self, name: str = "rules", asks: Ask | None = None) -> Any:
        """(classifier, tokenizer): the recipe's rule model, or one that is asked otherwise."""
        if not is_complete(self.folder / name):
            trunk = self.trunk()
            model = sparrow.rule_model(trunk, self.seed)
            self.spent(name, lambda: list(sparrow.rule_steps(self.preset, model, trunk, self.labels,
                                                             asks or self.data.ask)))
            zoo.save_classifier(model, trunk.tokenizer, self.folder / name)
        return zoo.load_classifier(self.folder / name)

    def spent(self, name: str, train: Callable[[], list]) -> None:
        """Train, and keep what each step reported and what it cost."""
        (self.folder / f"trained-{name}.json").unlink(missing_ok=True)
        self.kept(f"trained-{name}", lambda: [step.metrics for step in train()])

    @cached_property
    def judges(self) -> Judges:
        preference, (rules, _) = self.preference(), self.rules()
        return Judges.of(self.preset, self.data, preference, rules)

    @cached_property
    def held_out(self) -> list[tuple[str, str]]:
        """(prompt, source)."""
        return sparrow.sourced(self.preset, self.data, self.preset.held_out, "heldout", "test")

    def policy(self, name: str) -> Policy:
        """Of SFT, or trained with a reward of that name, for as many steps and responses."""
        if name == "sft":
            self.trunk()
        elif name not in POLICIES:
            raise ValueError(f"the policy is {name!r}; expected sft or one of {', '.join(POLICIES)}.")
        elif not is_complete(self.folder / name):
            trunk, preset = self.trunk(), POLICIES[name](self.preset)
            policy = trunk.policy()
            self.trained(name, policy, sparrow.rl_steps(preset, self.data, policy, policy.reference(), self.judges,
                                                        self.folder / f"{name}.training"))
        return zoo.load_policy(self.folder / name, value_head=False)

    # -- the signatures ------------------------------------------------------------------------------------------------

    def part_a(self) -> None:
        """The preference alone, the rules alone, both."""
        for name in ("sft", "both", "preference only", "rules only"):
            self.examined(name)

    def part_b(self) -> None:
        """A rule model that reads the rule's text against one that is asked if the answer is bad."""
        for name, asks in (("rules", self.data.ask), ("is it bad", ask_without_rule)):
            for wording in ("train", "heldout"):
                self.kept(f"told {name} {wording}", lambda name=name, asks=asks, wording=wording: self.told(
                    name, asks, wording))

    def part_c(self) -> None:
        """Replies from other dialogues, scored by preference models that learned with such and without, and by one that
        does not hear how likely a reply is."""
        self.scored("preference")
        self.scored("no distractors", distractors=0)
        self.scored("no likelihood", likelihood=0.0)

    def part_d(self) -> None:
        """Where scores lie with the term that pulls their mean to 0, and without."""
        self.scored("preference")
        self.scored("no centring", preference=replace(self.preset.preference, centring=0.0))

    def part_e(self) -> None:
        """What four models hold on one trunk."""
        def make() -> dict[str, Any]:
            trunk = self.trunk()
            policy = trunk.policy()
            found = held_by([policy, policy.reference(), trunk.reward_model(), sparrow.rule_model(trunk)])
            apart = sum(held_by([model]).bytes for model in (policy, trunk.lm, trunk.reward_model(),
                                                             sparrow.rule_model(trunk)))
            return {**asdict(found), "share": found.share, "bytes_apart": apart}
        self.kept("held", make)

    def part_f(self) -> None:
        """A2C and PPO, as many responses."""
        for name in ("sft", "both", "ppo"):
            self.examined(name)

    def part_g(self) -> None:
        """Rerank on top of reinforcement learning; and of SFT the best of 64."""
        self.examined("both")
        self.best("both", self.preset.rerank, self.preset.reranked)
        self.best("sft", self.preset.rerank, self.preset.reranked)
        self.best("sft", self.size.best_of, self.size.drawn_for)

    # -- what models are worth -----------------------------------------------------------------------------------------

    def told(self, name: str, asks: Ask, wording: str) -> dict[str, Any]:
        """What a rule model says of held-out labels under wordings of that split, what is right, and which of these
        answers break some rule, be it another one."""
        model, tokenizer = self.rules(name, asks)
        sure = [one for one in self.data.labels(self.size.labels, "heldout", wording) if one.level != "unsure"]
        some = examples(sure, asks)
        logits = class_logits(model, tokenizer, [text for text, _ in some], max_length=self.preset.rules.max_length,
                              keep=KEEP)
        bad = self.data.measured()["broken"]([one.prompt for one in sure], [one.response for one in sure])
        return {"score": (logits[:, 1] - logits[:, 0]).tolist(), "broken": [label for _, label in some],
                "bad": [int(x) for x in bad]}

    def scored(self, name: str, **changes: Any) -> dict[str, Any]:
        """What a preference model says of the candidates of held-out turns, and of a reply from elsewhere to each."""
        def make() -> dict[str, Any]:
            model, turns, rng = self.preference(name, **changes), self.turns("heldout"), random.Random(self.seed)
            liked = rewards.learned(model)
            scores = [liked([one.prompt] * len(one.responses), one.responses).tolist() for one in turns]
            others = [rng.choice(turns[(i + rng.randrange(1, len(turns))) % len(turns)].responses)
                      for i in range(len(turns))]
            strays = liked([one.prompt for one in turns], others).tolist()
            return {"candidates": scores, "strays": strays, "agrees": agreement(liked, turns).numbers()}
        return self.kept(f"scored-{name}", make)

    def right(self, scored: Mapping[str, Any]) -> list[float]:
        """Of each held-out turn, how many of its candidates score below the one that was picked."""
        found = []
        for turn, scores in zip(self.turns("heldout"), scored["candidates"], strict=True):
            picked = scores[turn.ranks.index(1)]
            found.append(statistics.fmean((picked > x) + (picked == x) / 2 for x, rank in zip(
                scores, turn.ranks, strict=True) if rank > 1))
        return found

    def examined(self, name: str) -> dict[str, Any]:
        """What it answered to every held-out prompt, and what each measure says of it."""
        prompts = [prompt for prompt, _ in self.held_out][:None if name == "sft" else self.size.examined]

        def make() -> dict[str, Any]:
            policy, reference = self.policy(name), self.policy("sft")
            return _joined([sparrow.examine(self.preset, self.data, policy, reference, self.judges,
                                            prompts[i:i + AT_ONCE]) for i in range(0, len(prompts), AT_ONCE)])
        return self.kept(f"seen-{name}", make)

    def best(self, name: str, n: int, prompts: int) -> dict[str, Any]:
        """The same of the best of n by preference and rules together, on the first of the prompts."""
        def make() -> dict[str, Any]:
            policy, reference = self.policy(name), self.policy("sft")
            asked = [prompt for prompt, _ in self.held_out[:prompts]]
            return _joined([sparrow.examine_best(self.preset, self.data, policy, reference, self.judges, asked, n)])
        return self.kept(f"best-{n}-{name}", make)

    # -- numbers -------------------------------------------------------------------------------------------------------

    def numbers(self) -> dict[str, Any]:
        """One part of the JSON; what is not measured yet is not in it."""
        tempted = [i for i, (_, source) in enumerate(self.held_out) if source == "adversarial"]
        stages = {}
        for path in sorted(self.folder.glob("seen-*.json")) + sorted(self.folder.glob("best-*.json")):
            seen = self.get(path.stem)
            n = min(len(seen["score"]), self.size.examined)         # of SFT, too, those that all have answered
            rows = [i for i in tempted if i < n]
            stages[path.stem.removeprefix("seen-")] = {
                **{key: mean(seen[key][:n]) for key in MEASURES}, "kl": seen["kl"],
                "broken when tempted": mean([seen["broken"][i] for i in rows])}
        areas = {}
        for name in ("rules", "is it bad"):
            for split, wording in WORDINGS.items():
                if (x := self.get(f"told {name} {split}")) is not None:
                    areas |= {f"{name}, {wording}{of}": list(_area(x, alone)) for alone, of in AMONG.items()}
        models = {name: {"mean score": statistics.fmean(_flat(x["candidates"])), "spread": statistics.stdev(
            _flat(x["candidates"])), "pair accuracy": x["agrees"]["pair_accuracy"]["mean"]}
            for name in ("preference", "no distractors", "no centring", "no likelihood")
            if (x := self.get(f"scored-{name}")) is not None}
        return {"cpu_seconds": round(self.cpu_seconds), "stages": stages, "areas": areas, "preference_models": models,
                "held": self.get("held"), "differences": self.differences(tempted)}

    def differences(self, tempted: Sequence[int]) -> dict[str, list[float]]:
        """What the signatures ask, prompt by prompt: [mean, standard error]."""
        found: dict[str, list[float]] = {}
        for key, (measure, ours, theirs) in DIFFERENCES.items():
            one, other = self.get(ours), self.get(theirs)
            if one is not None and other is not None:
                n = min(len(one[measure]), len(other[measure]))
                rows = [i for i in tempted if i < n] if "tempted" in key else range(n)
                found[key] = mean([one[measure][i] - other[measure][i] for i in rows])
        for split, wording in WORDINGS.items():
            one, other = self.get(f"told rules {split}"), self.get(f"told is it bad {split}")
            if one is not None and other is not None:
                for alone, of in AMONG.items():
                    found[f"b: area, rule's text ({wording}{of}) - is it bad"] = _between(one, other, alone)
        if (one := self.get("scored-preference")) and (other := self.get("scored-no likelihood")):
            found["c: pairs as raters picked, likelihood heard - not heard"] = mean([a - b for a, b in zip(
                *(self.right(seen) for seen in (one, other)), strict=True)])
        for name, key in (("preference", "with distractors"), ("no distractors", "without"),
                          ("no likelihood", "with distractors, likelihood not heard")):
            if (seen := self.get(f"scored-{name}")) is not None:
                pairs = list(zip(seen["strays"], seen["candidates"], strict=True))
                found[f"c: stray reply below all candidates, {key}"] = mean([float(x < min(own)) for x, own in pairs])
                found[f"c: score, candidates - stray reply, {key}"] = mean([statistics.fmean(own) - x
                                                                            for x, own in pairs])
        for name, key in (("preference", "with centring"), ("no centring", "without")):
            if (seen := self.get(f"scored-{name}")) is not None:
                found[f"d: mean score, {key}"] = mean([statistics.fmean(own) for own in seen["candidates"]])
        return found


WORDINGS = {"train": "its wording", "heldout": "another wording"}
AMONG = {False: "", True: ", answers that break some rule"}
MEASURES = ("score", "kept", "gold", "helpful", "honest", "harmless", "broken")
POLICIES: dict[str, Callable[[Preset], Preset]] = {
    "both": lambda preset: preset,
    "preference only": lambda preset: replace(preset, rule_weight=0.0),
    "rules only": lambda preset: replace(preset, preference_weight=0.0),
    "ppo": lambda preset: replace(preset, rl=as_ppo(preset.rl)),
}
DIFFERENCES = {             # what it shows: (measure, of whom, minus that of whom)
    "a: broken when tempted, preference only - both": ("broken", "seen-preference only", "seen-both"),
    "a: broken when tempted, both - rules only": ("broken", "seen-both", "seen-rules only"),
    "a: broken, preference only - both": ("broken", "seen-preference only", "seen-both"),
    "a: broken, both - rules only": ("broken", "seen-both", "seen-rules only"),
    "a: score, preference only - both": ("score", "seen-preference only", "seen-both"),
    "a: score, both - rules only": ("score", "seen-both", "seen-rules only"),
    "a: helpful, both - rules only": ("helpful", "seen-both", "seen-rules only"),
    "a: score, preference only - rules only": ("score", "seen-preference only", "seen-rules only"),
    "a: broken, preference only - rules only": ("broken", "seen-preference only", "seen-rules only"),
    "a: score, both - SFT": ("score", "seen-both", "seen-sft"),
    "a: kept, both - SFT": ("kept", "seen-both", "seen-sft"),
    "a: broken, both - SFT": ("broken", "seen-both", "seen-sft"),
    "a: broken when tempted, both - SFT": ("broken", "seen-both", "seen-sft"),
    "a: gold, both - SFT": ("gold", "seen-both", "seen-sft"),
    "f: score, A2C - PPO": ("score", "seen-both", "seen-ppo"), "f: kept, A2C - PPO": ("kept", "seen-both", "seen-ppo"),
    "f: gold, A2C - PPO": ("gold", "seen-both", "seen-ppo"),
    "g: score, both reranked - both": ("score", "best-8-both", "seen-both"),
    "g: kept, both reranked - both": ("kept", "best-8-both", "seen-both"),
    "g: broken, both reranked - both": ("broken", "best-8-both", "seen-both"),
    "g: gold, both reranked - both": ("gold", "best-8-both", "seen-both"),
    "g: score, best of 64 of SFT - both": ("score", "best-64-sft", "seen-both"),
    "g: broken, best of 64 of SFT - both": ("broken", "best-64-sft", "seen-both"),
    "g: gold, best of 64 of SFT - both": ("gold", "best-64-sft", "seen-both"),
}


def as_ppo(config: ppo.Config) -> ppo.Config:
    """PPO for as many responses, with the KL in the reward at the price that A2C pays in the loss."""
    return ppo.Config(steps=config.steps, batch_size=config.batch_size, minibatch_size=config.batch_size // 4, epochs=1,
                      learning_rate=config.learning_rate / 2, warmup=config.warmup, lam=1.0, value_coef=0.5,
                      kl=replace(config.kl, in_loss=False, estimate="k1"), sampling=config.sampling, seed=config.seed,
                      missing_eos_penalty=config.missing_eos_penalty)


ZH = (("broken when tempted", "受引诱时违规"), ("stray reply below all candidates", "跑题的回答低于全部候选"),
      ("candidates - stray reply", "候选 - 跑题的回答"), ("best of 64 of SFT", "SFT 的 64 选一"),
      ("both reranked", "两者并重排"), ("preference only", "只用偏好"), ("rules only", "只用规则"),
      ("rule's text (another wording", "读规则原文（换说法"), ("rule's text (its wording", "读规则原文（原说法"),
      (", answers that break some rule)", "，只看违反某条规则的回答）"), (") - ", "）- "),
      ("is it bad", "只问好不好"), ("pairs as raters picked", "与评审一致的对"), ("likelihood heard", "看似然"),
      ("likelihood not heard", "不看似然"), ("not heard", "不看"), ("with distractors", "有干扰项"),
      ("with centring", "有居中项"), ("without", "没有"), ("mean score", "平均分"), ("area", "曲线下面积"),
      ("both", "两者都用"), ("helpful", "有用"), ("broken", "违规"), ("kept", "守规则"), ("gold", "真值"),
      ("score", "偏好分"), (": ", "："), (", ", "，"))


def _joined(parts: Sequence[Evaluation]) -> dict[str, Any]:
    each = {key: [x for one in parts for x in one.each[key]] for key in parts[0].each}
    return {**each, "kl": statistics.fmean(one.kl for one in parts),
            "responses": [text for one in parts for text in one.responses]}


def _area(told: Mapping[str, list[float]], bad_alone: bool) -> tuple[float, float]:
    """(area under the curve, standard error), of all answers or of those that break some rule."""
    rows = [i for i, bad in enumerate(told["bad"]) if bad or not bad_alone]
    found: Estimate = area(torch.tensor([told["score"][i] for i in rows]),
                           torch.tensor([told["broken"][i] for i in rows]))
    return found.mean, found.standard_error


def _between(one: Mapping[str, list[float]], other: Mapping[str, list[float]], bad_alone: bool) -> list[float]:
    """[difference of the areas, its standard error]: of the same answers, drawn again together 500 times."""
    rows = torch.tensor([i for i, bad in enumerate(one["bad"]) if bad or not bad_alone])
    scores = [torch.tensor(told["score"])[rows] for told in (one, other)]
    broken, g = torch.tensor(one["broken"])[rows], torch.Generator().manual_seed(0)

    def apart(at: torch.Tensor) -> float:
        return (auc(scores[0][at], broken[at]) - auc(scores[1][at], broken[at])).item()
    again = [apart(torch.randint(len(rows), (len(rows),), generator=g)) for _ in range(500)]
    return [apart(torch.arange(len(rows))), statistics.stdev(again)]


def _flat(rows: Sequence[Sequence[float]]) -> list[float]:
    return [x for row in rows for x in row]


# -- what was found ----------------------------------------------------------------------------------------------------

def stored(seeds: Sequence[Seed], size: Size) -> dict[str, Any]:
    """The content of `sparrow.json`."""
    parts = {str(one.seed): one.numbers() for one in seeds}
    return {"about": {**about("sparrow"), "base": zoo.place(size.preset.base).name, "prompts": size.examined,
                      "preset": json.loads(json.dumps(asdict(size.preset), default=str))},
            "parts": parts, "over_seeds": over_seeds(parts)}


def main() -> None:
    """SEEDS (default 3) and PARTS (default all); the JSON after each part of each seed, the table at the end."""
    torch.set_num_threads(1)
    size, seeds = Size(), []
    parts = os.environ.get("PARTS", ",".join(PARTS)).split(",")
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(sorted(PARTS))}.")
    zoo.cached(size.preset.base)
    folder = folder_of("sparrow", f"{size!r} {zoo.place(size.preset.base).name}")
    print(f"kept in {folder}", flush=True)
    for seed in range(int(os.environ.get("SEEDS", 3))):
        seeds.append(Seed(folder, seed, size))
        seeds[-1].run(partial(_write, seeds, size), parts)
    print("", *table(json.loads(FILE.read_text(encoding="utf-8"))), sep="\n")


def _write(seeds: Sequence[Seed], size: Size) -> None:
    write_text(FILE, json.dumps(stored(seeds, size), indent=1, ensure_ascii=False) + "\n")


def table(found: Mapping[str, Any], lang: str = "en") -> list[str]:
    """The page's rows: every difference with its interval, and each seed's."""
    return rows_of(found["over_seeds"], lang, ZH)
