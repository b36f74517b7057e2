"""`rlhf-kit doctor`: versions, device, cache, hub, and what will work here."""

from __future__ import annotations

import argparse
import json

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language

SIGNS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "·"}


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    doctor = commands.add_parser("doctor", help="look at this machine: what is here, what will work",
                                 description="Looks at versions, device, cache and hub. Asks the hub whether it "
                                             "answers, and sends nothing. Exit code 1 if something needed is missing.")
    doctor.add_argument("--offline", action="store_true", help="ask nobody outside this machine")
    doctor.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed (%(default)s)")
    doctor.add_argument("--json", action="store_true", help="print a list of objects")
    doctor.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what was found; 0 if everything needed is here, else 1."""
    from rich.markup import escape
    from rich.table import Table

    from rlhf_kit.doctor import as_json, examine, healthy
    findings = examine(options.lang, online=not options.offline)
    if options.json:
        print(json.dumps(as_json(findings)))
        return 0 if healthy(findings) else 1
    console, table = showing.console_for(json=False), Table(show_header=False, show_edge=False, box=None)
    for finding in findings:
        advice = f" [yellow]{escape(finding.advice)}[/]" if finding.good is False else ""
        table.add_row(SIGNS[finding.good], escape(finding.name), escape(finding.seen) + advice)
    console.print(table)
    console.print(say(options.lang, "doctor_well" if healthy(findings) else "doctor_ill"))
    return 0 if healthy(findings) else 1
