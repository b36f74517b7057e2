"""Three labs on one bench, in English: what `rlhf-kit labs` measures, kept in `labs.json`.

    make bench ARGS=labs                        SEEDS=1 LABS=sft,sparrow change it

Runs are kept in the cache's folder `bench-labs`, so that a stopped one goes on where it was. The JSON has every policy
without its texts; `docs/labs.en.png` and `docs/labs.zh.png` are drawn from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from rlhf_kit.language import LANGS, say
from rlhf_kit.storage import write_text
from rlhf_kit.studies import labs
from rlhf_kit.studies.labs import page
from tests.benchmarks.differences import about
from tests.benchmarks.kept import result_of, save_pictures

FILE = Path(__file__).with_name("labs.json")
MEASURED = {"en": "*measured here*", "zh": "*在这里测得*"}


def main() -> None:
    """SEEDS (default 3) and LABS (all); the JSON, both pictures and the rows of the pages."""
    torch.set_num_threads(1)
    job = labs.LabsJob(lang="en", seeds=int(os.environ.get("SEEDS", 3)),
                       labs=labs.chosen(os.environ.get("LABS")))
    stored = kept(result_of(job, "labs"))
    write_text(FILE, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    draw(stored)
    for lang in LANGS:
        print("", *table(stored, lang), sep="\n")


def kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a run: when, with what, and every policy without its texts."""
    policies = [{name: value for name, value in one.items() if name != "texts"} for one in result["policies"]]
    return {**about("labs"), **{name: result[name] for name in ("base", "lang", "labs", "seeds", "size")},
            "policies": policies}


def draw(stored: Mapping[str, Any]) -> None:
    """The picture in both languages."""
    save_pictures("labs", lambda lang: page.picture(stored, lang))


def table(stored: Mapping[str, Any], lang: str) -> Iterator[str]:
    """What each lab does, then what was measured of it: a column for each policy."""
    called = page.names(stored, lang)
    yield f"| | {' | '.join(called.values())} |"
    yield "|---" * (len(called) + 1) + "|"
    nothing = ["–"] * len(labs.REFERENCES)
    for name, cells in page.did(stored, lang):
        yield f"| {name} | {' | '.join([*nothing, *cells])} |"
    yield f"| {MEASURED[lang]} |{' |' * len(called)}"
    for name, cells in page.measured(stored, lang):
        yield f"| {name} | {' | '.join(cells)} |"
    kinds = [page.kinds(one["labels"], lang) or "–" for one in stored["policies"]]
    yield f"| {say(lang, 'labs_measure_kinds')} | {' | '.join(kinds)} |"


if __name__ == "__main__":
    main()
