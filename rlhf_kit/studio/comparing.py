"""What the panel Compare shows, as plain JSON: samples of several policies with a number on every token."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhf_kit.language import Lang
from rlhf_kit.storage import write_text
from rlhf_kit.studio import talks
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.worlds import REVIEWS, World

if TYPE_CHECKING:
    from rlhf_kit.formulas.records import Chat, Rollout
    from rlhf_kit.models.heads import Policy
    from rlhf_kit.rewards import Reward
    from rlhf_kit.sampling import Sampling
    from rlhf_kit.studio.shelf import Judge

CHIPS = 6                           # prompts to choose from, in the panel's words
SAMPLES = 3                         # of each policy: not one lucky one
SHOWN = 60                          # characters of a prompt on a button
PROMPTS = 60                        # held-out, for the histogram
AT_ONCE = 20                        # of them between two reports of progress
EXAMPLE_TOKENS = 40                 # of a response in the saved example
ADDRESS = re.compile("[0-9a-f]{16}")
ADDRESSES = 200                     # comparisons that are found again
VIEW = "view-"                      # what their files' names begin with
PAUSE = 0.2                         # seconds between two pictures of a growing response


@dataclass(frozen=True)
class Column:
    """One policy that takes part."""

    name: str
    policy: Policy
    reference: Policy | None = None         # where its drift is measured from
    reference_name: str | None = None
    step: int | None = None                 # of its run, where it is one of several
    steps: int | None = None

    def asked(self, prompts: Sequence[str]) -> list[str]:
        """These prompts as the policy is asked them: through its chat template, if it has one."""
        from rlhf_kit.jobs.written import question
        return [question(self.policy.tokenizer, prompt)[0] for prompt in prompts]


def responses(columns: Sequence[Column], prompt: str, sampling: Sampling, seed: int) -> Iterator[list[Rollout]]:
    """The same prompt, seed and temperature for all: SAMPLES responses of each, growing side by side."""
    from rlhf_kit.sampling import stream_rollout
    streams = [stream_rollout(column.policy, column.asked([prompt] * SAMPLES), sampling, seed) for column in columns]
    grown: list[Rollout | None] = [None] * len(columns)
    try:
        open_ = list(range(len(columns)))
        while open_:
            for i in list(open_):
                rollout = next(streams[i], None)
                if rollout is None:
                    open_.remove(i)
                else:
                    grown[i] = rollout
            if open_:
                yield list(grown)
    finally:
        for stream in streams:
            stream.close()


def chats_of(columns: Sequence[Column], prompts: Sequence[str]) -> dict[str, Chat]:
    """The conversation of every prompt that a policy's template writes, for the judge."""
    from rlhf_kit.jobs.written import question
    found = (question(column.policy.tokenizer, prompt) for column in columns for prompt in prompts)
    return {written: chat for written, chat in found if chat is not None}


def picture(columns: Sequence[Column], grown: Sequence[Rollout], **about: Any) -> dict[str, Any]:
    """A view of responses that are not judged yet: the surprise of each piece is all that is known."""
    return _view(columns, [[_sample(column.policy, rollout, row, "") for row in range(len(rollout))]
                           for column, rollout in zip(columns, grown, strict=True)], about)


def unjudged(view: object) -> bool:
    """Whether a view, as the browser sends it, is such a picture."""
    try:
        return any(sample["reward"] is None for column in view["columns"] for sample in column["samples"])
    except (TypeError, KeyError, IndexError):
        return False


def judged(columns: Sequence[Column], grown: Sequence[Rollout], judge: Reward, lang: Lang,
           world: World = REVIEWS, **about: Any) -> dict[str, Any]:
    """A view with everything: reward, drift and surprise of each piece, and the totals of each response.

        {"prompt", "seed", "temperature", "beta", "reward", ...,
         "columns": [{"name", "step", "steps", "reference",
                      "samples": [{"pieces": [[text, reward, kl, surprise], ...],
                                   "reward", "kl", "tokens", "gold", "ended"}, ...]}, ...]}

    Where the world knows more, a sample has that too, see `talks.truths`. What is not known is null: the drift without
    a reference of the same vocabulary, gold for a product unheard of.
    """
    from rlhf_kit.attribution import drift, same_vocabulary
    samples = []
    for column, rollout in zip(columns, grown, strict=True):
        fits = column.reference is not None and same_vocabulary(column.policy, column.reference)
        drifted = drift(column.policy, column.reference, rollout) if fits else None
        samples.append([_sample(column.policy, rollout, row, about.get("prompt", ""), judge, drifted, lang, world)
                        for row in range(len(rollout))])
    return _view(columns, samples, about)


