"""Two sets of comparisons to make an assistant of, one of help and one of harm, as hh-rlhf lays them out.

    mine/helpful.jsonl          chosen, rejected (and prompt, where they are not whole dialogues); or a folder helpful-…
    mine/harmless.jsonl         the same; the less harmful answer was chosen
    mine/red_team.jsonl         in place of it: the more harmful answer was chosen, and is turned round
    mine/prompts.jsonl          optional: prompts for PPO, beside those of the comparisons
    mine/votes.jsonl            optional: pairs or scored answers that voters made, for PMP
    mine/preamble.txt           optional: the prompt that is distilled
    mine/pretraining.txt        optional: texts that are read behind it, too

A folder such as `helpful-base` counts as a part of `helpful`. A set on the hub with the folders `helpful-base` and
`harmless-base` in it, Anthropic/hh-rlhf, may be named instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlhf_kit.datasets.door import Account, as_rankings, bring
from rlhf_kit.datasets.reading import read_text, refused
from rlhf_kit.datasets.recast import turned
from rlhf_kit.datasets.sources import is_hub_name
from rlhf_kit.formulas.records import Comparison

COMPARED = ("helpful", "harmless", "red_team", "votes")
OTHERS = ("prompts", "preamble", "pretraining")
ON_HUB = {"helpful": "helpful-base", "harmless": "harmless-base"}


@dataclass(frozen=True)
class HelpfulHarmless:
    """What was brought; of each comparison the better answer first."""

    helpful: list[Comparison]
    harmless: list[Comparison]
    votes: list[Comparison]
    prompts: list[Any]                  # texts or conversations
    preamble: str | None
    pretraining: list[str]
    accounts: tuple[Account, ...]       # what was understood of each file


def read(source: str | Path) -> HelpfulHarmless:
    """Read all parts. Raises: FileError, one line, for a part that is missing, there twice, or cannot be read."""
    on_hub = is_hub_name(source)
    places = {name: [f"{source}/{folder}"] for name, folder in ON_HUB.items()} if on_hub else _places(source)
    accounts: list[Account] = []

    def compared(part: str) -> list[Comparison]:
        found = []
        for place in places.get(part, ()):
            brought = bring(str(place), "preferences")
            accounts.append(brought.account)
            for one in as_rankings(brought):
                found += [one] if isinstance(one, Comparison) else one.pairs()
        return found

    found = {part: compared(part) for part in COMPARED}
    asked = [bring(str(place), "prompts") for place in places.get("prompts", ())]
    texts = [bring(str(place), "examples") for place in places.get("pretraining", ())]
    accounts += [one.account for one in (*asked, *texts)]
    preamble = next((read_text(str(place)) for place in places.get("preamble", ())), None)
    return HelpfulHarmless(found["helpful"], [*found["harmless"], *turned(found["red_team"])], found["votes"],
                           [item for one in asked for item in one.items], preamble,
                           [item for one in texts for item in one.items], tuple(accounts))


def _places(source: str | Path) -> dict[str, list[Path]]:
    """The files and folders of each part."""
    root = Path(source).expanduser()
    if not root.is_dir():
        raise refused(source, f"is {'a file' if root.exists() else 'not there'}; expected a folder with comparisons in "
                              f"it, helpful.jsonl and harmless.jsonl, or Anthropic/hh-rlhf. Check the name.")
    found: dict[str, list[Path]] = {}
    for part, path in _named(root):
        found.setdefault(part, []).append(path)
    for part, paths in found.items():
        files = [path for path in paths if path.is_file()]
        if len(files) > 1 or (len(paths) > 1 and part in OTHERS):
            raise refused(source, f"holds {paths[0].name} and {paths[1].name}; expected one of them. Move the other "
                                  f"away.")
    there = ", ".join(path.name for path in sorted(root.iterdir())[:8]) or "nothing"
    if "helpful" not in found or not {"harmless", "red_team"} & found.keys():
        missing = "helpful" if "helpful" not in found else "harmless or red_team"
        raise refused(source, f"has no {missing}; it has {there}. Expected comparisons of help and of harm, a file or "
                              f"a folder each, such as {missing.split()[0]}.jsonl.")
    if {"harmless", "red_team"} <= found.keys():
        raise refused(source, "has harmless and red_team; in the one the less harmful answer was chosen, in the other "
                              "the more harmful one. Move one of them away.")
    return found


def _named(root: Path) -> Iterator[tuple[str, Path]]:
    """(part, place) of what a folder holds: `helpful.jsonl`, `helpful-base/`, `preamble.txt`."""
    for path in sorted(root.iterdir()):
        name = path.name.lower().partition(".")[0]
        for part in (*COMPARED, *OTHERS):
            if name == part or (path.is_dir() and name.startswith((f"{part}-", f"{part}_"))):
                yield part, path
