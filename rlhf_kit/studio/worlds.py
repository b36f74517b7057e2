"""Which made-up world the panels are about: in a page's language, where it speaks both, or one task for all pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rlhf_kit.language import LANGS, Lang

if TYPE_CHECKING:
    from rlhf_kit.tasks import Task


@dataclass(frozen=True)
class World:
    """A world, and the tiny models of it. Asking for names needs no torch.

    Args:
        place: what `--task` is given, as a process in any folder understands it; None = reviews.
        task: its name, registered, or that of a family with a task in each language, such as "assistant".
    """

    place: str | None = None
    task: str | None = None

    def name(self, lang: Lang) -> str:
        """The task's name."""
        from rlhf_kit import tasks
        return tasks.in_language(self.task or "reviews", lang)

    @property
    def follows_the_page(self) -> bool:
        """Whether each page has texts of its own language."""
        return len({self.name(lang) for lang in LANGS}) > 1

    def of(self, lang: Lang) -> Task:
        """The task itself."""
        from rlhf_kit import tasks
        return tasks.find(self.name(lang))

    def model(self, part: Literal["lm", "judge", "rm"], lang: Lang) -> str:
        """The name of its tiny language model, judge or reward model."""
        from rlhf_kit.tasks import tiny_name
        return tiny_name(part, self.name(lang))

    @property
    def options(self) -> list[str]:
        """Of the commands that train in it."""
        return [] if self.place is None else ["--task", self.place]


REVIEWS = World()


def world_of(place: str | None) -> World:
    """The world that `--task` asks for; one that stands in a file is run and registered. Raises: ValueError."""
    if place is None:
        return REVIEWS
    from pathlib import Path

    from rlhf_kit import tasks
    from rlhf_kit.datasets.python_file import is_place
    if all(tasks.in_language(place, lang) != place for lang in LANGS):
        return REVIEWS if place == "reviews" else World(place, place)
    found = tasks.find(place)
    if is_place(place):
        file, _, name = place.rpartition(":")
        place = f"{Path(file).expanduser().resolve()}:{name}"
        return World(place, found.name)
    return World(place, place)
