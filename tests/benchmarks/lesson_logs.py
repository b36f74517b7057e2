"""What lessons 04a to 07 show of stored runs: best-of-n up to 128; ReST; InstructGPT; Sparrow; faults; all methods.

    make bench ARGS=lesson_logs             about four minutes of one thread, once the tiny models are there

Writes `rlhf_kit/data/lessons/04a.json` and `04b.json`; a part that is there is not run again: delete it to begin anew.
`05a.json` is what its lesson shows of `instructgpt.json`, the work of `make bench ARGS=instructgpt` and
`ARGS=instructgpt_sizes`; `05b.json` of `anthropic.json`, that of `ARGS=anthropic`; `05c.json` of `sparrow.json`, that
of `ARGS=sparrow`; `06.json` what its lesson shows of `gallery.json`, that of `ARGS=gallery`, and of
`overoptimisation.json`, that of `ARGS=overoptimisation`; `07.json` of `frontier.json`, that of `ARGS=frontier`, or of
the points of another run: RUN=runs/frontier make bench ARGS=lesson_logs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import best_of_n_curve, evaluate
from rlhf_kit.methods import best_of_n, rest
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import write_bytes
from rlhf_kit.tasks.translation import Translation

FOLDER = Path(__file__).parents[2] / "rlhf_kit" / "data" / "lessons"
MOST, ASKED = 128, 64                       # draws for each of so many prompts in 04a
SEEDS, HELD_OUT, PROMPTS = (0, 1, 2), 128, 120
SAMPLING = Sampling(max_new_tokens=64, temperature=0.5)
REST = rest.Config(grows=2, responses=4, thresholds=(50.0, 75.0, 90.0), kind="percentile", updates=20,
                   learning_rate=3e-4, sampling=SAMPLING)
SPARROW = Path(__file__).with_name("sparrow.json")
INSTRUCTGPT = Path(__file__).with_name("instructgpt.json")
ANTHROPIC = Path(__file__).with_name("anthropic.json")
GALLERY = Path(__file__).with_name("gallery.json")
FRONTIER = Path(__file__).with_name("frontier.json")
OVEROPTIMISATION = Path(__file__).with_name("overoptimisation.json")
SHOWN, ASKED_ABOUT = "0", "2"               # the seed whose curves lesson 06 shows, and that of the runs without a name
QUIZ = {"a": "wrong-token", "b": "no-kl", "c": "temperature", "d": "healthy", "e": "whitened-alone", "f": "rm-epochs"}
ANTHROPIC_STAGES = ("base", "prompted", "distilled", "policy", "heavy-many", "heavy-few", "online")
POLICIES = ("sft", "both", "preference only", "rules only")
STAGES = ("base", "sft", "start", "ppo", "ptx", "kl100")
FEW, N = 24, 16                             # prompts that are answered n times on top, and n


def asked() -> tuple[Translation, dict[str, Any]]:
    """The world, the reward that chooses and the truth."""
    task = Translation()
    return task, {"score": rewards.learned(zoo.load_reward_model("tiny-rm-translation"), output="probability"),
                  "gold": rewards.gold(task)}


def curve(policy: Policy, prompts: list[str], n: int, sampling: Sampling, seed: int = 0) -> dict[str, Any]:
    """Score, gold, and what gold itself would choose, for every n."""
    _, scores = asked()
    config = best_of_n.Config(n=n, batch_size=8, sampling=sampling, seed=seed)
    found = list(best_of_n.draws(policy, prompts, scores["score"], config, evaluation_rewards={"gold": scores["gold"]}))
    proxy, gold = [one.scores for one in found], [one.others["gold"] for one in found]
    curves = {"score": best_of_n_curve(proxy), "gold": best_of_n_curve(proxy, gold),
              "chosen by gold": best_of_n_curve(gold)}
    return {"prompts": len(prompts), "n": n,
            "curves": {name: [[round(x, 5) for x in (one.mean, one.standard_error)] for one in each]
                       for name, each in curves.items()},
            "kl_estimate": round(sum(one.kl_estimate for one in found) / len(found), 4)}


def measured(policy: Policy, seed: int) -> dict[str, Any]:
    """Score, gold and KL of one answer each to held-out sources."""
    task, scores = asked()
    reference = zoo.load_policy("tiny-translator", value_head=False).reference()
    seen = evaluate(policy, reference, task.prompts("heldout", HELD_OUT), scores, SAMPLING, seed + 1)
    return {**{name: [round(x.mean, 5), round(x.standard_error, 5)] for name, x in seen.scores.items()},
            "kl": round(seen.kl, 3)}


def improved(policy: Policy, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each Improve, measured behind it."""
    task, scores = asked()
    config = replace(REST, seed=seed)
    steps = rest.steps(policy, task.prompts("train", PROMPTS, seed), task.original(1000, seed), scores["score"], config)
    for step in steps:
        if (step.number + 1) % REST.updates == 0:
            row = {name: step.metrics[name] for name in ("grow", "improve", "threshold", "kept", "drawn",
                                                         "reward_calls")}
            yield {**row, **measured(policy, seed)}


