"""`rlhf-kit labels`: what people said about responses, into a database, out of it, and how far they agree."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.evaluate import Estimate
    from rlhf_kit.formulas.records import Ranking, RuleLabel
    from rlhf_kit.labels import Labels
    from rlhf_kit.labels.annotators import AnnotatorAgreement
    from rlhf_kit.language import Lang

FORMATS = ("tsv", "trl", "rankings", "rules")   # ranking_files.FORMATS, which help must not import; and labels of rules


def add(commands: argparse._SubParsersAction) -> None:
    """The three commands, and the options of each."""
    labels = commands.add_parser("labels", help="keep people's rankings, and see how far they agree",
                                 description="Keeps what people said about responses in a database that several can "
                                             "use at once.")
    actions = labels.add_subparsers(required=True, metavar="ACTION")

    into = actions.add_parser("import", help="rankings from a file into the database",
                              description="Reads rankings from a file into the database. The same file a second time "
                                          "changes nothing.")
    into.add_argument("file", metavar="FILE", help="of rankings, pairs or scored answers: .jsonl, .json, .csv, .tsv, "
                                                  ".parquet ..., a folder of them, or a set on the hub")
    into.add_argument("--columns", metavar="PART=COLUMN,...", help="what the parts are called in the file, where that "
                                                                   "is not plain: prompt=question,chosen=better")
    into.add_argument("--annotator", metavar="NAME", help="whose rankings these are (default: nobody's; only the texts "
                                                          "are taken, to be judged)")
    _common(into, "made if it is not there")
    into.set_defaults(run=run_import)

    out = actions.add_parser("export", help="rankings from the database into a file",
                             description="Writes rankings and votes, without repeats, to a file; the database stays "
                                         "as it is.")
    out.add_argument("--format", choices=FORMATS, required=True,
                     help="tsv: the texts, best first, tabs between; trl: prompt, chosen, rejected; rankings: prompt, "
                          "responses, ranks, which keeps ties; rules: prompt, response, rule, level, which train "
                          "rule-model reads")
    out.add_argument("--output", metavar="FILE", required=True, help="where they go; a file there is replaced")
    out.add_argument("--annotator", metavar="NAME", help="only this person's (default: everybody's)")
    out.add_argument("--texts", choices=LANGS, help="only those about texts in this language: a class that ranks on "
                                                    "both pages of the studio has both in one file (default: all)")
    _common(out)
    out.set_defaults(run=run_export)

    agreement = actions.add_parser("agreement", help="how far people agree, and how they rate the models",
                                   description="Measures how far people agree with each other, and with themselves "
                                               "where they were asked twice. The database stays as it is.")
    _common(agreement)
    agreement.set_defaults(run=run_agreement)


def _common(parser: argparse.ArgumentParser, about: str = "made by labels import, or in Python by kit.Labels") -> None:
    parser.add_argument("--database", metavar="FILE", required=True, help=about)
    parser.add_argument("--question", metavar="WORD", help="what was asked, such as helpful, where it was more than "
                                                           "one thing")
    parser.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")


def run_import(options: argparse.Namespace) -> int:
    """Read the file, then open the database: one that cannot be read makes none."""
    from rlhf_kit.datasets.door import as_rankings, bring, columns_in, for_people
    from rlhf_kit.labels import Labels, check_name
    if options.annotator is not None:
        check_name(options.annotator)
    brought = bring(options.file, "preferences", columns_in(options.columns))
    rankings, left_out = for_people(as_rankings(brought)), Counter(malformed=0, undecided=0)
    left_out.update(dict(brought.account.left_out))
    with Labels(options.database) as labels:
        done = labels.add_rankings(rankings, options.annotator, options.question or "")
    if options.json:
        print(json.dumps({**asdict(done), "left_out": dict(left_out), "read": brought.account.numbers()}))
        return 0
    for line in brought.account.lines(options.lang):
        _print(options, showing.plain(line))
    key = "labels_imported_tasks" if options.annotator is None else "labels_imported"
    _print(options, say(options.lang, key, database=options.database, **asdict(done)))
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Write the file."""
    from rlhf_kit.datasets.ranking_files import FORMATS, Written
    from rlhf_kit.datasets.rule_labels import write_rule_labels
    from rlhf_kit.labels import Labels
    from rlhf_kit.labels.rule_breaking import rule_labels
    output = Path(options.output).expanduser()
    with Labels(options.database, read_only=True) as labels:
        if output.exists() and output.samefile(Path(options.database).expanduser()):
            raise ValueError(f"--output is {options.output!r}, the database itself. Name another file.")
        found = (rule_labels(labels, options.annotator) if options.format == "rules"
                 else labels.rankings(options.annotator, options.question))
        in_both = Counter(map(_language, found))
        found = [one for one in found if options.texts in (None, _language(one))]
        if not found:
            raise ValueError(_nothing(labels, options))
    written = (Written(write_rule_labels(output, found), 0) if options.format == "rules"
               else FORMATS[options.format](output, found))
    if options.json:
        print(json.dumps(asdict(written)))
        return 0
    _print(options, say(options.lang, "labels_exported", rows=written.rows, file=options.output))
    if written.left_out:
        _print(options, say(options.lang, f"labels_left_out_{options.format}", n=written.left_out))
    if len(in_both) > 1 and options.texts is None:
        _print(options, say(options.lang, "labels_two_languages", **in_both))
    return 0


