"""`rlhf-kit train reward-model`, `judge` and `rule-model`: what reads and does not write."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import (
    FILES,
    MODEL,
    changes_in,
    common,
    labelled_columns,
    look_at,
    look_labelled,
    of_files,
    small,
)
from rlhf_kit.language import say

if TYPE_CHECKING:
    from rich.console import Console

Run = Callable[[argparse.Namespace], int]
JOBS = ("reward-model", "judge", "rule-model")


def add_methods(methods: argparse._SubParsersAction, run: Run) -> None:
    """The three methods, and the options of each."""
    _add_reward_model(methods, run)
    _add_judge(methods, run)
    _add_rule_model(methods, run)


def _add_reward_model(methods: argparse._SubParsersAction, run: Run) -> None:
    ranked = methods.add_parser("reward-model", help="a reward model, from rankings or from pairs",
                                description="A reward model: it learns from rankings, or from pairs, which response is "
                                            "better. Run again, it goes on where it stopped.")
    ranked.add_argument("--rankings", metavar="FILE", help=f"{FILES}: responses with ranks or scores, or a .tsv "
                                                           f"without header, best first (default: made-up reviews)")
    ranked.add_argument("--pairs", "--data", metavar="FILE",
                        help="or of prompt, chosen, rejected; both options take either, and what most public sets look "
                             "like")
    of_files(ranked)
    ranked.add_argument("--model", default="new", help=f"{MODEL}; whatever it was, it gets a head of one output "
                                                       "(default: a tiny encoder from nothing)")
    ranked.add_argument("--pretrain", metavar="FILE", help="labelled reviews to learn from first: good above bad")
    labelled_columns(ranked)
    ranked.add_argument("--votes", metavar="SOURCE", help="or votes, before people's preferences (PMP): a made-up "
                                                          "forum such as forum-en, or a file of pairs")
    ranked.add_argument("--votes-form", choices=("binarised", "ranked"),
                        help="of votes: each text under a right and a wrong rating, or which of two is better "
                             "(default: binarised)")
    ranked.add_argument("--red-team", metavar="FILE", help="pairs in which the more harmful answer was picked; they "
                                                           "are turned round and learned from beside the others")
    ranked.add_argument("--harmless-weight", metavar="W", type=float, help="what each of those counts (1)")
    ranked.add_argument("--half", choices=("first", "second"), help="learn from that half only, of the prompts: two "
                                                                    "such models, and train ppo --test-judge")
    ranked.add_argument("--held-out", metavar="N", type=int, help="rankings or pairs to be examined on (default: "
                                                                  "400, or a fifth if that is fewer)")
    ranked.add_argument("--example", metavar="TEXT", action="append", help="a text to be scored at the end; repeatable")
    ranked.add_argument("--loss", choices=("log_sigmoid", "sigmoid", "choice"),
                        help="of a pair, σ of the difference of its scores: -log σ (default), or -σ; or choice: the "
                             "best was picked among all, as Sparrow's raters do")
    ranked.add_argument("--distractors", metavar="N", type=int, help="of --loss choice: replies from other dialogues "
                                                                     "beside each, which nobody picks (0)")
    ranked.add_argument("--centring", metavar="WEIGHT", type=float, help="pull of the scores towards 0, which keeps "
                                                                          "those learnt from few rankings small (0)")
    ranked.add_argument("--max-length", metavar="N", type=int, help="tokens of a text; of longer ones the end is read")
    common(ranked)
    ranked.set_defaults(run=run, job="reward-model", settings=_reward_model, look=_look_reward_model)


def _add_judge(methods: argparse._SubParsersAction, run: Run) -> None:
    judge = methods.add_parser("judge", help="a classifier, from labelled texts: a judge for ppo",
                               description="A judge: a classifier that learns from labelled texts what is good, for "
                                           "rlhf-kit train ppo --judge. Run again, it goes on where it stopped.")
    judge.add_argument("--data", metavar="FILE", help="labelled texts, .csv, .tsv or .jsonl, plain or .gz (default: "
                                                      "made-up reviews)")
    judge.add_argument("--model", default="new", help=f"{MODEL}; whatever it was, it gets a head of two outputs "
                                                      "(default: a tiny encoder from nothing)")
    labelled_columns(judge)
    judge.add_argument("--max-length", metavar="N", type=int, help="tokens of a text; longer ones are cut")
    common(judge)
    judge.set_defaults(run=run, job="judge", settings=_judge, look=_look_judge)


def _add_rule_model(methods: argparse._SubParsersAction, run: Run) -> None:
    rules = methods.add_parser("rule-model", help="a classifier that reads a rule and a dialogue: is it broken?",
                               description="A rule model: a classifier that reads a rule's text beside a dialogue and "
                                           "says whether the rule is broken. Run again, it goes on where it stopped.")
    rules.add_argument("--data", metavar="FILE", help="labels, .csv, .tsv or .jsonl, plain or .gz: prompt, response, "
                                                      "rule and level, in five levels or broken and followed (default: "
                                                      "those of --task assistant-en)")
    rules.add_argument("--model", default="new", help=f"{MODEL}; whatever it was, it gets a head of two outputs "
                                                      "(default: a tiny encoder from nothing)")
    rules.add_argument("--without-rule", action="store_true", help="hide the rule's text, to see what it is worth")
    rules.add_argument("--max-length", metavar="N", type=int, help="tokens of a text; of longer ones both ends are "
                                                                   "read")
    common(rules)
    rules.set_defaults(run=run, job="rule-model", settings=_rule_model, look=_look_rule_model)


def _reward_model(options: argparse.Namespace) -> dict[str, Any]:
    return {"rankings": options.rankings, "pairs": options.pairs, "columns": options.columns,
            "template": options.template, "pretrain": options.pretrain, "text": options.text,
            "label": options.label, "positive": options.positive, "positive_from": options.positive_from,
            "held_out": options.held_out, "votes": options.votes, "votes_form": options.votes_form,
            "red_team": options.red_team, "harmless_weight": options.harmless_weight,
            "distractors": options.distractors, "half": options.half,
            "examples": tuple(options.example or ()),
            "changes": changes_in(options, "steps", "batch_size", "learning_rate", "max_length", "loss", "centring",
                                  "seed")}


def _judge(options: argparse.Namespace) -> dict[str, Any]:
    return {"data": options.data, "text": options.text, "label": options.label, "positive": options.positive,
            "positive_from": options.positive_from,
            "changes": changes_in(options, "steps", "batch_size", "learning_rate", "max_length", "seed")}


def _rule_model(options: argparse.Namespace) -> dict[str, Any]:
    return {"data": options.data, "without_rule": options.without_rule,
            "changes": changes_in(options, "steps", "batch_size", "learning_rate", "max_length", "seed")}


# What is wrong with a file is found by the same readers that the job will ask.

def _look_reward_model(options: argparse.Namespace) -> None:
    look_labelled(options.pretrain, options)
    for path in filter(small, (options.pairs, options.rankings, options.red_team)):
        look_at(options, path, "preferences")


def _look_judge(options: argparse.Namespace) -> None:
    look_labelled(options.data, options)


def _look_rule_model(options: argparse.Namespace) -> None:
    if small(options.data):
        from rlhf_kit.datasets.rule_labels import read_rule_labels
        read_rule_labels(options.data)


def _show_reward_model(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.evaluate import Estimate
    lang, seen = options.lang, result["agreement"]
    pairs = options.pairs is not None                       # of two, the pair is the whole order
    rows = [("row_pairs", str(Estimate(**seen["pair_accuracy"]))),
            *([] if pairs else [("row_lists", str(Estimate(**seen["list_accuracy"])))]),
            ("row_rank_loss", f"{seen['loss']:.3f}"), ("row_calibration", f"{seen['calibration_error']:.3f}")]
    rows.insert(1, ("row_length_only", f"{result['length_only']:.3f}"))
    if result["ceiling"] is not None:
        rows.insert(1, ("row_ceiling_accuracy", f"{result['ceiling']:.3f}"))
    showing.values(console, [(say(lang, name), value) for name, value in rows], lang,
                   "column_value_pairs" if pairs else "column_value")
    for name in ("harmless", "off_topic"):
        if name in result:
            found = Estimate(**result[name]["agreement"]["pair_accuracy"])
            console.print(say(lang, f"ranked_{name}", value=str(found)), markup=False, soft_wrap=True)
    for example in result["examples"]:
        console.print(f"{example['score']:+.2f}  {showing.plain(example['text'])}", markup=False, soft_wrap=True)
    read_as = {side: showing.plain(text) for side, text in result["read_as"].items()}
    console.print(say(lang, "ranked_read_as", **read_as), markup=False, soft_wrap=True)
    if "rankings_from" in result:
        console.print(say(lang, f"ranked_{result['rankings_from']}"), soft_wrap=True)
    if any(result["left_out"].values()):
        console.print(say(lang, "ranked_left_out", **result["left_out"]), soft_wrap=True)
    if result["pretrained_on"]:
        console.print(say(lang, "pretrained_examples", n=result["pretrained_on"]), soft_wrap=True)
    console.print(say(lang, "paired_examples" if pairs else "ranked_examples", n=result["rankings"],
                      held_out=result["held_out"], comparisons=result["comparisons"]), soft_wrap=True)
    showing.few(console, result["held_out"], lang)
    if not result["above_chance"]:
        console.print(say(lang, "not_above_chance_pairs" if pairs else "not_above_chance"), soft_wrap=True)


def _show_judge(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.evaluate import Estimate
    lang = options.lang
    rows = [(say(lang, "row_judge_accuracy"), str(Estimate(**result["accuracy"]))),
            (say(lang, "row_commonest"), f"{result['commonest']:.3f}")]
    showing.values(console, rows, lang, "column_value_texts")
    console.print(say(lang, "judge_examples", n=result["texts"], held_out=result["held_out"]), soft_wrap=True)
    showing.few(console, result["held_out"], lang)
    if not result["above_commonest"]:
        console.print(say(lang, "not_above_commonest"), soft_wrap=True)


def _show_rule_model(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.evaluate import Estimate
    lang = options.lang
    rows = [(say(lang, f"row_{name}"), str(Estimate(**result[name]))) for name in ("auc", "paraphrased")
            if name in result]
    showing.values(console, rows, lang, "column_value_texts")
    for rule, worth in sorted(result["by_rule"].items(), key=lambda item: item[1])[:5]:
        console.print(say(lang, "rules_hardest", rule=showing.plain(rule), auc=worth), markup=False, soft_wrap=True)
    console.print(say(lang, "rules_examples", n=result["labels"], unsure=result["unsure"],
                      held_out=result["held_out"], broken=result["broken"]), soft_wrap=True)
    showing.few(console, result["held_out"], lang)


# What shows a result, by its job.
SHOWN = {"reward_model": _show_reward_model, "judge": _show_judge, "rule_model": _show_rule_model}