def best_of(column: Column, singles: Rollout, n: int, judge: Reward, sampling: Sampling, seed: int, lang: Lang,
            world: World = REVIEWS, typed: str = "") -> dict[str, Any]:
    """The column of a policy's best of n: beside each of its single samples n - 1 more are drawn, the best is kept.

        {"name", "step", ..., "samples": [the best of n, ...], "kl_bounds": [log m - (m-1)/m for m = 1 ... n],
         "chosen": [[{"of": m, ...}, ...], ...]}

    `chosen` has for each row every draw that was the best when m had been drawn; the best of m is the last with
    "of" <= m. How far such a choice lies from one draw is bounded and not counted token by token: "kl" is null.
    """
    from rlhf_kit.formulas.best_of_n import kl_bound
    from rlhf_kit.loops.batches import seed_for
    from rlhf_kit.rewards import checked
    from rlhf_kit.sampling import sample_rollout
    more = sample_rollout(column.policy, [prompt for prompt in singles.prompts for _ in range(n - 1)], sampling,
                          seed_for(seed, "best_of"))
    first, others = (checked(judge(drawn.prompts, drawn.responses), len(drawn), judge).tolist()
                     for drawn in (singles, more))
    chosen = []
    for row, best in enumerate(first):
        found = [{"of": 1, **_sample(column.policy, singles, row, typed, judge, None, lang, world)}]
        for m, other in enumerate(range(row * (n - 1), (row + 1) * (n - 1)), 2):
            if others[other] > best:
                best = others[other]
                found.append({"of": m, **_sample(column.policy, more, other, typed, judge, None, lang, world)})
        chosen.append(found)
    view, = _view([column], [[found[-1] for found in chosen]], {})["columns"]
    return {**view, "reference": None, "chosen": chosen, "kl_bounds": [_round(kl_bound(m).item())
                                                                       for m in range(1, n + 1)]}


def rewards_of(columns: Sequence[Column], reward: Reward, sampling: Sampling, seed: int, lang: Lang, *,
               world: World = REVIEWS, into: Sequence[list[float]]) -> Iterator[tuple[int, int]]:
    """Put the reward of one sample to each of PROMPTS held-out prompts `into` each policy's list; (done, total)."""
    from rlhf_kit.rewards import checked
    from rlhf_kit.sampling import sample_rollout
    prompts = held_out(lang, world)
    total = PROMPTS * len(columns)
    for start in range(0, PROMPTS, AT_ONCE):
        batch = prompts[start:start + AT_ONCE]
        for scores, column in zip(into, columns, strict=True):
            rollout = sample_rollout(column.policy, column.asked(batch), sampling, seed + start)
            scores += _rounded(checked(reward(rollout.prompts, rollout.responses), len(rollout), reward).tolist())
            yield sum(map(len, into)), total


def held_out(lang: Lang, world: World = REVIEWS) -> list[str]:
    """The prompts of the histogram, always the same."""
    return world.of(lang).prompts("heldout", PROMPTS)


def short(prompt: str) -> str:
    """A prompt as a button shows it: of one with several lines the first, and no more than fits.

    Of a conversation it is what was asked last.
    """
    prompt = talks.named(prompt)
    first = prompt.strip().splitlines()[0] if prompt.strip() else prompt
    return first if len(first) <= SHOWN else f"{first[:SHOWN - 1].rstrip()}…"


