"""`rlhf-kit train sparrow`: the recipe whole, or a stage of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rlhf_kit.commands import recipes, showing
from rlhf_kit.language import say

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.jobs.train_sparrow import SparrowJob


def add_method(methods: argparse._SubParsersAction) -> None:
    """`train sparrow` and its options."""
    method = methods.add_parser("sparrow", help="preferences and rules, judged apart, make an assistant: A2C, "
                                                "self-play, rerank",
                                description="Sparrow: labels, SFT, a preference model and a rule model, A2C on both "
                                            "with self-play, and the best of 8. Four models share one trunk, of which "
                                            "nothing learns. Run again, it goes on where it stopped.")
    recipes.add_preset(method, "labels, sft, preference, rules, rl or evaluate")
    method.add_argument("--data", metavar="FOLDER", help="with preferences, rules and questions in it, such as "
                                                         "preferences.jsonl, and if there are any dialogues and "
                                                         "adversarial prompts; or PKU-Alignment/PKU-SafeRLHF, or a "
                                                         "copy of it (default: the made-up assistant's world)")
    recipes.add_base(method)
    method.add_argument("--rule-weight", metavar="W", type=float, help="of the rules beside the preference; 0: the "
                                                                       "preference alone")
    method.add_argument("--reduction", choices=("mean", "sum"), default="preset",
                        help="how the rules become one number (default: the preset's)")
    method.add_argument("--raw-preference", action="store_true", help="take the preference model's score as it is, not "
                                                                      "in units of its spread")
    method.add_argument("--self-play", metavar="SHARE", type=float, help="of each batch: dialogues that the policy has "
                                                                         "played with itself; 0: none")
    method.add_argument("--rerank", metavar="N", type=int, help="candidates of which the best is taken at the end")
    recipes.add_ppo(method)
    recipes.add_run(method, run)


def run(options: argparse.Namespace) -> int:
    """Run the recipe, or show the run that is finished."""
    from rlhf_kit.datasets.rated_turns import read
    recipes.check(options, read, hub=True)
    return recipes.follow(_job(options), options, _show)


def _job(options: argparse.Namespace) -> SparrowJob:
    from rlhf_kit.jobs import JOBS
    return JOBS["sparrow"](rule_weight=options.rule_weight, reduction=options.reduction,
                           raw_preference=options.raw_preference, self_play=options.self_play, rerank=options.rerank,
                           **recipes.settings(options))


def _show(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    lang, policies, tempted = options.lang, result["policies"], result["broken_when_tempted"]
    showing.texts(console, result["samples"][:4], lang, score="meter_reward",
                  titles=(say(lang, "policy_sft"), say(lang, "policy_policy")))
    recipes.policies(console, policies, lang)
    if tempted:
        console.print(say(lang, "sparrow_tempted", **{name: tempted[name]["mean"] for name in (
            "sft", "policy", "reranked")}), soft_wrap=True)
    console.print(say(lang, "sparrow_judges", pairs=result["preference_model"]["pair_accuracy"]["mean"],
                      area=result["rule_model"]["held out"]["mean"]), soft_wrap=True)
    held = result["held"]
    console.print(say(lang, "sparrow_held", layers=held["layers"], apart=held["layers_apart"], share=held["share"]),
                  soft_wrap=True)
    showing.few(console, next(iter(policies.values()))["scores"]["score"]["n"], lang)
    showing.took(console, result, lang)
    recipes.where(console, options)
