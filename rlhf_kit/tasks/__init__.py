"""Tasks by name: small worlds of text with a known true quality, the kit's own and yours.

    kit.tasks.names()                   # reviews-en, reviews-zh, forum-en, forum-zh, translation, arithmetic, …
    kit.tasks.register(Weather)         # one more, under its own name: "weather-en"
    kit.tasks.find("weather-en")

On the command line `--task my_task.py:Weather` runs the file, registers what stands there and takes it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, get_args, runtime_checkable

from rlhf_kit.datasets.python_file import is_place, object_in
from rlhf_kit.language import LANGS, Lang, nearest

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")            # it becomes part of a folder's name: tiny-lm-NAME
FORUM = {"en": "tiny-forum", "zh": "tiny-forum-zh"}     # language models that have read the made-up forum's pages
TRANSLATOR = "tiny-translator"                          # the one that imitates imperfect translations
BASES: dict[Lang, str] = {lang: f"tiny-base-{lang}" for lang in LANGS}      # where assistants begin: it has read all
WRITERS = {"translation": TRANSLATOR, **{f"forum-{lang}": FORUM[lang] for lang in LANGS},
           **{f"assistant-{lang}": BASES[lang] for lang in LANGS}}
Part = Literal["lm", "judge", "rm"]
PARTS: tuple[Part, ...] = get_args(Part)                # of a task: language model, judge, reward model
LONGER = {"forum-en": 80, "forum-zh": 96, "translation": 72}     # tokens of a response, where it takes more than usual
SAMPLES = 16                                            # texts by which a task is told from an older one of its name


@runtime_checkable
class Task(Protocol):
    """What every task has. The same seed gives the same texts; `split` is "train" or "heldout".

    A task may have more: `rankings` (else they are made of its labelled texts, see `tasks.rankings`), `comparisons` and
    `answered` as StackLLaMA learns from, `explain(prompt, response)` as the report shows it, `lang`.
    """

    name: str

    def prompts(self, split: str = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """Beginnings of texts; with n None each of them once."""

    def corpus(self, n: int, seed: int = 0, split: str = "train") -> list[str]:
        """Whole texts."""

    def labelled(self, n: int, seed: int = 0, split: str = "train") -> list[tuple[str, int]]:
        """Whole texts with 1 for a good one and 0 for a bad one."""

    def gold(self, prompt: str, response: str) -> float:
        """The true quality of a response, in [0, 1]."""


Maker = TypeVar("Maker", bound=Callable[[], Any])
OWN: dict[str, tuple[str, str, dict[str, Any]]] = {     # name -> where the class stands, its arguments
    "reviews-en": ("rlhf_kit.tasks.reviews", "Reviews", {"lang": "en"}),
    "reviews-zh": ("rlhf_kit.tasks.reviews", "Reviews", {"lang": "zh"}),
    "forum-en": ("rlhf_kit.tasks.forum", "Forum", {"lang": "en"}),
    "forum-zh": ("rlhf_kit.tasks.forum", "Forum", {"lang": "zh"}),
    "translation": ("rlhf_kit.tasks.translation", "Translation", {}),
    "arithmetic": ("rlhf_kit.tasks.arithmetic", "Arithmetic", {}),
    "assistant-en": ("rlhf_kit.tasks.assistant", "Assistant", {"lang": "en"}),
    "assistant-zh": ("rlhf_kit.tasks.assistant", "Assistant", {"lang": "zh"}),
}
_REGISTERED: dict[str, Callable[[], Task]] = {}


def room(name: str, usual: int) -> int:
    """Tokens that a response of that task may have: `usual`, unless its texts take more."""
    return LONGER.get(name, usual)


def register(maker: Maker) -> Maker:
    """Make a task known by its name everywhere: `register(Weather)`, or `@register` above the class.

    Args:
        maker: the class, or any function that returns the task. A later one of the same name takes its place.

    Raises: ValueError, one line, if something is missing, or the name is one of the kit's own.
    """
    task = maker()
    missing = [name for name in ("name", "prompts", "corpus", "labelled", "gold") if not hasattr(task, name)]
    if missing:
        raise ValueError(f"{_called(maker)} has no {' and no '.join(missing)}; a task has name, prompts, corpus, "
                         f"labelled and gold. Add what is missing.")
    if not isinstance(task.name, str) or not NAME.fullmatch(task.name):
        raise ValueError(f"the name of {_called(maker)} is {task.name!r}; expected small letters and digits, with "
                         f"hyphens between, such as weather-en.")
    if task.name in OWN:
        raise ValueError(f"{_called(maker)} calls itself {task.name}, which is one of the kit's own tasks. Give it "
                         f"another name.")
    _REGISTERED[task.name] = maker
    return maker


def find(name: str) -> Task:
    """The task of that name, or the one that stands in a Python file of yours: "my_task.py:Weather".

    The file is run, as an import would run it, and the task is registered. Raises: ValueError, one line.
    """
    if is_place(name):
        return from_file(name)
    if name in OWN:
        module, kind, options = OWN[name]
        return getattr(import_module(module), kind)(**options)
    if name in _REGISTERED:
        return _REGISTERED[name]()
    raise ValueError(f"there is no task {name!r}; there are {', '.join(names())}. Name one of them, or one in a file "
                     f"of yours, such as my_task.py:Weather.")


def in_language(name: str, lang: Lang) -> str:
    """The name of a world in that language, where only its family is named: "assistant" -> "assistant-zh"."""
    return f"{name}-{lang}" if name not in names() and f"{name}-{lang}" in names() else name


def from_file(place: str) -> Task:
    """Run the file, register what is called so in it, and make one. Raises: ValueError, one line."""
    maker, _ = object_in(place, "task", "class", "my_task.py:Weather", "class {name}")
    try:
        register(maker)
        return maker()
    except ValueError:
        raise
    except Exception as error:                              # whatever a person's own class may raise
        raise ValueError(f"the task {place} cannot be made: {type(error).__name__}: {error}. Mend it and try "
                         f"again.") from error


def names() -> list[str]:
    """Every name that `find` knows: the kit's own first."""
    return [*OWN, *_REGISTERED]


