"""`rlhf-kit train grpo`, `dpo` and `kto`: the options of what came after PPO."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from rlhf_kit.commands.choices import (
    FILES,
    MODEL,
    changes_in,
    common,
    judged,
    look_at,
    look_prompts,
    numbers,
    of_files,
    small,
)

VARIANTS = ("grpo", "rloo", "dr-grpo", "reinforce")     # of `methods.grpo`, which it takes seconds to import
Run = Callable[[argparse.Namespace], int]


def add_methods(methods: argparse._SubParsersAction, run: Run) -> None:
    """The three methods and their options."""
    _add_grpo(methods, run)
    _add_dpo(methods, run)
    _add_kto(methods, run)


def _add_grpo(methods: argparse._SubParsersAction, run: Run) -> None:
    grpo = methods.add_parser("grpo", help="GRPO, RLOO, Dr. GRPO or REINFORCE: answers are compared with each other",
                              description="GRPO and its relatives: the model answers each prompt several times and "
                                          "learns from those that score better than the others, without a critic. Run "
                                          "again, it goes on where it stopped.")
    grpo.add_argument("--model", required=True, help=MODEL)
    judged(grpo, several=True)
    grpo.add_argument("--answers", metavar="COLUMN", help="or a column of --prompts with right answers: 1 where the "
                                                          "last number of a response is that number, else 0. Of a "
                                                          "made-up world: gold, its own check")
    grpo.add_argument("--reward-weights", metavar="W,W,...", type=numbers,
                      help="of several: the judge's, that of --answers, those of --reward (default: 1 each)")
    _prompts(grpo)
    of_files(grpo)
    _reference(grpo)
    grpo.add_argument("--rollouts", metavar="ENGINE", help="what draws the responses: own (the default), continuous, "
                                                           "or vllm=http://HOST:PORT, as for train ppo")
    grpo.add_argument("--variant", choices=VARIANTS, default="grpo",
                      help="grpo: compared with all answers to the prompt, in units of their deviation, long answers "
                           "weigh less per token; dr-grpo: without units or lengths; rloo: with the other answers, "
                           "clipped as a whole; reinforce: one answer to each prompt, with the rest of the batch "
                           "(default: %(default)s)")
    grpo.add_argument("--group-size", metavar="N", type=int, help="answers to each prompt; --batch-size counts all of "
                                                                  "them (8; of reinforce 1)")
    grpo.add_argument("--kl", dest="coefficient", metavar="BETA", type=float,
                      help="KL coefficient: what a nat of drift costs (0.04)")
    grpo.add_argument("--kl-in", choices=("loss", "reward"), help="where: in the loss by k3 (default of grpo and "
                                                                  "dr-grpo) or in the reward by k1 (of the others)")
    grpo.add_argument("--kl-target", dest="target", metavar="NATS", type=float, help="adapt the coefficient to this "
                                                                                     "drift")
    grpo.add_argument("--stop-kl", metavar="NATS", type=float, help="end the run with the first step that measures "
                                                                    "more drift than that, and keep what it learned")
    grpo.add_argument("--no-checks", dest="checks", action="store_false", default=None,
                      help="skip the checks before the first update, such as that the reward varies")
    grpo.add_argument("--minibatch-size", metavar="N", type=int, help="responses per gradient (default: all)")
    grpo.add_argument("--epochs", metavar="N", type=int, help="passes over each batch (1)")
    _answers(grpo)
    common(grpo)
    grpo.set_defaults(run=run, job="grpo", settings=_grpo, look=look_prompts)


def _add_dpo(methods: argparse._SubParsersAction, run: Run) -> None:
    dpo = methods.add_parser("dpo", help="direct preference optimisation, from pairs, or online from a reward",
                             description="DPO or IPO: the model learns from pairs which answer is better, without a "
                                         "reward model. With --online it writes the pairs itself, and a judge or a "
                                         "function of yours says which answer is better. Run again, it goes on where "
                                         "it stopped.")
    _judged_answers(dpo, "pairs, rankings or scores, in any form that train reward-model reads (default: made-up "
                         "reviews)")
    dpo.add_argument("--loss", choices=("dpo", "ipo", "robust"),
                     help="dpo; ipo, which pulls a pair apart to a margin and no further; or robust, dpo that knows "
                          "which share of the labels is wrong, see --label-smoothing (default: dpo)")
    dpo.add_argument("--beta", metavar="BETA", type=float, help="reward per nat; a large one stays close to the "
                                                                "reference (0.1). Of ipo the margin is 1/(2 BETA)")
    dpo.add_argument("--label-smoothing", metavar="SHARE", type=float,
                     help="share of the labels that is taken to be wrong (0)")
    dpo.add_argument("--per-token", action="store_true", default=None, help="log-ratios are means over a response's "
                                                                            "tokens, as TRL's ipo has them")
    dpo.add_argument("--max-length", metavar="N", type=int, help="tokens of prompt and answer; longer pairs are left "
                                                                 "out (default: what the model reads, 1024 at most)")
    dpo.add_argument("--online", action="store_true", help="learn from pairs of its own answers; needs --judge or "
                                                           "--reward")
    _prompts(dpo, "with --online: ")
    dpo.add_argument("--responses", metavar="N", type=int, help="with --online: answers to each prompt, of which the "
                                                                "best and the worst are compared (2)")
    dpo.add_argument("--soft-labels", action="store_true", default=None,
                     help="with --online: a pair counts both ways, as often as its scores say")
    common(dpo)
    dpo.set_defaults(run=run, job="dpo", settings=_dpo, look=_look_dpo)


def _add_kto(methods: argparse._SubParsersAction, run: Run) -> None:
    kto = methods.add_parser("kto", help="Kahneman-Tversky optimisation, from answers called good or bad",
                             description="KTO: the model learns from single answers that somebody called good or bad; "
                                         "no two answers to one prompt are needed. Run again, it goes on where it "
                                         "stopped.")
    _judged_answers(kto, "answers with a label, good or bad; of pairs and rankings the best is taken as good and the "
                         "worst as bad (default: made-up reviews)")
    kto.add_argument("--beta", metavar="BETA", type=float, help="how fast value saturates with the log-ratio (0.1)")
    kto.add_argument("--good-weight", metavar="W", type=float, help="of good answers, and of bad ones (default: so "
                                                                    "that both kinds weigh alike in all)")
    kto.add_argument("--bad-weight", metavar="W", type=float, help="see --good-weight")
    kto.add_argument("--max-length", metavar="N", type=int, help="tokens of prompt and answer; longer ones are left "
                                                                 "out (default: what the model reads, 1024 at most)")
    common(kto)
    kto.set_defaults(run=run, job="kto", settings=_kto, look=_look_judged)


# -- options that several have ---------------------------------------------------------------------------------------

def _prompts(parser: argparse.ArgumentParser, when: str = "") -> None:
    parser.add_argument("--prompts", metavar="FILE", help=f"{when}{FILES}: prompts or conversations (default: openings "
                                                          f"of the made-up reviews)")
    parser.add_argument("--prompt-column", dest="column", metavar="COLUMN", default="prompt",
                        help="its column of prompts (default: %(default)s)")


def _reference(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reference", metavar="MODEL", help="where drift is measured from: a language model with the "
                                                             "same tokenizer (default: --model as it is now)")


def _answers(parser: argparse.ArgumentParser, when: str = "") -> None:
    parser.add_argument("--max-new-tokens", metavar="N", type=int, help=f"length of a response at most{when}")
    parser.add_argument("--temperature", metavar="T", type=float, help=f"of sampling{when}")


def _judged_answers(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--model", required=True, help=f"{MODEL}; begin with one that has been fine-tuned")
    parser.add_argument("--data", metavar="FILE", help=f"{FILES}: {what}")
    of_files(parser)
    _reference(parser)
    judged(parser, about=", to score the answers before and after; nothing is learned from it")
    parser.add_argument("--held-out", metavar="N", type=int, help="to be examined on (default: 400, or a fifth if that "
                                                                  "is fewer)")
    _answers(parser, ", of the answers before and after")


# -- their settings --------------------------------------------------------------------------------------------------

def _grpo(options: argparse.Namespace) -> dict[str, Any]:
    first, *more = options.reward or [None]
    where = {} if options.kl_in is None else {"in_loss": options.kl_in == "loss",
                                              "estimate": "k3" if options.kl_in == "loss" else "k1"}
    return {"judge": options.judge, "label": options.label, "reward": first, "more_rewards": tuple(more),
            "answers": options.answers, "reward_weights": options.reward_weights or (),
            "variant": options.variant, "prompts": options.prompts,
            "column": options.column, "reference": options.reference, "columns": options.columns,
            "template": options.template, "rollouts": None if options.rollouts == "own" else options.rollouts,
            "changes": {**changes_in(options, "steps", "batch_size", "group_size", "minibatch_size", "epochs",
                                     "learning_rate", "seed", "coefficient", "target", "max_new_tokens", "temperature",
                                     "checks", "stop_kl"), **where}}


def _preferences(options: argparse.Namespace, *changes: str) -> dict[str, Any]:
    answers = changes_in(options, "max_new_tokens", "temperature")
    return {"data": options.data, "columns": options.columns, "template": options.template,
            "reference": options.reference, "judge": options.judge, "label": options.label, "reward": options.reward,
            "held_out": options.held_out, **answers,
            "changes": changes_in(options, "steps", "batch_size", "learning_rate", "seed", "beta", "max_length",
                                  *changes)}


def _dpo(options: argparse.Namespace) -> dict[str, Any]:
    return _preferences(options, "loss", "label_smoothing", "per_token")


def _online(options: argparse.Namespace) -> dict[str, Any]:
    return {"judge": options.judge, "label": options.label, "reward": options.reward, "prompts": options.prompts,
            "column": options.column, "reference": options.reference, "columns": options.columns,
            "template": options.template,
            "changes": changes_in(options, "steps", "batch_size", "learning_rate", "seed", "beta", "loss",
                                  "label_smoothing", "per_token", "responses", "soft_labels", "max_new_tokens",
                                  "temperature")}


def _kto(options: argparse.Namespace) -> dict[str, Any]:
    return _preferences(options, "good_weight", "bad_weight")


def _look_judged(options: argparse.Namespace) -> None:
    if small(options.data):
        look_at(options, options.data, "preferences")


def _look_dpo(options: argparse.Namespace) -> None:
    """Of the two kinds each has options of its own. Raises: ValueError, FileError, one line."""
    if options.online:
        for name in ("data", "held_out"):
            if getattr(options, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} is about pairs in a file, and with --online the model "
                                 f"writes them itself. Leave one of them out.")
        if options.max_length is not None:
            raise ValueError(f"--max-length is {options.max_length}; with --online no pair is left out, and its length "
                             f"is that of the prompt and --max-new-tokens. Leave it out, or give --max-new-tokens.")
        options.job, options.settings = "online-dpo", _online
        look_prompts(options)
        return
    for name in ("prompts", "responses", "soft_labels"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for --online, where the model writes its own pairs. Add "
                             f"--online, or leave it out.")
    if options.column != "prompt":
        raise ValueError(f"--prompt-column is {options.column!r}, a column of --prompts, which --online takes. Of "
                         f"--data say --columns prompt={options.column}.")
    _look_judged(options)
