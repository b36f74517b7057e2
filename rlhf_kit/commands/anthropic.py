"""`rlhf-kit train anthropic`: the recipe whole, or a stage of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rlhf_kit.commands import recipes, showing
from rlhf_kit.language import say

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.jobs.train_anthropic import AnthropicJob


def add_method(methods: argparse._SubParsersAction) -> None:
    """`train anthropic` and its options."""
    method = methods.add_parser("anthropic", help="a distilled prompt, two sets of comparisons and PPO make an "
                                                  "assistant, again online",
                                description="Anthropic's assistant: context distillation, PMP, comparisons of help and "
                                            "of harm, best of 16, preference model, PPO; with --rounds 2 comparisons "
                                            "of the policy's own answers, model and PPO again. Run again, it goes on "
                                            "where it stopped.")
    recipes.add_preset(method, "distil, pmp, labels, first, sampled, requests, reward, ppo or evaluate, in later "
                               "rounds labels-2, reward-2, ppo-2")
    method.add_argument("--rounds", metavar="N", type=int, default=1, help="of comparisons, preference model and PPO "
                                                                           "(default: %(default)s)")
    method.add_argument("--data", metavar="FOLDER", help="with helpful and harmless or red_team in it, such as "
                                                         "helpful.jsonl, or a set like Anthropic/hh-rlhf (default: the "
                                                         "preset's; of tiny the made-up assistant's world)")
    method.add_argument("--harmless-weight", metavar="LAMBDA", type=float,
                        help="what a comparison of harm counts, of help 1 (default: the preset's)")
    recipes.add_base(method)
    recipes.add_ppo(method)
    recipes.add_run(method, run)


def run(options: argparse.Namespace) -> int:
    """Run the recipe, or show the run that is finished."""
    from rlhf_kit.datasets.helpful_harmless import read
    recipes.check(options, read, hub=True)
    return recipes.follow(_job(options), options, _show)


def _job(options: argparse.Namespace) -> AnthropicJob:
    from rlhf_kit.jobs import JOBS
    return JOBS["anthropic"](harmless_weight=options.harmless_weight, rounds=options.rounds,
                             **recipes.settings(options))


def _show(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.evaluate import Estimate
    lang, samples = options.lang, result["samples"]
    half = len(samples) // 2
    showing.texts(console, [*samples[:2], *samples[half:half + 2]], lang, score="meter_reward",
                  titles=(say(lang, "policy_distilled"), say(lang, "policy_policy")))
    recipes.policies(console, result["policies"], lang)
    if (kept := result["kept"].get("gold")) is not None:
        console.print(say(lang, "anthropic_kept", share=kept["mean"], low=kept["low"], high=kept["high"]),
                      soft_wrap=True)
    rows = [(say(lang, "anthropic_agrees", n=number, kind=say(lang, f"anthropic_kind_{_kind(kind)}")),
             str(Estimate(**one["pair_accuracy"])))
            for number, found in enumerate(result["reward_models"].values(), start=1) for kind, one in found.items()]
    showing.values(console, rows, lang, "column_value_pairs")
    showing.few(console, next(iter(result["policies"].values()))["scores"]["score"]["n"], lang)
    showing.took(console, result, lang)
    recipes.where(console, options)


def _kind(compared: str) -> str:
    """What kind of comparisons a folder holds."""
    return "online" if compared.startswith("labels-") else compared