def _language(said: Ranking | RuleLabel) -> Lang:
    """Of the texts that it is about, by the prompt and the first of them, as the studio tells it."""
    from rlhf_kit.labels.records import language_of
    return language_of(said.prompt + (said.responses[0] if hasattr(said, "responses") else said.response))


def run_agreement(options: argparse.Namespace) -> int:
    """Print the tables."""
    from rlhf_kit.labels import Labels
    from rlhf_kit.labels.annotators import agreement
    with Labels(options.database, read_only=True) as labels:
        found = agreement(labels, options.question)
        if not found.judgements:
            raise ValueError(_nothing(labels, options))
    if options.json:
        print(json.dumps(found.numbers()))
        return 0
    _show(showing.console_for(json=False), found, options.lang)
    return 0


def _nothing(labels: Labels, options: argparse.Namespace) -> str:
    """What is asked for and not there, and what is."""
    asked = [f"by {options.annotator!r}"] if getattr(options, "annotator", None) is not None else []
    asked += [f"on the question {options.question!r}"] if options.question is not None else []
    asked += [f"about texts in {options.texts!r}"] if getattr(options, "texts", None) is not None else []
    said = labels.judgements()
    people, questions = (sorted({getattr(j, name) for j in said}) for name in ("annotator", "question"))
    there = f"It has judgements by {', '.join(people)}" if people else "It has none at all"
    there += f" on {', '.join(map(repr, questions))}" if questions not in ([], [""]) else ""
    there = showing.plain(there)                                # names in a file of others may steer the terminal
    what = "labels of rules" if getattr(options, "format", None) == "rules" else "rankings or votes"
    return f"{options.database} has no {what} {' '.join(asked)}".rstrip() + f". {there}. " + (
        "Name others." if people else "Import some, or let people rank.")


def _print(options: argparse.Namespace, line: str) -> None:
    showing.console_for(options.json).print(line, markup=False, soft_wrap=True)


def _show(console: Console, found: AnnotatorAgreement, lang: str) -> None:
    from rich.table import Table

    from rlhf_kit.labels.annotators import ENOUGH
    table = Table(show_edge=False)
    table.add_column(say(lang, "column_measure"), overflow="fold")
    table.add_column(say(lang, "labels_value"), justify="right", no_wrap=True)
    for name in ("tasks", "judgements", "annotators", "shared"):
        table.add_row(say(lang, f"labels_{name}"), str(getattr(found, name)))
    chance = "" if found.w_by_chance is None else f" ({say(lang, 'labels_chance', chance=found.w_by_chance)})"
    for name, value in (("alpha", _number(found.alpha)), ("w", _number(found.w) + chance),
                        ("pairwise", _share(found.pairwise)), ("self_agreement", _share(found.self_agreement)),
                        ("quality", "–" if found.quality is None else f"{found.quality:.1%}")):
        table.add_row(say(lang, f"labels_{name}"), value)
    console.print(table)
    if found.pairwise is None:
        console.print(say(lang, "labels_alone"), soft_wrap=True)
    elif not found.enough:
        console.print(say(lang, "labels_few", n=found.pairwise.n, enough=ENOUGH), soft_wrap=True)
    if found.ratings:
        _show_ratings(console, found, lang)


def _show_ratings(console: Console, found: AnnotatorAgreement, lang: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    from rlhf_kit.labels.annotators import ENOUGH
    table = Table(show_edge=False)
    table.add_column(say(lang, "labels_model"), overflow="fold")
    for column in ("games", "won", "strength", "points", "elo"):
        table.add_column(say(lang, f"labels_{column}"), justify="right")
    for r in found.ratings:
        interval = "" if r.low is None else f" ({r.low:+.2f} – {r.high:+.2f})"
        table.add_row(escape(showing.plain(r.model)), str(r.games), f"{r.won:.0%}", f"{r.strength:+.2f}{interval}",
                      f"{r.points:.0f}", f"{r.elo:.0f}")
    console.print()
    console.print(table)
    console.print(say(lang, "labels_ratings_note"), soft_wrap=True)
    games = sum(r.games for r in found.ratings) // 2
    if games < ENOUGH:
        console.print(say(lang, "labels_few_games", n=games, enough=ENOUGH), soft_wrap=True)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _share(share: Estimate | None) -> str:
    return "–" if share is None else f"{share.mean:.1%} ({share.low:.1%} – {share.high:.1%}), n = {share.n}"
