"""The one door for what people bring: a file, a folder, a hub set or rows come in, typed data and an account go out.

    brought = bring("pairs.parquet", "preferences")
    brought.items                       # [Comparison(...), ...]
    print(brought.account.text("en"))   # pairs.parquet: 800 rows read as pairs: prompt from 'question', chosen, ...

Texts are texts; conversations are tuples of turns, which a model's chat template writes (`models.chats`).
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rlhf_kit.datasets import demonstrations, exports, preferences
from rlhf_kit.datasets.chats import Wrong, dialogue_of, readable, said
from rlhf_kit.datasets.columns import Columns
from rlhf_kit.datasets.preferences import Form, Scored, contrasts
from rlhf_kit.datasets.rankings import as_ranking, parted, read_rank_lists
from rlhf_kit.datasets.reading import check_column, guessed, read_numbered, refuse_if_many, refused, shorten
from rlhf_kit.datasets.sources import Rows, Source, read_source
from rlhf_kit.formulas.records import Chat, Comparison, Labelled, Ranking, Turn
from rlhf_kit.language import Lang, say

Want = Literal["preferences", "examples", "prompts"]
OPTIONS = {part: f"--{part}-column" for part in ("prompt", "response", "text")}      # each has one of its own
EXPECTED = {
    "preferences": "chosen and rejected; responses with ranks or scores; two answers with a preference; or one answer "
                   "with a score or a label",
    "examples": "text; prompt and response; or messages",
    "prompts": "prompt, question, instruction or messages",
}
UNSEEN = ("images", "image", "videos", "audios", "tools")        # columns of other things than text
PARTS = ("prompt", "system", "input", "history", "chosen", "rejected", "margin", "responses", "ranks", "scores",
         "response", "score", "rating", "label", "preference", "text", "messages")


@dataclass(frozen=True)
class Account:
    """What was understood, and what was not taken."""

    source: str
    kind: str                                   # "pairs", "rankings", "scored", "binary", "texts", "examples", ...
    used: tuple[tuple[str, tuple[str, ...]], ...]       # part -> the columns that it came from
    rows: int                                   # in the source, malformed ones included
    items: int                                  # what is handed on
    left_out: tuple[tuple[str, int], ...]       # (why, how many)
    notes: tuple[tuple[str, Mapping[str, Any]], ...]    # what a person should know: key of the sentence, its values

    def lines(self, lang: Lang) -> list[str]:
        """A sentence of what was understood, and one for everything that a person should know."""
        parts = (", " if lang == "en" else "、").join(_part(lang, part, columns) for part, columns in self.used)
        lines = [say(lang, "read_as" if parts else "read_as_lines", source=self.source, n=self.rows,
                     kind=say(lang, f"read_kind_{self.kind}"), parts=parts, items=self.items)]
        if self.left_out:
            lines.append(say(lang, "read_left_out", what=(", " if lang == "en" else "、").join(
                say(lang, f"read_out_{why}", n=n) for why, n in self.left_out)))
        return lines + [say(lang, key, **values) for key, values in self.notes]

    def text(self, lang: Lang) -> str:
        """The same, a line each."""
        return "\n".join(self.lines(lang))

    def numbers(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"source": self.source, "kind": self.kind, "used": {part: list(names) for part, names in self.used},
                "rows": self.rows, "items": self.items, "left_out": dict(self.left_out),
                "notes": [[key, dict(values)] for key, values in self.notes]}

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> Account:
        """The account that these numbers tell of."""
        return cls(numbers["source"], numbers["kind"], tuple((p, tuple(names)) for p, names in numbers["used"].items()),
                   numbers["rows"], numbers["items"], tuple(numbers["left_out"].items()),
                   tuple((key, values) for key, values in numbers["notes"]))


@dataclass(frozen=True)
class Brought:
    """What somebody brought."""

    account: Account
    lines: Sequence[int] = field(default=(), kw_only=True)      # of each item, where it stands in the source, from 1;
                                                                # () = unknown


@dataclass(frozen=True)
class Pairs(Brought):
    """Of two answers the better one."""

    items: list[Comparison]


@dataclass(frozen=True)
class Rankings(Brought):
    """Orders of K answers."""

    items: list[Ranking]


@dataclass(frozen=True)
class ScoredAnswers(Brought):
    """Numbers for answers."""

    items: list[Scored]


@dataclass(frozen=True)
class Binary(Brought):
    """Answers that were called good or bad."""

    items: list[Labelled]


@dataclass(frozen=True)
class Examples(Brought):
    """What is to be imitated: whole texts, (prompt, response), or conversations; all of one kind."""

    items: list[str] | list[tuple[str, str]] | list[Chat]


@dataclass(frozen=True)
class Prompts(Brought):
    """What is to be answered, nothing twice."""

    items: list[str] | list[Chat]
    rows: Sequence[Mapping[str, Any]] = ()      # of a table, for each: its other columns, with "prompt" as one reads it


CLASSES = {"pairs": Pairs, "rankings": Rankings, "scored": ScoredAnswers, "binary": Binary, "prompts": Prompts,
           "texts": Examples, "examples": Examples, "chats": Examples}


def bring(source: Source, want: Want, columns: Mapping[str, str] | None = None,
          options: Mapping[str, str] | None = None, *, joined: bool = True) -> Brought:
    """Read it as what is wanted, and say what was understood.

    Args:
        source: a file (.jsonl, .json, .csv, .tsv, .parquet, .arrow, .txt; also .gz), a folder of such files, the name
            of a set on the hub, or rows, an iterable of dictionaries.
        want: "preferences" gives `Pairs`, `Rankings`, `ScoredAnswers` or `Binary`; "examples" `Examples`; "prompts"
            `Prompts`.
        columns: what the parts are called there, where that is not plain: {"prompt": "question"}.
        options: how the user named a column, for the error, where it was not with --columns: {"prompt": "--column"}.
        joined: whether prompt and response will be joined as they stand; False where a template is named that writes
            plain texts as turns, too.

    Raises: datasets.reading.FileError, one line, if nothing of the kind is in it or more than 1 row in 20 is malformed.
    """
    plain = isinstance(source, str | Path) and Path(source).name.lower().removesuffix(".gz")
    if plain and plain.endswith(".txt") and want != "preferences":
        first = {text: line for line, text in reversed(read_numbered(source))}
        lines = sorted(first, key=first.get)
        kind = "texts" if want == "examples" else "prompts"
        return CLASSES[kind](Account(str(source), kind, (), len(lines), len(lines), (), ()), lines,
                             lines=[first[text] for text in lines])
    listed = plain and plain.endswith((".txt", ".tsv")) and want == "preferences" and not columns
    if listed and Path(source).expanduser().is_file() and (lists := read_rank_lists(source)) is not None:
        found, malformed = lists
        out = (("malformed", malformed),) if malformed else ()
        return Rankings(Account(str(source), "rankings", (), len(found) + malformed, len(found), out,
                                (("read_order_lines", {}),)), found)
    rows = read_source(source)
    table = Columns(rows.table, {**dict(rows.called), **_checked(rows, columns or {}, options or {})})
    form = _form(table, want)
    for name in () if form is None else (name for _, names in form.used for name in names):
        if rows.table.columns.count(name) > 1:
            check_column(rows.table, None, name, rows.name)
    if form is None:
        shown = ", ".join(map(shorten, table.names[:12])) + ", …" * (len(table.names) > 12)
        raise refused(rows.name, f"has no columns of {want}; it has {shown}. Expected {EXPECTED[want]}. "
                                 f"{_nearest(table, want)}")
    return _read(rows, table, form, want, joined)


def columns_in(text: str | None) -> dict[str, str] | None:
    """{"prompt": "question", "chosen": "better"} of "prompt=question,chosen=better". Raises: ValueError, one line."""
    if text is None:
        return None
    found = {}
    for part in text.split(","):
        name, equals, column = part.partition("=")
        if not equals or not column.strip() or name.strip() not in PARTS:
            raise ValueError(f"--columns is {text!r}; expected PART=COLUMN,PART=COLUMN where a part is one of "
                             f"{', '.join(PARTS)}: --columns prompt=question,chosen=better.")
        found[name.strip()] = column.strip()
    return found


def named(columns: str | None, **parts: str | None) -> dict[str, str]:
    """What `--columns` names, and over it columns that were named one by one; None names nothing."""
    return {**(columns_in(columns) or {}), **{part: name for part, name in parts.items() if name is not None}}


def as_rankings(brought: Brought) -> list[Comparison] | list[Ranking]:
    """Preferences as a reward model learns from them. Raises: ValueError, one line, if there is no comparison in them.

    Of binary labels those prompts count that have a good answer and a bad one.
    """
    if isinstance(brought, ScoredAnswers):
        return [one.ranking() for one in brought.items]
    if not isinstance(brought, Binary):
        return brought.items
    found = contrasts(brought.items)
    if not found:
        raise ValueError(f"{brought.account.source} holds labels of single answers, good or bad, and no prompt has "
                         f"both; what learns from comparisons cannot use them. rlhf-kit train kto can; or give pairs, "
                         f"or several answers to a prompt.")
    return found


def lines_of(brought: Brought, judged: Sequence[Any]) -> list[int | None]:
    """Where each of these stands in the source that `as_rankings` or `as_labelled` made of it; None where it is put
    together from several lines, or nobody knows."""
    each = len(judged) // max(len(brought.items), 1)
    if not brought.lines or each * len(brought.items) != len(judged):
        return [None] * len(judged)
    return [line for line in brought.lines for _ in range(each)]


def as_labelled(brought: Brought) -> list[Labelled]:
    """Preferences as KTO learns from them: labels as they are; of a pair or a ranking the best answer as good and the
    worst as bad."""
    if isinstance(brought, Binary):
        return brought.items
    found = []
    for one in as_rankings(brought):
        best, worst = (one.chosen, one.rejected) if isinstance(one, Comparison) else (
            one.responses[one.ranks.index(min(one.ranks))], one.responses[one.ranks.index(max(one.ranks))])
        found += [Labelled(one.prompt, best, True), Labelled(one.prompt, worst, False)]
    return found


def dialogues(items: Sequence[Any]) -> list[Any]:
    """Texts with hh-rlhf's "\\n\\nHuman:" and "\\n\\nAssistant:" in them as conversations, plain ones as one question.

    For a model whose template writes conversations otherwise.
    """
    return [_as_chat(item) for item in items]


def for_people(items: Sequence[Comparison] | Sequence[Ranking]) -> list[Ranking]:
    """Rankings to be shown and kept: conversations as a person reads them."""
    found = [as_ranking(one) for one in items]
    return [Ranking(readable(one.prompt), tuple(map(said, one.responses)), one.ranks) if isinstance(one.prompt, tuple)
            else one for one in found]


# Inside

def _nearest(table: Columns, want: Want) -> str:
    """What to do about columns of other names; with the name that was meant, if one is nearly right."""
    parts = ("chosen", "rejected", "responses", "prompt") if want == "preferences" else ("prompt", "response", "text")
    answers = preferences.numbered(table) if want == "preferences" else {}
    if len(answers) > 1:
        return (f"{' and '.join(map(repr, answers.values()))} look like answers to choose from, and no column says "
                f"which is better: a preference or a winner, or scores or ranks with the same numbers. Name it: "
                f"--columns preference=COLUMN.")
    for part in parts:
        near = [] if table.has(part) else difflib.get_close_matches(part, table.names, n=1, cutoff=0.75)
        if near:
            return f"Did you mean {near[0]!r}? Say so: --columns {part}={near[0]}."
    return "Say what is what: --columns prompt=question,chosen=better, for example."


def _checked(rows: Rows, columns: Mapping[str, str], options: Mapping[str, str]) -> Mapping[str, str]:
    for part, column in columns.items():
        check_column(rows.table, options.get(part, "--columns"), column, rows.name)
    return columns


def _form(table: Columns, want: Want) -> Form | None:
    if want == "prompts":
        return demonstrations.prompts(table)
    if want == "examples":
        return exports.threads(table) or demonstrations.examples(table)
    return exports.recognise(table) or preferences.recognise(table)


def _read(rows: Rows, table: Columns, form: Form, want: Want, joined: bool) -> Brought:
    found, out, malformed = [], Counter(), list(rows.table.malformed)
    for line, row in table.rows:
        try:
            items = form.of(row)
        except Wrong as error:
            malformed.append((line, str(error)))
            continue
        found += [(line, item) for item in items]
        out["undecided"] += not items
    total = len(table.rows) + len(rows.table.malformed)
    refuse_if_many(sorted(malformed), total, rows.name)
    out["malformed"] = len(malformed)
    if form.whole is not None:
        grouped = form.whole(found)
        if want == "preferences" and not grouped:
            raise refused(rows.name, "has no two answers to one prompt that were judged differently; a reward model "
                                     "learns from differences.")
        out["alone"] = 0
        found = grouped
    lines, items = [line for line, _ in found], [item for _, item in found]
    notes = [*_about_source(rows), *form.notes]
    if form.kind in ("pairs", "examples", "rankings", "scored", "binary"):
        items, twice = _once(items)
        if twice:
            notes.append(("read_prompt_twice", {"n": twice}))
    if malformed:
        notes.append(("read_malformed", dict(zip(("line", "why"), min(malformed), strict=True))))
    if form.kind == "pairs":
        items = [_parted(item) for item in items]
        notes += _repeated(items)
    if joined and (glued := _glued(items)) is not None:
        notes.append(("read_glued", {"where": glued}))
    if form.kind in ("texts", "examples", "chats", "prompts"):
        where = dict(zip(reversed(items), reversed(lines), strict=True))    # each where it stands first
        different = list(dict.fromkeys(items))
        out["repeated"], items, lines = len(items) - len(different), different, [where[one] for one in different]
    used = [name for _, names in form.used for name in names]
    unused = table.like_a_prompt([*used, *table.called])
    if want != "prompts" and unused and form.kind != "texts":
        notes.append(("read_unused" if form.prompted else "read_unused_prompt", {"columns": ", ".join(
            map(repr, map(table.real, unused))), "first": table.real(unused[0])}))
    elif not form.prompted:
        notes.append(("read_no_prompt", {}))
    unseen = [name for name in UNSEEN if name not in used and table.has(name) and table.holds(name) != "nothing"]
    if unseen:
        notes.append(("read_unseen", {"columns": ", ".join(map(repr, map(table.real, unseen)))}))
    if form.whole is not None and want == "preferences":
        notes.append(("read_grouped", {"n": len(items)}))
    if not items:
        what = {"pairs": "pairs whose texts differ", "prompts": "prompts", "texts": "texts"}.get(
            form.kind, "rankings that are not all ties" if want == "preferences" else "examples")
        raise refused(rows.name, f"holds 0 {what} in {total:,} rows{_why(out)}. Expected {EXPECTED[want]}.")
    order = ("malformed", "undecided", "repeated")
    account = Account(rows.name, form.kind, form.used, total, len(items),
                      tuple((why, out[why]) for why in order if out[why]), tuple(notes))
    if form.kind != "prompts":
        return CLASSES[form.kind](account, items, lines=lines)
    by_line = dict(table.rows)
    first = {item: by_line[line] for line, item in reversed(found)}
    return Prompts(account, items, [{**first[item], "prompt": readable(item) if isinstance(item, tuple) else item}
                                    for item in items], lines=lines)


def _about_source(rows: Rows) -> list[tuple[str, dict[str, Any]]]:
    notes = []
    if guessed(rows.table.encoding) or "damaged" in rows.table.encoding:
        notes.append(("read_encoding", {"encoding": rows.table.encoding.partition(" (")[0]}))
    if rows.called:
        notes.append(("read_described", {"columns": ", ".join(f"{part}={column}" for part, column in rows.called)}))
    if rows.passed_over:
        notes.append(("read_files", {"n": len(rows.files), "over": len(rows.passed_over),
                                     "first": rows.files[0]}))
    elif len(rows.files) > 1:
        notes.append(("read_files_all", {"n": len(rows.files)}))
    if rows.cut:
        notes.append(("read_cut", {"n": len(rows.table.rows)}))
    return notes


def _once(items: list[Any]) -> tuple[list[Any], int]:
    """Items without the prompt at the head of their answers, where most have it there; and how many had."""
    twice = [bool(prompt.strip()) and all(answer.startswith(prompt) for answer in answers)
             for prompt, answers in map(_texts, items)]
    if not items or sum(twice) < 0.5 * len(items):
        return items, 0
    return [_without(one) if again else one for one, again in zip(items, twice, strict=True)], sum(twice)


def _repeated(pairs: Sequence[Comparison]) -> list[tuple[str, dict[str, Any]]]:
    """What is to be said of pairs that stand there more than once, and of those that contradict another."""
    seen = Counter((one.prompt, one.chosen, one.rejected) for one in pairs)
    again = len(pairs) - len(seen)
    against = sum((prompt, rejected, chosen) in seen for prompt, chosen, rejected in seen)
    return [(key, {"n": n}) for key, n in (("read_pairs_again", again), ("read_pairs_against", against)) if n]


def _texts(item: Any) -> tuple[str, tuple[str, ...]]:
    """Prompt and answers, where they are texts; ("", ()) of a conversation."""
    if isinstance(item, Comparison):
        prompt, answers = item.prompt, (item.chosen, item.rejected)
    elif isinstance(item, Labelled):
        prompt, answers = item.prompt, (item.response,)
    elif isinstance(item, Ranking | Scored):
        prompt, answers = item.prompt, item.responses
    else:
        prompt, answers = (item[0], item[1:]) if isinstance(item, tuple) else ("", ())
    return (prompt, tuple(answers)) if all(isinstance(one, str) for one in (prompt, *answers)) else ("", ())


def _without(item: Any) -> Any:
    n = len(_texts(item)[0])
    if isinstance(item, Comparison):
        return replace(item, chosen=item.chosen[n:], rejected=item.rejected[n:])
    if isinstance(item, Labelled):
        return replace(item, response=item.response[n:])
    if isinstance(item, Ranking | Scored):
        return replace(item, responses=tuple(one[n:] for one in item.responses))
    return (item[0], item[1][n:])


def _glued(items: Sequence[Any]) -> str | None:
    """A place where a finished prompt and an answer meet with nothing between, if nearly all do."""
    met = [(prompt, answers[0]) for prompt, answers in map(_texts, items) if prompt.strip() and answers]
    glued = [(prompt, answer) for prompt, answer in met if prompt[-1] in ".?!:。？！：" and answer[:1].isalnum()]
    if not met or len(glued) < 0.9 * len(met):
        return None
    return f"{glued[0][0][-12:]}{glued[0][1][:12]}"


def _parted(pair: Comparison) -> Comparison:
    """A pair of whole dialogues cut where the last answers begin."""
    if pair.prompt or not isinstance(pair.chosen, str):
        return pair
    prompt, chosen, rejected = parted(pair.chosen, pair.rejected)
    return Comparison(prompt, chosen, rejected, pair.margin)


def _as_chat(item: Any) -> Any:
    if isinstance(item, str):
        return dialogue_of(item) or (Turn("user", item),)
    if isinstance(item, Comparison) and isinstance(item.prompt, str):
        return Comparison(_as_chat(item.prompt), *((Turn("assistant", one.strip()),)
                                                   for one in (item.chosen, item.rejected)), item.margin)
    if isinstance(item, Ranking) and isinstance(item.prompt, str):
        return Ranking(_as_chat(item.prompt), tuple((Turn("assistant", one.strip()),) for one in item.responses),
                       item.ranks)
    if isinstance(item, Labelled) and isinstance(item.prompt, str):
        return Labelled(_as_chat(item.prompt), (Turn("assistant", item.response.strip()),), item.good)
    if isinstance(item, tuple) and isinstance(item[0], str):
        return (*_as_chat(item[0]), Turn("assistant", item[1].strip()))
    return item


def _part(lang: Lang, part: str, columns: Sequence[str]) -> str:
    name = say(lang, f"read_part_{part}")
    if tuple(columns) == (part,):
        return name
    return say(lang, "read_from", part=name, columns=" + ".join(map(repr, columns)))


def _why(out: Counter[str]) -> str:
    found = ", ".join(f"{n:,} {why}" for why, n in out.items() if n)
    return f" ({found})" if found else ""
