"""The saved example, which every panel shows before anybody has pressed anything: made by really trained tiny models.

    python -m rlhf_kit.studio.example                   about eight minutes of one core; writes rlhf_kit/data/
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhf_kit.language import LANGS, Lang
from rlhf_kit.storage import write_text
from rlhf_kit.studio import comparing, probing, rank_tasks, train, vote_pairs

PLACE = Path(__file__).parents[1] / "data"


def make(lang: Lang, tour: Path, folder: Path) -> dict[str, Any]:
    """Each panel's part, by its name.

    Args:
        tour: a finished tour over the embedded reviews: base, reward model and policy.
        folder: empty; the example of the Train panel is trained there.
    """
    return {"compare": comparing.example(lang, tour), "probe": probing.example(lang), "rank": rank_tasks.example(lang),
            "vote": vote_pairs.example(lang, tour / "policy"), "train": train.example(lang, folder)}


def main(languages: Sequence[str]) -> None:
    """Write the files of these languages, or of both."""
    from rlhf_kit.jobs.tour import Tour, embedded
    for lang in languages or LANGS:
        with tempfile.TemporaryDirectory() as place:
            tour = Tour(Path(place) / "tour", embedded(lang, judge="ranked"))
            for event in tour.run():
                if event.done == event.total:
                    print(lang, event.stage, file=sys.stderr)
            made = make(lang, tour.folder, Path(place) / "studio")
        text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
        write_text(PLACE / f"studio_example_{lang}.json", f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
