"""`rlhf-kit train distil`: its options, and what a distilled prompt changed."""

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
    judged,
    look_at,
    of_files,
    small,
)
from rlhf_kit.language import Lang, say

if TYPE_CHECKING:
    from rich.console import Console

SIDES = ("before", "teacher", "after")


def add_method(methods: argparse._SubParsersAction, run: Callable[[argparse.Namespace], int]) -> None:
    """`train distil` and its options."""
    distil = methods.add_parser("distil", help="context distillation: behave as behind a prompt, without it",
                                description="Context distillation: the model learns to predict without a prompt what "
                                            "it predicts behind one. Run again, it goes on where it stopped.")
    distil.add_argument("--model", required=True, help=MODEL)
    distil.add_argument("--preamble", metavar="FILE", help="the prompt, a text file (default: of --task assistant-en "
                                                           "and assistant-zh their own)")
    distil.add_argument("--teacher", metavar="MODEL", help="who reads the prompt: a language model with the same "
                                                           "tokenizer (default: --model as it is now)")
    distil.add_argument("--data", metavar="FILE", help=f"where the two are compared, {FILES}: texts, prompts with "
                                                       f"responses, or conversations")
    distil.add_argument("--prompts", metavar="FILE", help="or prompts alone, which the teacher answers behind the "
                                                          "prompt (default: those of --task)")
    of_files(distil)
    judged(distil, about=", to score the answers before and after; nothing is learned from it")
    distil.add_argument("--kept", metavar="K", type=int, help="likeliest tokens of the teacher that are compared one "
                                                              "by one; all others together (50)")
    distil.add_argument("--max-length", metavar="N", type=int, help="tokens that the teacher reads, the prompt "
                                                                    "included; longer responses are cut (default: what "
                                                                    "the model reads, 1024 at most)")
    distil.add_argument("--max-new-tokens", metavar="N", type=int, help="length of an answer at most (48; of a world "
                                                                        "what it takes)")
    distil.add_argument("--temperature", metavar="T", type=float, help="of every answer (1)")
    common(distil)
    distil.set_defaults(run=run, job="distil", settings=_settings, look=_look)


def show(console: Console, result: dict[str, Any], lang: Lang) -> None:
    """Texts side by side, a table of the student before and after and of its teacher, and what is kept."""
    from rich.table import Table

    from rlhf_kit.evaluate import Estimate
    if result["samples"]:
        showing.texts(console, result["samples"][:4], lang, score="meter_reward",
                      titles=(say(lang, "column_before"), say(lang, "column_after_sft")))
    table = Table(show_edge=False)
    table.add_column(say(lang, "column_measure"))
    for name in ("column_before", "column_behind", "column_after_sft"):
        table.add_column(say(lang, name), justify="right", no_wrap=True)
    loss = result["loss"]
    table.add_row(say(lang, "row_distil_loss"), f"{loss['before']['loss']:.3f}", "0", f"{loss['after']['loss']:.3f}")
    table.add_row(say(lang, "row_distil_agreement"), f"{loss['before']['agreement']:.0%}", "100%",
                  f"{loss['after']['agreement']:.0%}")
    if result["after"]:
        sides = [result[side] for side in SIDES]
        for name in result["after"]["scores"]:
            table.add_row(say(lang, "row_reward_examined" if name == "score" else f"row_{name}"),
                          *(str(Estimate(**side["scores"][name])) for side in sides))
        table.add_row(say(lang, "row_length"), *(f"{side['length']:.1f}" for side in sides))
    console.print(table)
    for name, kept in result["kept"].items():
        named = say(lang, "row_reward_examined" if name == "score" else f"row_{name}")
        if kept is None:
            console.print(say(lang, "distil_no_effect", name=named), markup=False, soft_wrap=True)
        else:
            console.print(say(lang, "distil_kept", name=named, kept=f"{kept['mean']:.0%}", low=f"{kept['low']:.0%}",
                              high=f"{kept['high']:.0%}", tokens=result["preamble_tokens"]), markup=False,
                          soft_wrap=True)
    console.print(say(lang, "sft_examples", n=result["examples"], held_out=result["held_out"]))


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {"preamble": options.preamble, "teacher": options.teacher, "data": options.data, "prompts": options.prompts,
            "columns": options.columns, "template": options.template, "judge": options.judge, "label": options.label,
            "reward": options.reward, **changes_in(options, "max_new_tokens", "temperature"),
            "changes": changes_in(options, "steps", "batch_size", "learning_rate", "seed", "kept", "max_length")}


def _look(options: argparse.Namespace) -> None:
    """What is wrong with the files, before torch is imported. Raises: FileError."""
    if small(options.preamble):
        from rlhf_kit.datasets.reading import read_text
        read_text(options.preamble)
    for path, kind in ((options.data, "examples"), (options.prompts, "prompts")):
        if small(path):
            look_at(options, path, kind)
