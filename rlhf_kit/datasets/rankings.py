"""Rankings and comparisons in the kit's own forms, strictly: `datasets.door` reads everybody's, and says what it did.

Four forms, told apart by the name and the columns; none of them is executed, and a malformed row is skipped and counted
while such rows are at most 1 in 20:

    .tsv or .txt    no header; K responses a line with tabs between them, best first; no prompt
    .jsonl          {"prompt": ..., "responses": [...], "ranks": [...]}; without ranks, best first
    .jsonl, .csv    prompt, chosen, rejected and perhaps margin
    .jsonl          chosen, rejected with the whole dialogue in both ("\\n\\nHuman: ...\\n\\nAssistant: ...")
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhf_kit.datasets.reading import (
    LONGEST_CELL,
    TOO_LONG,
    Table,
    check_column,
    read_rows,
    read_table,
    refuse_if_many,
    refused,
    same_text,
    shorten,
    tidy,
)
from rlhf_kit.formulas.records import Comparison, Labelled, Ranking

HEADER = {"prompt", "chosen", "rejected", "question", "instruction", "response", "label"}    # cells of a header line
FEWEST = 4                              # rankings; below, nothing can be held out and learnt from
ASSISTANT = "\n\nAssistant:"            # begins an answer in the dialogues of hh-rlhf (arXiv:2204.05862)
_HALF = re.compile(r"[\ud800-\udfff]")  # of a character; JSON can say it, no file can hold it


def read_rankings(path: str | Path, left_out: Counter[str] | None = None) -> list[Ranking]:
    """The rankings of a file, in its order; those of nothing but ties are left out.

    `left_out` is told how many rows are "malformed" or "undecided". Raises: datasets.reading.FileError, one line.
    """
    left_out = Counter() if left_out is None else left_out
    return _rank_lists(path, left_out) if _plain(path) else _ranked_rows(path, read_table(path), left_out)


def read_comparisons(path: str | Path, left_out: Counter[str] | None = None) -> list[Comparison]:
    """The pairs of a file, in its order; a whole dialogue is cut where the last answer begins.

    Pairs whose two texts are the same are left out, and counted as in `read_rankings`.
    Raises: datasets.reading.FileError, one line.
    """
    return _compared_rows(path, read_table(path), Counter() if left_out is None else left_out)


def as_ranking(one: Comparison | Ranking) -> Ranking:
    """A comparison as a ranking of two, without its margin; a ranking as it is."""
    return one if isinstance(one, Ranking) else Ranking(one.prompt, (one.chosen, one.rejected), (1, 2))


def hold_out(rankings: Sequence[Any], n: int) -> tuple[list, list]:
    """(to learn from, at least n kept out), chosen by a hash of the prompt, or of the texts where there is none.

    No prompt is on both sides, case, width and spaces aside: all rankings of one go together. A ranking to learn from
    that holds a text of one kept out is dropped, so the first list may be a little shorter than the rest. Rankings and
    comparisons both will do.
    """
    order = sorted(range(len(rankings)), key=lambda i: (hashlib.sha256(_group(rankings[i]).encode()).digest(), i))
    kept = {_group(rankings[i]) for i in order[:n]}
    out = [one for one in rankings if _group(one) in kept]
    seen = {same_text(text) for one in out for text in texts_of(one)}
    learn = [one for one in rankings if _group(one) not in kept
             and not any(same_text(text) in seen for text in texts_of(one))]
    return learn, out


def texts_of(item: Ranking | Comparison | Labelled) -> tuple[str, ...]:
    """The whole texts that are judged, prompt included."""
    return tuple(item.prompt + response for response in answers_of(item))


def answers_of(item: Ranking | Comparison | Labelled) -> tuple[Any, ...]:
    """The answers that are judged, of a pair the chosen one first."""
    if isinstance(item, Ranking):
        return item.responses
    return (item.response,) if isinstance(item, Labelled) else (item.chosen, item.rejected)


def _group(item: Ranking | Comparison | Labelled) -> str:
    return same_text(item.prompt) or "\n".join(texts_of(item))


def _plain(path: str | Path) -> bool:
    return Path(path).name.lower().removesuffix(".gz").endswith((".tsv", ".txt"))


def _compared_rows(path: str | Path, table: Table, left_out: Counter[str]) -> list[Comparison]:
    """Rows with `chosen` and `rejected`, and perhaps a prompt and a margin."""
    if "responses" in table.columns and "chosen" not in table.columns:
        raise refused(path, "holds rankings ('responses'), and pairs are expected ('chosen', 'rejected'). Train on it "
                            "with --rankings.")
    for column in ("chosen", "rejected"):
        check_column(table, None, column, path)
    found, malformed = [], list(table.malformed)
    for line, row in table.rows:
        chosen, rejected, wrong = row.get("chosen"), row.get("rejected"), ""
        prompt, margin = _prompt(row), row.get("margin")
        if odd := [cell for cell in (prompt, chosen, rejected) if cell is not None and not isinstance(cell, str)]:
            wrong = f"{shorten(odd[0])} is not text; a dialogue is one text with its turns in it"
        elif not (chosen or "").strip() or not (rejected or "").strip():
            wrong = "'chosen' or 'rejected' is empty"
        elif bad := _unusable((prompt, chosen, rejected)):
            wrong = bad
        elif (number := _number(margin)) is not None and not 0 <= number < 1e6:
            wrong = f"the margin is {shorten(margin)}; expected a number, 0 or more"
        if wrong:
            malformed.append((line, wrong))
        elif chosen != rejected:
            found.append(Comparison(*(parted(chosen, rejected) if not prompt else (prompt, chosen, rejected)),
                                    margin=number))
    refuse_if_many(malformed, len(table.rows) + len(table.malformed), path)
    left_out.update(malformed=len(malformed), undecided=len(table.rows) + len(table.malformed) - len(malformed)
                    - len(found))
    return _enough(found, path, "pairs whose texts differ")


def read_rank_lists(path: str | Path) -> tuple[list[Ranking], int] | None:
    """Texts a line, best first, and how many lines are malformed; None if the first line names columns of a table."""
    first = {cell.strip().casefold() for cell in read_rows(path)[0][1].split("\t")}
    if first & HEADER and len(first) > 1:
        return None
    left_out: Counter[str] = Counter()
    return _rank_lists(path, left_out), left_out["malformed"]


def _rank_lists(path: str | Path, left_out: Counter[str]) -> list[Ranking]:
    """K texts a line, tabs between them, best first."""
    rows = [(line, [tidy(cell) for cell in text.split("\t")]) for line, text in read_rows(path)]
    if {"chosen", "rejected"} <= {cell.casefold() for cell in rows[0][1]}:
        raise refused(path, "names the columns of pairs; a .tsv or .txt of rankings has no header. Save the pairs as "
                            ".csv or .jsonl, and train on them with --pairs.", rows[0][0])
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    if width < 2:
        raise refused(path, "holds one text a line; expected the responses of a ranking with tabs between them, best "
                            "first.", rows[0][0])
    found, malformed = [], []
    for line, cells in rows:
        wrong = _wrong(cells)
        if len(cells) != width:
            wrong = f"{len(cells)} texts where most lines have {width} (a tab or a line break inside a text?)"
        if wrong:
            malformed.append((line, wrong))
        else:
            found.append(Ranking("", tuple(cells), tuple(range(1, width + 1))))
    refuse_if_many(malformed, len(rows), path)
    left_out.update(malformed=len(malformed))
    return _enough(found, path, "rankings")


def _ranked_rows(path: str | Path, table: Table, left_out: Counter[str]) -> list[Ranking]:
    """JSON lines with `responses`, and `ranks` where they are not in order."""
    _check_ranked(table, path)
    found, malformed = [], list(table.malformed)
    for line, row in table.rows:
        one, wrong = _ranking(row)
        if wrong:
            malformed.append((line, wrong))
        elif len(set(one.ranks)) > 1:
            found.append(one)
    refuse_if_many(malformed, len(table.rows) + len(table.malformed), path)
    left_out.update(malformed=len(malformed), undecided=len(table.rows) + len(table.malformed) - len(malformed)
                    - len(found))
    return _enough(found, path, "rankings that are not all ties")


def _check_ranked(table: Table, path: str | Path) -> None:
    """The table has `responses`, and no column that was meant for `ranks`: without it the order would be taken."""
    if "responses" not in table.columns:
        if {"chosen", "rejected"} <= set(table.columns):
            raise refused(path, "holds pairs ('chosen', 'rejected'), and rankings are expected ('responses'). Train on "
                                "it with --pairs.")
        if Path(path).name.lower().removesuffix(".gz").endswith(".csv"):
            raise refused(path, "has no column 'responses', and a .csv has no room for a list. Save rankings as a .tsv "
                                "without header (responses with tabs between, best first), or as .jsonl.")
    check_column(table, None, "responses", path)
    lists = {column for _, row in table.rows[:20] for column, cell in row.items() if isinstance(cell, list)}
    near = difflib.get_close_matches("ranks", sorted(lists - {"responses"}), n=1, cutoff=0.6)
    if "ranks" not in table.columns and near:
        raise refused(path, f"has no column 'ranks'; did you mean {near[0]!r}? Call it 'ranks' (1 for the best), or "
                            f"leave it out if the responses stand best first.")


def _ranking(row: dict) -> tuple[Ranking | None, str]:
    """A row as a ranking, or what is wrong with it."""
    prompt, responses, ranks = _prompt(row), row.get("responses"), row.get("ranks")
    if not isinstance(prompt, str):
        return None, f"'prompt' is {shorten(prompt)}, not text"
    if not isinstance(responses, list) or not all(isinstance(text, str) for text in responses):
        return None, f"'responses' is {shorten(responses)}, not a list of texts"
    if wrong := _wrong(responses) or _unusable((prompt,)):
        return None, wrong
    ranks = list(range(1, len(responses) + 1)) if ranks is None else ranks
    if not isinstance(ranks, list) or len(ranks) != len(responses) or not all(type(r) is int for r in ranks):
        return None, f"'ranks' is {shorten(ranks)}; expected {len(responses)} whole numbers, 1 for the best"
    return Ranking(prompt, tuple(responses), tuple(ranks)), ""


def _wrong(responses: Sequence[str]) -> str:
    """What is wrong with the texts of one ranking, "" if nothing."""
    if len(responses) < 2:
        return f"{len(responses)} response; a ranking compares at least 2"
    if not all(text.strip() for text in responses):
        return "an empty response"
    if len({same_text(text) for text in responses}) < len(responses):
        return "the same response twice in one ranking, so it would be better than itself"
    return _unusable(responses)


def _unusable(texts: Sequence[str]) -> str:
    """Why one of the texts cannot be kept in any file, "" if all can."""
    if max(map(len, texts)) > LONGEST_CELL:
        return TOO_LONG
    return "half of a character (a \\ud800 without its other half)" if _HALF.search("".join(texts)) else ""


def parted(chosen: str, rejected: str) -> tuple[str, str, str]:
    """Prompt and two responses of two dialogues that are the same up to the last answer; else no prompt."""
    same = next((i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b),
                min(len(chosen), len(rejected)))
    cut = chosen[:same].rfind(ASSISTANT)
    cut = 0 if cut < 0 else cut + len(ASSISTANT)
    return chosen[:cut], chosen[cut:], rejected[cut:]


def _number(margin: object) -> float | None:
    if margin is None or margin == "":
        return None
    try:
        return float(margin)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _prompt(row: dict) -> object:
    return "" if row.get("prompt") is None else row["prompt"]


def _enough(found: list, path: str | Path, what: str) -> list:
    if len(found) < FEWEST:
        raise refused(path, f"holds {len(found)} {what}; at least {FEWEST} are needed, so that some can be held out. "
                            f"Add more.")
    return found
