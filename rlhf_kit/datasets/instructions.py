"""A folder to make an assistant of: demonstrations, rankings and prompts, each a file or a folder, split by who asked.

    mine/demonstrations.jsonl       prompt, response                    and, where they are known,
    mine/rankings.jsonl             prompt, responses, ranks; or pairs  user    who sent the prompt
    mine/prompts.jsonl              prompt                              split   train or heldout
    mine/pretraining.txt            optional: whole texts, for PPO-ptx
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlhf_kit.datasets.door import Account, Want, as_rankings, bring
from rlhf_kit.datasets.reading import refused, shorten
from rlhf_kit.datasets.sources import read_source

PARTS: dict[str, Want] = {"demonstrations": "examples", "rankings": "preferences", "prompts": "prompts"}
MORE: dict[str, Want] = {"pretraining": "examples"}
USERS, SPLITS = ("user", "user_id", "author", "用户"), ("split", "subset")
HELD_OUT = ("heldout", "held_out", "test", "valid", "validation", "dev", "eval")
SHARE = 0.1                             # of users, or of prompts where nobody says who asked, that are kept out
MOST = 200                              # prompts of one user that are learned from (arXiv:2203.02155)


@dataclass(frozen=True)
class Instructions:
    """What a folder holds, every part in two splits."""

    train: dict[str, list[Any]]         # part -> items: pairs or conversations, rankings, prompts, texts
    heldout: dict[str, list[Any]]
    accounts: tuple[Account, ...]       # what was understood of each file
    notes: tuple[tuple[str, dict[str, Any]], ...]


def read(folder: str | Path) -> Instructions:
    """Read all parts and part them by user.

    Raises: FileError, one line, for a part that is missing or cannot be read, a user in two splits, or a prompt that
        PPO is to answer and a demonstration answers already.
    """
    found = parted(folder, PARTS, MORE)
    _check_prompts(folder, found)
    return found


def parted(folder: str | Path, parts: Mapping[str, Want], more: Mapping[str, Want], whole: str = "pretraining",
           read: Mapping[str, Callable[[str], list[Any]]] | None = None) -> Instructions:
    """Every part of a folder in two splits, by who asked, or by a hash of the prompt where nobody says.

    Args:
        parts, more: what has to be there, and what may be; each a file or a folder of that name.
        whole: the part that is not split.
        read: of parts that `door.bring` does not know, what reads them.

    Raises: FileError, one line, for a part that is missing or cannot be read, a user in two splits, or a split in
        which there is next to nothing.
    """
    places, wanted = _places(folder, parts, more), {**parts, **more}
    brought = {part: _part(place, wanted[part], (read or {}).get(part)) for part, place in places.items()}
    asked = {part: list(_asked_by(places[part], one.prompt)) for part, one in brought.items() if part != whole}
    users = _splits_of_users(folder, asked)
    train: dict[str, list[Any]] = {part: [] for part in wanted}
    heldout: dict[str, list[Any]] = {part: [] for part in wanted if part != whole}
    dropped, sent = 0, Counter()
    for part, one in brought.items():
        if part == whole:
            train[part] = one.items
            continue
        who = dict(asked[part])
        for item in one.items:
            user, said = who.get(prompt_of(item), (None, None))
            split = said or users.get(user) or drawn(str(prompt_of(item)) if user is None else user)
            sent[part, user] += 1
            if split == "train" and user is not None and sent[part, user] > MOST:
                dropped += 1
            else:
                (train if split == "train" else heldout)[part].append(item)
    for part in parts:
        for split, items in (("train", train[part]), ("heldout", heldout[part])):
            if len(items) < 2:
                raise refused(folder, f"leaves {len(items)} {part} in the split {split}; at least 2 are needed there. "
                                      f"Add more, or move some with a column split.")
    return Instructions(train, heldout, tuple(one.account for one in brought.values() if one.account is not None),
                        (("instructions_dropped", {"n": dropped, "most": MOST}),) if dropped else ())


def prompt_of(item: Any) -> Any:
    """The prompt of a demonstration, a ranking, or a prompt itself; a conversation without its last answer."""
    if hasattr(item, "prompt"):
        return item.prompt
    if isinstance(item, tuple) and item and isinstance(item[0], str):
        return item[0]
    return item[:-1] if isinstance(item, tuple) and item and item[-1].role == "assistant" else item


def _places(folder: str | Path, parts: Mapping[str, Want], more: Mapping[str, Want]) -> dict[str, Path]:
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise refused(folder, f"is {'a file' if root.exists() else 'not there'}; expected a folder with "
                              f"{_and(parts)} in it, such as {next(iter(parts))}.jsonl. Check the name.")
    found: dict[str, Path] = {}
    for path in sorted(root.iterdir()):
        part = path.name.partition(".")[0].lower()
        if part in {**parts, **more}:
            if part in found:
                raise refused(folder, f"holds {found[part].name} and {path.name}; expected one of them. Move the other "
                                      f"away.")
            found[part] = path
    if missing := [part for part in parts if part not in found]:
        there = ", ".join(path.name for path in sorted(root.iterdir())[:8]) or "nothing"
        raise refused(folder, f"has no {_and(missing)}; it has {there}. Expected {_and(parts)} in it, a file or a "
                              f"folder each, such as {missing[0]}.jsonl.")
    return found


@dataclass(frozen=True)
class _Part:
    """What a file of the folder holds."""

    items: list[Any]
    prompt: str | None                  # the column of prompts
    account: Account | None


def _part(place: Path, want: Want, read: Callable[[str], list[Any]] | None) -> _Part:
    if read is not None:
        return _Part(read(str(place)), "prompt", None)
    found = bring(str(place), want)
    column = next((columns[0] for part, columns in found.account.used if part == "prompt"), None)
    return _Part(as_rankings(found) if want == "preferences" else found.items, column, found.account)


def _asked_by(place: Path, prompt: str | None) -> Iterator[tuple[Any, tuple[str | None, str | None]]]:
    """(prompt, (user, split)) of every row that says one of the two."""
    if place.name.lower().removesuffix(".gz").endswith(".txt"):
        return
    rows = read_source(str(place)).table.rows
    for line, row in rows:
        user = next((str(row[name]) for name in USERS if row.get(name) not in (None, "")), None)
        said = next((str(row[name]).lower() for name in SPLITS if row.get(name) not in (None, "")), None)
        if said is not None and said != "train" and said not in HELD_OUT:
            raise refused(str(place), f"has the split {shorten(said)}; expected train or heldout.", line)
        if (user or said) and prompt is not None and isinstance(row.get(prompt), str):
            yield row[prompt], (user, None if said is None else "train" if said == "train" else "heldout")


def _splits_of_users(folder: str | Path, asked: dict[str, list]) -> dict[str, str]:
    """user -> the split that some row names. Raises: FileError for one in both."""
    found: dict[str, tuple[str, str]] = {}
    for part, rows in asked.items():
        for _, (user, split) in rows:
            if user is None or split is None:
                continue
            first, where = found.setdefault(user, (split, part))
            if first != split:
                raise refused(folder, f"has the user {shorten(user)} in two splits, {first} in {where} and {split} in "
                                      f"{part}; what is examined would have been learned. Give each user one split, or "
                                      f"leave the column out.")
    return {user: split for user, (split, _) in found.items()}


def _check_prompts(folder: str | Path, found: Instructions) -> None:
    train, heldout = found.train, found.heldout
    demonstrated = {_key(prompt_of(one)) for one in (*train["demonstrations"], *heldout["demonstrations"])}
    both = [one for one in (*train["prompts"], *heldout["prompts"]) if _key(one) in demonstrated]
    if both:
        raise refused(folder, f"has {len(both):,} prompts that are demonstrations, too, such as "
                              f"{shorten(both[0] if isinstance(both[0], str) else both[0][-1].text, 40)}; PPO would "
                              f"answer what it has learned by heart. Leave them out of the prompts.")


def _key(prompt: Any) -> Any:
    return " ".join(prompt.split()) if isinstance(prompt, str) else prompt


def drawn(text: str) -> str:
    """The split of whoever, or whatever, is called that: a hash decides, so that rows added later move nobody."""
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
    return "heldout" if place < SHARE else "train"


def _and(names) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
