"""Rankings as files for others: the article's TSV, pairs for TRL, and JSON lines that keep ties. Written whole.

`datasets/rankings.py` reads them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhf_kit.datasets.reading import refused, shorten
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.storage import write_json_lines, write_text

BREAKS = "\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"       # what some reader of lines and cells takes for an end


@dataclass(frozen=True)
class Written:
    """What a writer did."""

    rows: int                       # lines in the file
    left_out: int                   # rankings (or pairs, for TRL) that the format cannot hold because of a tie


def write_tsv(path: Path | str, rankings: Sequence[Ranking]) -> Written:
    """K texts a line, best first, with tabs between; each is prompt and response in one, as a reward model reads it.

    An order cannot say that two are equal, so a ranking with a tie is left out, and counted.

    Raises: FileError, one line, if a text holds a tab or a line break, or is blank: the line would fall apart.
        Nothing is written then. StorageError if the file cannot be written.
    """
    strict = [r for r in rankings if len(set(r.ranks)) == len(r.ranks)]
    lines = []
    for ranking in strict:
        best_first = sorted(zip(ranking.ranks, ranking.responses, strict=True))
        texts = [ranking.prompt + response for _, response in best_first]
        for text in texts:
            if not text.strip() or any(character in text for character in BREAKS):
                seen = "has a tab or a line break" if text.strip() else "is blank"
                raise refused(path, f"cannot be written as TSV: the text {shorten(text)} {seen}. Nothing was written; "
                                    f"use the format rankings or trl, which hold every text.")
        lines.append("\t".join(texts) + "\n")
    write_text(path, "".join(lines))
    return Written(len(lines), len(rankings) - len(strict))


def write_trl(path: Path | str, rankings: Sequence[Ranking]) -> Written:
    """A pair a line, {"prompt", "chosen", "rejected"}, as TRL's RewardTrainer and DPOTrainer read it.

    A ranking of K gives up to K(K-1)/2 pairs; pairs that tie are left out, and counted.
    """
    pairs = [pair for ranking in rankings for pair in ranking.pairs()]
    every = sum(len(r.ranks) * (len(r.ranks) - 1) // 2 for r in rankings)
    write_json_lines(path, [{"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected} for p in pairs])
    return Written(len(pairs), every - len(pairs))


def write_rankings(path: Path | str, rankings: Sequence[Ranking]) -> Written:
    """A ranking a line, {"prompt", "responses", "ranks"}; equal ranks are a tie. Nothing is left out."""
    write_json_lines(path, [{"prompt": r.prompt, "responses": list(r.responses), "ranks": list(r.ranks)}
                            for r in rankings])
    return Written(len(rankings), 0)


FORMATS = {"tsv": write_tsv, "trl": write_trl, "rankings": write_rankings}
