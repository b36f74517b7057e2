"""`rlhf-kit train METHOD --show`: what a file's rows become, with marks of the prompt, what is learned, what is cut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rlhf_kit.commands import showing
from rlhf_kit.language import Lang, say

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from rlhf_kit.jobs.rows import Piece, Rows, Shown
    from rlhf_kit.loops.as_read import AsRead

STYLES = {"prompt": "cyan", "learned": "bold green", "read": "", "cut": "red strike"}
SCORED = ("reward-model", "judge", "rule-model")      # of a text they learn one number
HEAD, TAIL = 12, 4                  # ids of a piece that are printed, of more than both


def show(console: Console, rows: Rows, options: argparse.Namespace) -> int:
    """The first rows, then all in numbers; as JSON every id and both masks."""
    lang = options.lang
    if options.json:
        print(json.dumps(rows.numbers()))
        return 0
    if rows.account is not None:
        showing.lines(console, rows.account.lines(lang))
    for number, one in enumerate(rows.shown, 1):
        _example(console, rows, one, number, lang)
    _line(console, "")
    for key, values in rows.notes:
        _line(console, say(lang, key, **values))
    _counts(console, rows, lang)
    _line(console, say(lang, "rows_untrained"))
    return 0


def _example(console: Console, rows: Rows, one: Shown, number: int, lang: Lang) -> None:
    where = say(lang, "rows_example", n=number) if one.line is None else say(lang, "rows_line", n=one.line)
    label = "" if one.label is None else say(lang, "rows_label", label=one.label)
    _line(console, "")
    _line(console, say(lang, f"rows_{one.side}", where=where) + label, "bold")
    for text in one.texts:
        _line(console, f"  {_about(rows, text, lang)}")
        for piece in rows.pieces(text):
            _piece(console, piece, lang)


def _about(rows: Rows, text: AsRead, lang: Lang) -> str:
    """How long it is, what is cut, and where it ends."""
    part = say(lang, "rows_rank", n=text.part) if text.part.isdigit() else say(lang, f"rows_part_{text.part}")
    behind = len(text.ids) - text.prompt
    said = say(lang, "rows_tokens", part=part, prompt=text.prompt, response=behind) if text.prompt and behind else say(
        lang, "rows_tokens_alone", part=part, n=len(text.ids))
    if text.cut:
        said += say(lang, "rows_cut", n=text.cut, limit=rows.limit)
    if any(text.learned):
        end = rows.closed(text)
        said += say(lang, "rows_endless") if end is None else say(
            lang, "rows_ends", token=rows.ends[text.ids[end]], id=text.ids[end], place=end + 1, n=len(text.ids))
    return said


def _piece(console: Console, piece: Piece, lang: Lang) -> None:
    """Its mark, its text with line ends to be seen, and its ids."""
    from rich.cells import cell_len
    from rich.text import Text
    marks = {mark: say(lang, f"rows_mark_{mark}") for mark in STYLES}
    wide = max(map(cell_len, marks.values()))
    begin = f"    {marks[piece.mark]}{' ' * (wide - cell_len(marks[piece.mark]))} | "
    lines = showing.plain(piece.text).split("\n")
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        if last and not line and number:
            break
        console.print(Text.assemble(begin if not number else f"    {' ' * wide} | ",
                                    (line + "⏎" * (not last), STYLES[piece.mark])), soft_wrap=True)
    console.print(Text(f"    {' ' * wide} | {_ids(piece.ids)}", "dim"), soft_wrap=True)


def _ids(ids: list[int]) -> str:
    short = ids if len(ids) <= HEAD + TAIL else [*ids[:HEAD], "...", *ids[-TAIL:]]
    return f"[{', '.join(map(str, short))}]"


def _counts(console: Console, rows: Rows, lang: Lang) -> None:
    sides: dict[str, Any] = rows.sides
    _line(console, say(lang, "rows_counts", n=sum(sides.values()), **sides))
    spread = {"prompt": rows.prompt} if rows.prompt.most else {}
    if rows.response is not None:
        spread["response" if spread else "text"] = rows.response
    said = say(lang, "rows_and").join(
        say(lang, f"rows_spread_{name}", least=one.least, median=one.median, most=one.most)
        for name, one in spread.items())
    _line(console, say(lang, "rows_spread", said=said))
    if rows.cut:
        _line(console, say(lang, "rows_cut_of", cut=rows.cut, n=rows.texts, limit=rows.limit))
    if rows.job in SCORED:
        _line(console, say(lang, "rows_one_number"))
    if rows.max_new_tokens is not None:
        ends = say(lang, "rows_or").join(f"{token} ({number})" for number, token in rows.ends.items())
        _line(console, say(lang, "rows_stop" if ends else "rows_stop_length", ends=ends, n=rows.max_new_tokens))


def _line(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, soft_wrap=True)
