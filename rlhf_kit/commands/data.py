"""`rlhf-kit data`: what stands in a made-up world, to be read: prompts, responses, and what gold makes of them."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import TASK
from rlhf_kit.language import LANGS, say, system_language


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    data = commands.add_parser("data", help="read in a made-up world",
                               description="Prints prompts of a made-up world with responses to each, best first, and "
                                           "the gold of each response.")
    data.add_argument("--task", metavar="NAME", help=f"{TASK} (default: the reviews of the language)")
    data.add_argument("--n", metavar="N", type=int, default=5, help="prompts (default: %(default)s)")
    data.add_argument("--responses", metavar="K", type=int, default=2, help="to each, at least 2 (default: "
                                                                            "%(default)s)")
    data.add_argument("--heldout", action="store_true", help="what no training text is about")
    data.add_argument("--explain", action="store_true", help="also say why gold is what it is, where the world knows")
    data.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, other texts (default: "
                                                                       "%(default)s)")
    data.add_argument("--lang", choices=LANGS, default=system_language(), help="of the world and of what is printed "
                                                                               "(default: the system's, %(default)s)")
    data.add_argument("--json", action="store_true", help="print a list of objects and nothing else")
    data.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the texts."""
    from rlhf_kit import tasks
    from rlhf_kit.tasks.rankings import rankings_of
    if options.n < 1 or options.responses < 2:
        raise ValueError(f"--n is {options.n} and --responses {options.responses}; ask for at least 1 prompt and 2 "
                         f"responses to it.")
    task = tasks.find(tasks.in_language(options.task or "reviews", options.lang))
    ranked = rankings_of(task, options.n, options.responses, seed=options.seed,
                         split="heldout" if options.heldout else "train")
    found = [{"prompt": one.prompt, "responses": [_judged(task, one.prompt, response, options.explain)
                                                  for response in one.responses]} for one in ranked]
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    console = showing.console_for(json=False)
    for one in found:
        console.rule()
        console.print(one["prompt"], markup=False, soft_wrap=True, style="bold")
        for response in one["responses"]:
            gold = say(options.lang, "data_gold", gold=response["gold"])
            console.print(f"\n{response['text'].strip()}  [{gold}]", markup=False, soft_wrap=True)
            if "explained" in response:
                console.print(response["explained"], markup=False, soft_wrap=True, style="dim")
    return 0


def _judged(task: Any, prompt: str, response: str, explained: bool) -> dict[str, Any]:
    """A response with its gold and, if asked for and known, the reasons."""
    why = {"explained": str(task.explain(prompt, response))} if explained and hasattr(task, "explain") else {}
    return {"text": response, "gold": round(task.gold(prompt, response), 3), **why}
