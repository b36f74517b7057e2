"""`rlhf-kit train instructgpt`: the recipe whole, or a stage of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rlhf_kit.commands import recipes, showing
from rlhf_kit.language import say

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.jobs.train_instructgpt import InstructGptJob


def add_method(methods: argparse._SubParsersAction) -> None:
    """`train instructgpt` and its options."""
    method = methods.add_parser("instructgpt", help="demonstrations, rankings of 4 to 9 and PPO with a memory make an "
                                                    "assistant",
                                description="InstructGPT: SFT, labels, reward model, PPO-ptx; with --rounds 2 labels, "
                                            "reward model and PPO again, from the policy's own responses. Run again, "
                                            "it goes on where it stopped.")
    recipes.add_preset(method, "sft, start, labels, reward, select, ppo or evaluate, in later rounds labels-2, "
                               "reward-2, ppo-2")
    method.add_argument("--rounds", metavar="N", type=int, default=1, help="of labels, reward model and PPO (default: "
                                                                           "%(default)s)")
    method.add_argument("--data", metavar="FOLDER", help="with demonstrations, rankings and prompts in it, such as "
                                                         "demonstrations.jsonl; columns user and split say who asked "
                                                         "(default: the made-up assistant's world)")
    recipes.add_base(method)
    method.add_argument("--ptx", dest="ptx_coef", metavar="GAMMA", type=float,
                        help="PPO: weight of the pretraining loss; 0: plain PPO")
    method.add_argument("--ema", dest="weight_ema", metavar="DECAY", type=float,
                        help="PPO: decay of averaged weights; 0: the last ones")
    method.add_argument("--critic", choices=("judge", "head"), default="preset",
                        help="PPO: the critic begins as the reward model, on a trunk of its own, or is a head on the "
                             "policy (default: the preset's)")
    recipes.add_ppo(method)
    recipes.add_run(method, run)


def run(options: argparse.Namespace) -> int:
    """Run the recipe, or show the run that is finished."""
    from rlhf_kit.datasets.instructions import read
    recipes.check(options, read)
    return recipes.follow(_job(options), options, _show)


def _job(options: argparse.Namespace) -> InstructGptJob:
    from rlhf_kit.jobs import JOBS
    return JOBS["instructgpt"](critic=options.critic, rounds=options.rounds,
                               **recipes.settings(options, "ptx_coef", "weight_ema"))


def _show(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.evaluate import Estimate
    lang, chosen = options.lang, result["selection"]["chosen"]
    showing.texts(console, result["samples"][:4], lang, score="meter_reward",
                  titles=(say(lang, "policy_sft"), say(lang, "policy_policy")))
    recipes.policies(console, result["policies"], lang)
    console.print(say(lang, "instructgpt_chosen", epoch=chosen, of=result["selection"]["epochs"][-1]["epoch"],
                      lowest=min(result["selection"]["epochs"], key=lambda row: row["loss"])["epoch"]), soft_wrap=True)
    rows = [(say(lang, "instructgpt_judge", n=number), str(Estimate(**one["pair_accuracy"])))
            for number, one in enumerate(result["reward_models"].values(), start=1)]
    showing.values(console, rows, lang, "column_value_pairs")
    showing.few(console, next(iter(result["policies"].values()))["scores"]["score"]["n"], lang)
    showing.took(console, result, lang)
    recipes.where(console, options)
