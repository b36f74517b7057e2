"""λ of GAE, .95 or 1: the same PPO, models and seeds, on the made-up reviews, the forum and the bench's task.

About half an hour of one thread. Language models, judges and StackLLaMA's first stages are trained once; the seed is
PPO's. On the bench's task a run ends at a mean reward of 0.26 (`learning`), elsewhere after the settings' steps.
"""

from __future__ import annotations

import copy
import statistics
from dataclasses import replace

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import Evaluation, evaluate
from rlhf_kit.jobs.lessons import tiny_stackllama
from rlhf_kit.methods import ppo
from rlhf_kit.models.heads import Policy
from rlhf_kit.recipes import stackllama
from rlhf_kit.tasks.forum import Forum
from rlhf_kit.tasks.reviews import Reviews
from tests.benchmarks.learning import GOAL, LIMIT
from tests.benchmarks.measured import keep
from tests.benchmarks.participant import recent, run

LAMBDAS, SEEDS, EVALUATED, BENCH_RATE = (0.95, 1.0), (0, 1, 2), 256, 3e-4
HEADER = ("| | λ | gold after PPO (before) | each seed | score | KL | different responses |\n"
          "|---|---|---|---|---|---|---|")
BENCH_HEADER = (f"| λ, learning rate {BENCH_RATE:g} | steps to {GOAL:g} | each seed | CPU s | last ten: reward | KL |\n"
                "|---|---|---|---|---|---|")


def reviews(lang: str, lam: float, seed: int) -> tuple[Evaluation, Evaluation]:
    """The tour's PPO: before and after."""
    task, judge = Reviews(lang), zoo.load_classifier(f"tiny-judge-{lang}")
    base = zoo.load_policy(f"tiny-lm-{lang}", value_head=False)
    scores = {"score": rewards.classifier(*judge, label="positive"), "gold": rewards.gold(task)}
    config = replace(zoo.TINY_PPO, lam=lam, seed=seed)
    policy, reference = Policy(copy.deepcopy(base.lm), base.tokenizer), base.reference()
    ppo.train(policy, reference, task.prompts("train"), scores["score"], config)
    prompts = task.prompts("heldout", EVALUATED, seed=seed)
    return tuple(evaluate(which, reference, prompts, scores, config.sampling, seed + 1)
                 for which in (reference, policy))


def forum(lam: float, seed: int) -> tuple[Evaluation, Evaluation]:
    """StackLLaMA's PPO at the tiny preset."""
    folder, preset, data = tiny_stackllama("reward"), stackllama.PRESETS["tiny"], Forum()
    preset = replace(preset, ppo=replace(preset.ppo, lam=lam, seed=seed))
    shared = stackllama.shared_base(preset, data, folder / "sft", folder / "reward_adapter")
    before = stackllama.examine(preset, data, shared.reference, shared.reference, shared)
    for _ in stackllama.ppo_steps(preset, data, shared):
        pass
    return before, stackllama.examine(preset, data, shared.policy, shared.reference, shared)


TASKS = {"reviews, en": lambda *chosen: reviews("en", *chosen), "reviews, zh": lambda *chosen: reviews("zh", *chosen),
         "forum": forum}


def row(task: str, lam: float) -> str:
    """Three seeds of one task with one λ; every run says its result when it ends."""
    runs = []
    for seed in SEEDS:
        before, after = TASKS[task](lam, seed)
        runs.append((before, after))
        print(f"{task}, λ {lam:g}, seed {seed}: gold {before.scores['gold'].mean:.3f} to "
              f"{after.scores['gold'].mean:.3f}, score {after.scores['score'].mean:.3f}, KL {after.kl:.1f}, "
              f"{after.distinct:.2f} different", flush=True)
    gold = [after.scores["gold"].mean for _, after in runs]
    mean = lambda what: statistics.fmean(map(what, (after for _, after in runs)))                       # noqa: E731
    cells = [task, f"{lam:g}", f"{statistics.fmean(gold):.3f} "
             f"({statistics.fmean(before.scores['gold'].mean for before, _ in runs):.3f})",
             ", ".join(f"{one:.3f}" for one in gold), f"{mean(lambda e: e.scores['score'].mean):.3f}",
             f"{mean(lambda e: e.kl):.1f}", f"{mean(lambda e: e.distinct):.2f}"]
    return f"| {' | '.join(cells)} |"


def bench_row(lam: float) -> str:
    """Three seeds of the bench's task."""
    taken = [run("rlhf-kit", LIMIT, BENCH_RATE, seed, GOAL, lam=lam)["steps"] for seed in SEEDS]
    steps = [len(one) if recent([step["reward"] for step in one]) >= GOAL else LIMIT for one in taken]
    cells = [f"{lam:g}", f"{statistics.median(steps):.0f}", ", ".join(map(str, steps)),
             f"{statistics.median(sum(step['cpu'] for step in one) for one in taken):.0f}",
             *(f"{statistics.median(recent([step[what] for step in one]) for one in taken):{form}}"
               for what, form in (("reward", ".3f"), ("kl", ".1f")))]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the tables at the end, the runs on the way, and keep the first."""
    lines = [*HEADER.splitlines(), *(row(task, lam) for task in TASKS for lam in LAMBDAS)]
    keep("lam", "make bench ARGS=lam", lines)
    print(*lines, BENCH_HEADER, *map(bench_row, LAMBDAS), sep="\n")
