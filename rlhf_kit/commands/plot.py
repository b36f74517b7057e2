"""`rlhf-kit plot RUN [RUN ...]`: the curves of several runs over each other, as a picture or a page."""

from __future__ import annotations

import argparse
import json

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    plot = commands.add_parser("plot", help="the curves of one run, or of several over each other",
                               description="Draws what runs wrote into their metrics.jsonl, also while they go on, "
                                           "into a picture or a page that opens offline.")
    plot.add_argument("runs", metavar="RUN", nargs="+", help="folders that rlhf-kit trained into")
    plot.add_argument("--output", metavar="FILE", default="curves.html", help="a .html, with tables of last values "
                                                                              "and of settings that differ, a .png or "
                                                                              "a .svg (default: %(default)s)")
    plot.add_argument("--metrics", metavar="NAME,NAME", help="which ones, as metrics.jsonl calls them (default: the "
                                                             "scores, KL, loss, accuracies, entropy, length, ending)")
    plot.add_argument("--smooth", metavar="N", type=int, default=1, help="draw the mean of the last N steps (default: "
                                                                         "every step as it was)")
    plot.add_argument("--lang", choices=LANGS, default=system_language(), help="of the page and of what is printed "
                                                                               "(default: the system's, %(default)s)")
    plot.add_argument("--json", action="store_true", help="print the last values as JSON and nothing else")
    plot.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw, and say where it is."""
    from rlhf_kit.plots import spoken
    from rlhf_kit.runs import curves
    wanted = None if options.metrics is None else [name.strip() for name in options.metrics.split(",") if name.strip()]
    with spoken(options.lang):
        table = curves.write(options.output, curves.named(options.runs), wanted, options.smooth, options.lang)
    if options.json:
        print(json.dumps(table))
        return 0
    console = showing.console_for(json=False)
    rows = {run: {name: value for name, value in values.items() if value is not None} for run, values in table.items()}
    for run, values in rows.items():
        last = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if name != "steps")
        console.print(say(options.lang, "curves_line", run=run, steps=values["steps"], last=last), markup=False,
                      soft_wrap=True)
    console.print(say(options.lang, "curves_written", file=options.output), markup=False, soft_wrap=True)
    return 0