class Kept:
    """Results on the disk, each under what it was made of; one that is damaged is made again.

    Comparisons have an address as well, by which a page finds them again; the last ADDRESSES are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, of: dict[str, Any]) -> dict[str, Any] | None:
        """What was kept of exactly this."""
        try:
            found = json.loads(self._path(of).read_text(encoding="utf-8"))
            return found["result"] if found["of"] == json.loads(json.dumps(of)) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, of: dict[str, Any], result: dict[str, Any]) -> None:
        """Keep it. Raises: StorageError."""
        write_text(self._path(of), json.dumps({"of": of, "result": result}, ensure_ascii=False))

    def keep(self, of: dict[str, Any], result: dict[str, Any]) -> str:
        """Keep a comparison; returns its address. Raises: StorageError."""
        key = _key(of)
        write_text(self.folder / f"{VIEW}{key}.json", json.dumps(result, ensure_ascii=False))
        for old in sorted(self.folder.glob(f"{VIEW}*.json"), key=lambda one: one.stat().st_mtime)[:-ADDRESSES]:
            old.unlink(missing_ok=True)
        return key

    def found(self, key: object) -> dict[str, Any] | None:
        """The comparison of that address, which anybody may have typed; None if there is none (any more)."""
        if not isinstance(key, str) or not ADDRESS.fullmatch(key):
            return None
        try:
            return json.loads((self.folder / f"{VIEW}{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _path(self, of: dict[str, Any]) -> Path:
        return self.folder / f"{_key(of)}.json"


def _key(of: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _view(columns: Sequence[Column], samples: list[list[dict]], about: dict[str, Any]) -> dict[str, Any]:
    from rlhf_kit.zoo import TINY_PPO
    return {"beta": TINY_PPO.kl.coefficient, **about,          # unless somebody knows it, the tiny models' price
            "columns": [{"name": column.name, "step": column.step, "steps": column.steps,
                         "reference": column.reference_name, "samples": rows}
                        for column, rows in zip(columns, samples, strict=True)]}


def _sample(policy: Policy, rollout: Rollout, row: int, typed: str, reward: Reward | None = None, drifted: Any = None,
            lang: Lang = "en", world: World = REVIEWS) -> dict[str, Any]:
    from rlhf_kit.attribution import contributions, pieces, surprise
    keep = rollout.mask[row]
    found = pieces(policy.tokenizer, rollout.response_ids[row][keep].tolist(), policy.ends)
    surprised = surprise(rollout)[row][keep]
    drift = None if drifted is None else drifted[row][keep]
    prompt, texts = rollout.prompts[row], [piece.text for piece in found]
    start, earned = (None, [None] * len(found)) if reward is None else contributions(reward, prompt, texts)
    numbers = [[piece.text, _round(gain), None if drift is None else _round(piece.total(drift)),
                _round(piece.total(surprised))] for piece, gain in zip(found, earned, strict=True)]
    return {"pieces": numbers, "reward": None if start is None else _round(start + sum(earned)),
            "kl": None if drift is None else _round(drift.sum().item()), "tokens": int(keep.sum()),
            "gold": None if reward is None else gold_of(typed, rollout.responses[row], lang, world),
            **({} if reward is None else talks.truths(world, typed, rollout.responses[row], lang)),
            "ended": bool(rollout.ended[row])}


def gold_of(prompt: str, response: str, lang: Lang, world: World = REVIEWS) -> float | None:
    """The truth about a text, where the task understands what it is about; None where it does not.

    Of reviews that is known: the product. Another task may fail on a prompt that it never gave.
    """
    task = world.of(lang)
    if world != REVIEWS:
        try:
            return _round(task.gold(prompt, response))
        except Exception:                               # a person's own class, asked about anything that is typed
            return None
    explained = task.explain(prompt, response)
    return None if explained.product is None else _round(explained.gold)


def _rounded(numbers: Sequence[float]) -> list[float]:
    return [_round(x) for x in numbers]


def _round(x: float | None) -> float | None:
    return None if x is None else round(float(x), 4)



def example(lang: Lang, policy_folder: Path | str, reward: Judge | str | None = None) -> dict[str, Any]:
    """The panel's part of the saved example: {"views": one for each chip, "histogram": {"reward", "series"}}.

    Args:
        policy_folder: what a run left, a tour's or `rlhf-kit train ppo`'s; compared with what it was trained from.
        reward: a judge or the name of one; None = the one that the run pleased.
    """
    from rlhf_kit.sampling import Sampling
    from rlhf_kit.studio.shelf import Shelf
    shelf = Shelf(policy_folder, [str(policy_folder)])
    before, after, pleased = shelf.defaults(lang)
    judge = shelf.judge(reward or pleased, lang) if reward is None or isinstance(reward, str) else reward
    base, sampling, words = shelf.policy(before, lang), Sampling(max_new_tokens=EXAMPLE_TOKENS), Words(lang, "compare")
    columns = [Column(words("example_before"), base, base, words("example_before")),
               Column(words("example_after"), shelf.policy(after, lang), base, words("example_before"))]
    name, views = f"tiny-judge-{lang}" if judge.kind == "classifier" else f"tiny-rm-{lang}", []
    for number in range(CHIPS):
        prompt = words(f"chip_{number + 1}")
        *_, grown = responses(columns, prompt, sampling, seed=number)
        views.append(judged(columns, grown, judge.probability, lang, prompt=prompt, seed=number, temperature=1.0,
                            reward=name))
    scores: list[list[float]] = [[], []]
    for _ in rewards_of(columns, judge.probability, sampling, 0, lang, into=scores):
        pass
    return {"views": views, "histogram": {"reward": name, "series": [
        {"name": column.name, "scores": one} for column, one in zip(columns, scores, strict=True)]}}
