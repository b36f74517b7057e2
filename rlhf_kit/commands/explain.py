"""`rlhf-kit explain RUN`: what is likely wrong with a PPO or GRPO run, by its own numbers, and what mends it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, Lang, fault_words, say, system_language

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.runs.explain import Finding


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    explain = commands.add_parser("explain", help="what is likely wrong with a run of ppo or grpo",
                                  description="Reads what a run of ppo or grpo wrote into its metrics.jsonl, also "
                                              "while it goes on, and names the likely fault with the numbers that "
                                              "speak for it. rlhf-kit gallery shows each fault.")
    explain.add_argument("run_folder", metavar="RUN", help="a folder that rlhf-kit trained into")
    explain.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed (default: the "
                                                                                  "system's, %(default)s)")
    explain.add_argument("--json", action="store_true", help="print the findings as JSON and nothing else")
    explain.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read, and say what was found."""
    from rlhf_kit.runs import explain
    record, lang = explain.Record.read(options.run_folder), options.lang
    found, missing = explain.findings(record), explain.missing(record)
    if options.json:
        print(json.dumps({"run": options.run_folder, "steps": len(record.rows), "missing": missing,
                          "findings": [_plain(one, lang) for one in found]}, ensure_ascii=False))
        return 0
    console = showing.console_for(json=False)
    if len(record.rows) < explain.LEAST:
        console.print(say(lang, "explain_short", n=len(record.rows), least=explain.LEAST), soft_wrap=True)
        return 0
    for place, one in enumerate(found):
        if place == 1:
            console.print(say(lang, "explain_also"), soft_wrap=True)
        tell(console, one, lang)
    if not found:
        console.print(say(lang, "explain_nothing", n=len(record.rows)), soft_wrap=True)
    if missing:
        console.print(say(lang, "explain_missing", names=", ".join(missing)), soft_wrap=True)
    return 0


def tell(console: Console, finding: Finding, lang: Lang) -> None:
    """A finding in three lines: the fault, its evidence, its mend."""
    said = _plain(finding, lang)
    console.print(f"[bold]{said['title']}[/] ({finding.fault})", soft_wrap=True)
    for line in (said["says"], said["mend"]):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _plain(finding: Finding, lang: Lang) -> dict[str, Any]:
    words = fault_words(lang)[finding.fault]
    return {"fault": finding.fault, "title": words["title"], "says": words["evidence"].format(**finding.evidence),
            "mend": words["mend"], "evidence": finding.evidence}