def tiny_name(part: Part, task: str) -> str:
    """The name of a task's tiny language model, judge or reward model: `tiny_name("lm", "weather-en")`."""
    if task.startswith("reviews-") and task in OWN:
        return f"tiny-{part}-{task.removeprefix('reviews-')}"
    if part == "lm" and task in WRITERS:
        return WRITERS[task]
    return f"tiny-{part}-{task}"


def tiny_names() -> list[str]:
    """Every name of a tiny model: of the kit's own tasks, and of registered ones."""
    return [tiny_name(part, task) for task in names() for part in PARTS]


def tiny_lang(name: str | None) -> Lang | None:
    """The language of the kit's own tiny models; None for another name."""
    if name in (TRANSLATOR, "tiny-rm-translation", tiny_name("lm", "arithmetic")):
        return "en"
    return next((lang for lang in LANGS for family in ("reviews", "forum", "assistant") for part in PARTS
                 if tiny_name(part, f"{family}-{lang}") == name), None)


def slip(name: str) -> str | None:
    """What to say of a name that is meant for a tiny model's and is none; None for any other name.

    Nothing is loaded and nobody is asked: the hub would take a minute to say that it has no such model.
    """
    known = tiny_names()
    if name in known or "/" in name or "\\" in name or Path(name).expanduser().exists():
        return None
    meant = name.startswith("tiny-")
    near = nearest(name, known, cutoff=0.75 if meant else 0.85)
    if near is None and not meant:
        return None
    hint = f" Did you mean {near}?" if near else ""
    return (f"there is no tiny model {name!r}.{hint} The tiny ones are {', '.join(sorted(known))}; those of a task of "
            f"yours need --task my_task.py:NAME.")


def is_registered(name: str) -> bool:
    """True of a task that is not the kit's own."""
    return name in _REGISTERED


def identity(task: Task) -> str:
    """Sixteen characters that stand for a task as it is now: the source of its class, and a few of its texts.

    Two that differ in neither are taken for the same, so a constant that is rare enough to be missing in the first
    texts, or a truth that is computed elsewhere, may change unnoticed.
    """
    try:
        source = inspect.getsource(type(task))
    except (OSError, TypeError):                            # typed into a notebook or an interpreter
        source = ""
    seen = [source, task.name, task.prompts("train")[:SAMPLES], task.corpus(SAMPLES), task.labelled(SAMPLES)]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False, default=str).encode()).hexdigest()[:16]


def _called(maker: Callable) -> str:
    return getattr(maker, "__name__", None) or repr(maker)
