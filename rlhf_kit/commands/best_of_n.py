"""`rlhf-kit best-of-n`: every prompt answered n times, the best answer kept, and what n is worth."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import TASK, asked, check_models, device_of, judged, look_prompts, world_of
from rlhf_kit.commands.train import FILES, MODEL
from rlhf_kit.language import LANGS, say, system_language

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 4                           # prompts on the screen


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    best = commands.add_parser("best-of-n", help="answer each prompt n times and keep the best answer",
                               description="Best-of-n: each prompt is answered n times, and the judge keeps the best "
                                           "answer. Says what every n up to that is worth, from the same draws.")
    best.add_argument("--model", required=True, help=MODEL)
    best.add_argument("--n", metavar="N", type=int, default=16, help="answers to each prompt (default: %(default)s)")
    judged(best)
    best.add_argument("--prompts", metavar="FILE", help=f"{FILES}: prompts or conversations (default: openings of the "
                                                        f"made-up reviews)")
    asked(best)
    best.add_argument("--task", metavar="NAME", help=f"{TASK} (default: made-up reviews)")
    best.add_argument("--limit", metavar="N", type=int, help="prompts at most, the first ones (default: all of a file)")
    best.add_argument("--max-new-tokens", metavar="N", type=int, help="length of an answer at most (default: 48 for "
                                                                      "tiny models, 32 for others; more where a "
                                                                      "made-up world's texts take it)")
    best.add_argument("--temperature", metavar="T", type=float, default=1.0, help="of sampling (default: %(default)g)")
    best.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, other answers (default: 0)")
    best.add_argument("--output", metavar="FILE.jsonl", help="all draws, a row a prompt; a stopped run goes on there")
    best.add_argument("--device", default="auto", help="cpu, cuda, ... (default: a GPU if there is one, unless the "
                                                       "model is tiny)")
    best.add_argument("--lang", choices=LANGS, default=system_language(),
                      help="of what is printed, and of the made-up reviews unless the model is tiny (default: the "
                           "system's, %(default)s)")
    best.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    best.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw, choose, and show what it is worth."""
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit best-of-n[/] {__version__}")
    if not options.json:
        console.file.flush()
    check_models(options.model, options.judge)
    look_prompts(options)
    speech, task = world_of(options)
    from rlhf_kit.jobs import cores
    from rlhf_kit.jobs.best_of_n import Choice
    choice = Choice(model=options.model, n=options.n, judge=options.judge, label=options.label, reward=options.reward,
                    prompts=options.prompts, column=options.column, columns=options.columns, template=options.template,
                    task=task, lang=speech, limit=options.limit, max_new_tokens=options.max_new_tokens,
                    temperature=options.temperature, seed=options.seed, device=device_of(options))
    if (account := choice.understood()) is not None:
        showing.lines(console, account.lines(lang))
    for seen in choice.run(options.output, None if options.threads_chosen else cores()):
        if isinstance(seen, dict):
            result = seen
        elif console.is_terminal:
            console.print(f"{seen[0]} / {seen[1]}", end="\r")
    if options.json:
        print(json.dumps(result))
    else:
        _show(console, result, options)
    return 0


def _show(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.evaluate import Estimate
    lang, n = options.lang, result["n"]
    pairs = [{"before": _side(one, 0), "after": _side(one, one["best"])} for one in result["samples"][:SHOWN]]
    showing.texts(console, pairs, lang, score="meter_reward", titles=("1", f"best of {n}"))
    for name, curve in result["curves"].items():
        first, last = ({key: value for key, value in end.items() if key != "best_of"} for end in (curve[0], curve[-1]))
        console.print(say(lang, "bestofn_value", name=name, n=n, one=Estimate(**first), best=Estimate(**last),
                          prompts=result["prompts"]), markup=False, soft_wrap=True)
    console.print(say(lang, "bestofn_kl", **result["kl"]), markup=False, soft_wrap=True)
    if result["eos_rate"] < 1:
        cut = {"share": 1 - result["eos_rate"], "limit": result["sampling"]["max_new_tokens"]}
        console.print(say(lang, "answers_cut", **cut), markup=False, soft_wrap=True)
    if options.output is not None:
        console.print(say(lang, "bestofn_saved", file=options.output), markup=False, soft_wrap=True)


def _side(one: dict[str, Any], place: int) -> dict[str, Any]:
    return {"prompt": one["prompt"], "response": one["responses"][place], "score": one["scores"][place],
            **{name: values[place] for name, values in one["others"].items()}}