def one_seed(seed: int) -> dict[str, Any]:
    """Before, ReST's Improves, and best-of-n on top of both."""
    task, _ = asked()
    few = task.prompts("heldout", FEW)
    policy = zoo.load_policy("tiny-translator", value_head=False)
    found = {"seed": seed, "bc": measured(policy, seed), "best_of_bc": curve(policy, few, N, SAMPLING, seed)}
    found["rest"] = list(improved(policy, seed))
    return {**found, "best_of_rest": curve(policy, few, N, SAMPLING, seed)}


def stored(name: str, key: str, make, settings: dict[str, Any]) -> None:
    """Add one part to a file unless it is there."""
    path = FOLDER / f"{name}.json"
    about = {"command": "make bench ARGS=lesson_logs", "date": f"{datetime.now(UTC):%Y-%m-%d}",
             **{name: version(name) for name in ("torch", "transformers")}, **settings}
    whole = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"about": about, "parts": {}}
    if key not in whole["parts"]:
        whole["parts"][key] = make()
        write_bytes(path, (json.dumps(whole, ensure_ascii=False) + "\n").encode())
        print(name, key, flush=True)


def instructgpt() -> None:
    """Of the seeds that went through everything what lesson 05a shows, rounded."""
    whole = json.loads(INSTRUCTGPT.read_text(encoding="utf-8"))
    done = {seed: part for seed, part in whole["parts"].items()
            if {"sft_epochs", "sizes"} <= part.keys() and {"grouped", "shuffled"} <= part["kwise"].keys()
            and {*STAGES} <= part["stages"].keys() and {*STAGES[2:]} <= part["tax"].keys()}
    if not done:
        print("05a: no seed of instructgpt.json has gone through everything yet")
        return
    parts = {seed: {"stages": {stage: part["stages"][stage] for stage in STAGES},
                    **{key: part[key] for key in ("tax", "sft_epochs", "sizes", "kwise")}}
             for seed, part in done.items()}
    about = {key: whole["about"][key] for key in ("command", "date", "torch", "transformers", "base", "prompts")}
    content = json.dumps({"about": about, "parts": rounded(parts)}, ensure_ascii=False)
    write_bytes(FOLDER / "05a.json", (content + "\n").encode())
    print("05a", *done, flush=True)


def anthropic() -> None:
    """What lesson 05b shows, rounded: of the seeds that went through everything; differences of all that have them."""
    whole = json.loads(ANTHROPIC.read_text(encoding="utf-8"))
    done = {seed: part for seed, part in whole["parts"].items()
            if {*ANTHROPIC_STAGES} <= part["stages"].keys() and {"all", "quarter"} <= part["halves"].keys()
            and {"refusals", "against", "steps"} <= part.keys()}
    if not done:
        print("05b: no seed of anthropic.json has gone through everything yet")
        return
    parts = {seed: {"stages": {stage: part["stages"][stage] for stage in ANTHROPIC_STAGES},
                    **{key: part[key] for key in ("refusals", "against", "steps", "halves")}}
             for seed, part in done.items()}
    about = {key: whole["about"][key] for key in ("command", "date", "torch", "transformers", "base")}
    content = {"about": about, "parts": rounded(parts), "differences": rounded(whole["over_seeds"])}
    write_bytes(FOLDER / "05b.json", (json.dumps(content, ensure_ascii=False) + "\n").encode())
    print("05b", *done, flush=True)


