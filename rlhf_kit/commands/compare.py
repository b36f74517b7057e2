"""`rlhf-kit compare A B --prompts FILE`: whose answers to your prompts are better, by one judge, and at what price."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import asked, check_models, device_of, judged, look_prompts
from rlhf_kit.commands.train import FILES, MODEL
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.runs import lineage

if TYPE_CHECKING:
    from rich.console import Console


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    compare = commands.add_parser("compare", help="two models on your own prompts: win rate, KL, lengths",
                                  description="Two models answer the same prompts, one judge scores both: win rate "
                                              "with its interval, also at equal length, scores, KL and the answers "
                                              "side by side.")
    compare.add_argument("a", metavar="A", help=f"{MODEL}, or the folder of a run")
    compare.add_argument("b", metavar="B", help="the same; the win rate is that of A against B")
    compare.add_argument("--prompts", metavar="FILE", required=True, help=f"{FILES}: prompts or conversations")
    asked(compare)
    judged(compare)
    compare.add_argument("--reference", metavar="MODEL", help="where both KLs are measured from: a language model with "
                                                              "the same tokenizer (default: of a run, what it began "
                                                              "with)")
    compare.add_argument("--limit", metavar="N", type=int, default=256, help="prompts at most, drawn from the file "
                                                                             "(default: %(default)s)")
    compare.add_argument("--max-new-tokens", metavar="N", type=int, help="length of an answer at most (default: 48 for "
                                                                         "tiny models, 32 for others)")
    compare.add_argument("--temperature", metavar="T", type=float, default=1.0, help="of sampling (default: "
                                                                                     "%(default)g)")
    compare.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, other answers (default: 0)")
    compare.add_argument("--device", default="auto", help="cpu, cuda, ... (default: a GPU if there is one, unless A is "
                                                          "tiny)")
    compare.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed (default: the "
                                                                                  "system's, %(default)s)")
    compare.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    compare.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Let both answer, and show what came of it."""
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit compare[/] {__version__}")
    if not options.json:
        console.file.flush()
    check_models(*map(lineage.model_of, (options.a, options.b, options.reference)), options.judge)
    look_prompts(options)
    from rlhf_kit.jobs import cores
    from rlhf_kit.jobs.compare import Match
    options.model = options.a
    match = Match(models=(options.a, options.b), prompts=options.prompts, column=options.column,
                  columns=options.columns, template=options.template, judge=options.judge, label=options.label,
                  reward=options.reward, reference=options.reference, limit=options.limit,
                  max_new_tokens=options.max_new_tokens, temperature=options.temperature, seed=options.seed,
                  device=device_of(options))
    for line in match.brought.account.lines(lang):
        console.print(showing.plain(line), markup=False, soft_wrap=True)
    result = match.result(None if options.threads_chosen else cores())
    if options.json:
        print(json.dumps(result))
    else:
        _show(console, result, lang)
    return 0


def _show(console: Console, result: dict[str, Any], lang: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from rlhf_kit.evaluate import Estimate
    names = [model["name"] for model in result["models"]]
    titles = tuple(f"{side}: {name}" for side, name in zip("AB", names, strict=True))
    showing.texts(console, [{"before": pair["a"], "after": pair["b"]} for pair in result["samples"][:4]], lang,
                  score="meter_reward", titles=titles)
    table = Table(show_edge=False)
    table.add_column(say(lang, "column_measure"))
    for title in titles:
        table.add_column(Text(title), justify="right")
    for key, cells in _rows(result):
        table.add_row(say(lang, key), *cells)
    console.print(table)
    for key in ("win_rate", "length_controlled", "difference", "longer"):
        if key in result:
            value = result[key]
            said = say(lang, "compare_untold") if value is None else str(Estimate(**value))
            console.print(say(lang, f"compare_{key}", value=said), markup=False, soft_wrap=True)
    for key, values in result["notes"]:
        console.print(say(lang, key, **values), markup=False, soft_wrap=True)


def _rows(result: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Key of the name and both cells."""
    from rlhf_kit.evaluate import Estimate
    models = result["models"]
    rows = [("meter_reward", [str(Estimate(**model["scores"]["score"])) for model in models])] \
        if "score" in models[0]["scores"] else []
    rows.append(("row_kl", ["–" if model["kl"] is None else f"{abs(model['kl']):.2f}" for model in models]))
    rows.append(("compare_characters", [str(Estimate(**model["characters"])) for model in models]))
    for key, name, form in (("row_length", "length", "{:.1f}"), ("row_eos", "eos_rate", "{:.0%}"),
                            ("row_distinct", "distinct", "{:.0%}"), ("row_distinct_2", "distinct_2", "{:.0%}")):
        rows.append((key, [form.format(model[name]) for model in models]))
    return rows
