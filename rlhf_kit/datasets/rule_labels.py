"""Labels of broken rules from a file and into one: a prompt, an answer, the rule's text, and a level or a yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rlhf_kit.datasets.reading import check_column, read_table, refuse_if_many, refused, shorten
from rlhf_kit.formulas.records import RuleLabel
from rlhf_kit.formulas.rule_reward import LEVELS
from rlhf_kit.storage import write_json_lines

COLUMNS = ("prompt", "response", "rule", "level")
PLAIN = {"broken": LEVELS[0], "yes": LEVELS[0], "true": LEVELS[0], "1": LEVELS[0],
         "followed": LEVELS[-1], "kept": LEVELS[-1], "no": LEVELS[-1], "false": LEVELS[-1], "0": LEVELS[-1],
         "definitely break": LEVELS[0], "probably break": LEVELS[1], "probably follow": LEVELS[3],
         "definitely follow": LEVELS[-1]}


def read_rule_labels(path: str | Path) -> list[RuleLabel]:
    """The rows of a table with the columns prompt, response, rule and level; levels in Sparrow's words, or broken and
    followed, yes and no, 1 and 0 (is it broken?). Raises: FileError, one line."""
    table = read_table(path)
    for column in COLUMNS:
        check_column(table, None, column, path)
    found, malformed = [], list(table.malformed)
    for line, row in table.rows:
        cells = [row.get(column) for column in COLUMNS]
        level = _level(cells[-1])
        if level is None:
            malformed.append((line, f"the level is {shorten(cells[-1])}; expected one of {', '.join(LEVELS)}, or "
                                    f"broken or followed"))
        elif not all(isinstance(cell, str) for cell in cells[:-1]) or not (cells[1].strip() and cells[2].strip()):
            malformed.append((line, "the response or the rule is empty, or no text"))
        else:
            found.append(RuleLabel(cells[0], cells[1], cells[2].strip(), level))
    refuse_if_many(malformed, len(table.rows) + len(table.malformed), path)
    if not found:
        raise refused(path, "has no row with a response, a rule and a level. Add some.")
    return found


def write_rule_labels(path: str | Path, labels: Sequence[RuleLabel]) -> int:
    """A label a line, {"prompt", "response", "rule", "level"}, as `read_rule_labels` reads it; how many there are."""
    write_json_lines(path, [asdict(one) for one in labels])
    return len(labels)


def _level(cell: object) -> str | None:
    text = " ".join(str(cell).casefold().replace("_", " ").split())
    return text if text in LEVELS else PLAIN.get(text)