def sparrow() -> None:
    """Of the seeds whose three policies are there what lesson 05c shows, rounded."""
    whole = json.loads(SPARROW.read_text(encoding="utf-8"))
    done = {seed: part["stages"] for seed, part in whole["parts"].items() if {*POLICIES} <= part["stages"].keys()}
    if not done:
        print("05c: no seed of sparrow.json has all three policies yet")
        return
    about = {key: whole["about"][key] for key in ("command", "date", "torch", "transformers", "base", "prompts")}
    content = {"about": about, "parts": {seed: {"stages": {name: stages[name] for name in POLICIES}}
                                         for seed, stages in done.items()}, "differences": whole["over_seeds"]}
    write_bytes(FOLDER / "05c.json", (json.dumps(rounded(content), ensure_ascii=False) + "\n").encode())
    print("05c", *done, flush=True)


def gallery() -> None:
    """Of the gallery's runs what lesson 06 shows: each fault beside the healthy run, and six to be named."""
    whole = json.loads(GALLERY.read_text(encoding="utf-8"))
    if not all({SHOWN, ASKED_ABOUT} <= of.keys() for of in whole["faults"].values()):
        print("06: gallery.json has not all seeds yet")
        return
    about = {key: whole["about"][key] for key in ("command", "date", "torch", "transformers")}
    content = {"about": about, "parts": {name: of[SHOWN]["metrics"] for name, of in whole["faults"].items()},
               "quiz": {letter: whole["faults"][name][ASKED_ABOUT]["metrics"] for letter, name in QUIZ.items()},
               "answers": QUIZ, "overoptimised": overoptimised()}
    write_bytes(FOLDER / "06.json", (json.dumps(content, separators=(",", ":")) + "\n").encode())
    print("06", *content["parts"], flush=True)


def overoptimised() -> dict[str, Any]:
    """Of the study's PPO runs without a KL penalty: comparisons -> √KL, and gold above the start in its deviations."""
    curves = json.loads(OVEROPTIMISATION.read_text(encoding="utf-8"))["curves"]
    alone = [one for one in curves if one["method"] == "ppo" and one["kind"] == "single"
             and not one["flipped"] and not one["penalty"]]
    return {str(one["comparisons"]): rounded({"d": one["distance"], "gold": [x["mean"] for x in one["gold"]]})
            for one in alone}


def frontier() -> None:
    """Of the frontier's points what lesson 07 shows: the bench's, or those of the run in the folder RUN."""
    if "RUN" in os.environ:
        whole = json.loads((Path(os.environ["RUN"]) / "result.json").read_text(encoding="utf-8"))
        learned = ",".join(name for name in whole["methods"] if name != "sft")
        about = {"command": f"rlhf-kit frontier --methods {learned}", "date": f"{datetime.now(UTC):%Y-%m-%d}",
                 "torch": version("torch")}
    else:
        whole = json.loads(FRONTIER.read_text(encoding="utf-8"))
        about = {"command": whole["command"], "date": whole["date"], "torch": whole["versions"]["torch"]}
    before = json.loads(file.read_text(encoding="utf-8"))["parts"] if (file := FOLDER / "07.json").exists() else None
    if before and not {*before["methods"]} <= {*whole["methods"]}:
        print("07: it has more methods already than what it would be made from")
        return
    points = [{name: value for name, value in point.items() if name not in ("texts", "config")}
              for point in whole["points"]]
    parts = {"methods": whole["methods"], "seeds": whole["seeds"], "points": rounded(points)}
    content = json.dumps({"about": about, "parts": parts}, separators=(",", ":"), ensure_ascii=False)
    write_bytes(file, (content + "\n").encode())
    print("07", *whole["methods"], flush=True)


def rounded(x: Any) -> Any:
    """The same with four digits behind the point."""
    if isinstance(x, dict):
        return {key: rounded(value) for key, value in x.items()}
    return [*map(rounded, x)] if isinstance(x, list) else round(x, 4) if isinstance(x, float) else x


def main() -> None:
    """All logs."""
    if INSTRUCTGPT.exists():
        instructgpt()
    if ANTHROPIC.exists():
        anthropic()
    if SPARROW.exists():
        sparrow()
    if GALLERY.exists():
        gallery()
    if FRONTIER.exists() or "RUN" in os.environ:
        frontier()
    task, _ = asked()
    policy = zoo.load_policy("tiny-translator", value_head=False)
    stored("04a", "draws", lambda: curve(policy, task.prompts("heldout", ASKED), MOST, Sampling(max_new_tokens=64)),
           {"prompts": ASKED, "n": MOST, "temperature": 1.0})
    for seed in SEEDS:
        stored("04b", str(seed), lambda seed=seed: one_seed(seed),
               {"rest": asdict(REST), "prompts": PROMPTS, "held_out": HELD_OUT})
