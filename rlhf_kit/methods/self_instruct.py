"""Self-instructed prompts: a model that reads a list of requests writes the next one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.batches import check_settings, seed_for
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.text import check_texts
from rlhf_kit.sampling import Sampling, check_room, generate

HEAD, BULLET = "What users ask:", "- "


@spelled
@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings."""

    shots: int = 10                 # requests that are shown, all different (arXiv:2204.05862)
    batch_size: int = 16            # requests that are written at a time
    max_new_tokens: int = 48        # of a request at most; one that does not end within them is no request
    temperature: float = 1.0
    top_p: float = 1.0              # draw among the likeliest tokens that together reach it
    shortest: int = 3               # characters of a request at least
    patience: int = 20              # batches in a row without a new request, before it gives up
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("shots", "shortest", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, 1e-3)
        Sampling(max_new_tokens=self.max_new_tokens, temperature=self.temperature)


def listed(requests: Sequence[str], head: str = HEAD, bullet: str = BULLET) -> str:
    """A list of requests, one a line, up to where the next one begins."""
    return "\n".join([head, *(bullet + one for one in requests), bullet.rstrip()])


def requests(policy: Policy, seeds: Sequence[str], config: Config | None = None, *,
             write: Callable[[Sequence[str]], str] = listed,
             keep: Callable[[str], bool] | None = None) -> Iterator[str]:
    """New requests, as they are written; without an end, so take as many as you need.

    Each is what the model writes behind `shots` others, drawn anew each time, up to the end of the line. Left out are
    copies, of those shown or of any that is known, case and space aside, what does not end, and what is too short.

    Args:
        seeds: requests of people, one line each, at least `shots` different ones; only these are shown.
        write: how a list is written, up to where the next request begins: as the model has read such lists.
        keep: what else a request must be, such as one that the world understands; None = nothing.

    Raises: ValueError for bad arguments, or if none is new for `patience` batches.
    Source: Bai et al. 2022, arXiv:2204.05862, section 4.2; Wang et al. 2022, arXiv:2212.10560.
    """
    config = given(config, Config)
    known = _checked(policy, seeds, config)
    shown, sampling = list(known.values()), Sampling(max_new_tokens=config.max_new_tokens,
                                                     temperature=config.temperature)
    number, empty = 0, 0
    while empty < config.patience:
        rng = random.Random(seed_for(config.seed, "shots", number))
        lists = [write(rng.sample(shown, config.shots)) for _ in range(config.batch_size)]
        if number == 0:
            check_room(policy, lists, sampling)
        said = generate(policy, lists, sampling, seed=seed_for(config.seed, "requests", number), top_p=config.top_p)
        number, before = number + 1, len(known)
        for text in said:
            request, ended, _ = text.lstrip(" ").partition("\n")
            request = request.strip()
            if ended and len(request) >= config.shortest and _plain(request) not in known \
                    and (keep is None or keep(request)):
                known[_plain(request)] = request
                yield request
        empty = 0 if len(known) > before else empty + 1
    raise ValueError(f"of {config.patience * config.batch_size} requests in a row none was new: copies, or no end "
                     f"within {config.max_new_tokens} tokens. Give more seeds, a higher temperature, or a model that "
                     f"has read lists like these.")


def _checked(policy: Policy, seeds: Sequence[str], config: Config) -> dict[str, str]:
    """The different seeds, by what they are but for case and space."""
    check_policy(policy)
    found = {_plain(one): one.strip() for one in check_texts(seeds, "seeds") if one.strip()}
    if odd := next((one for one in found.values() if "\n" in one), None):
        raise ValueError(f"a seed has several lines, {odd[:40]!r}; expected requests of one line each.")
    if len(found) < config.shots:
        raise ValueError(f"there are {len(found)} different seeds, and {config.shots} are shown at a time. Give more, "
                         f"or lower shots.")
    return found


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
