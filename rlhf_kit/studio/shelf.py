"""What models there are to be compared and asked; one is loaded when somebody asks, and a few stay in memory."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rlhf_kit.language import Lang
from rlhf_kit.storage import is_complete
from rlhf_kit.studio.entries import (
    ADAPTER,
    MODEL,
    RUNS,
    Entry,
    at_step,
    by_own_name,
    context_of,
    label,
    of_folder,
    steps_of,
)
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.worlds import REVIEWS, World

if TYPE_CHECKING:
    from rlhf_kit.formulas.records import Chat
    from rlhf_kit.models.heads import Policy
    from rlhf_kit.rewards import Reward

MOST = 6                            # models in memory
MOST_BYTES = 1_500_000_000          # of their weights together; a larger one stays alone
ANSWERS = 200                       # that score 0 on average, by a reward adapter
PATIENCE = 1.0                      # seconds between two looks whether another process has made a model


class ShelfError(Exception):
    """A model cannot be had; `told` says it in one line in the page's language."""

    def __init__(self, key: str, **values: object) -> None:
        self.key, self.values = key, values
        super().__init__(self.told("en"))

    def told(self, lang: Lang) -> str:
        """The line."""
        values = {key: label(value, lang) if key == "name" else value for key, value in self.values.items()}
        return Words(lang, "shelf")(self.key, **values)


class Judge(NamedTuple):
    """A reward model or a classifier, ready to score; for both, probability = σ(score)."""

    name: str
    kind: Literal["reward_model", "classifier"]
    score: Reward                           # a reward model's own, or a classifier's log-odds
    probability: Reward                     # of beating a text that scores 0, or of praise
    tokenizer: Any
    network: Any

    @property
    def reads_chats(self) -> bool:
        """True of a reward model with a chat template, unless it was trained here on plain texts."""
        from rlhf_kit.models.chats import has_template
        said = getattr(self.network, "reads_chats", None)
        return self.kind == "reward_model" and has_template(self.tokenizer) and said is not False

    def on(self, chats: Mapping[str, Chat]) -> Judge:
        """The same, handed these prompts as the conversations that they are, in the form that it reads."""
        from rlhf_kit.jobs.written import read_by
        from rlhf_kit.rewards import of_chats
        read = read_by(None if self.kind == "classifier" else self.tokenizer)
        return self if not chats else self._replace(score=of_chats(self.score, chats, read),
                                                    probability=of_chats(self.probability, chats, read))


@dataclass
class _Held:
    """A loaded model, and how its files looked then."""

    model: Any
    stamp: tuple
    bytes: int


class Shelf:
    """The tiny models, those of the hub that are on this machine, the models named at start, and every run.

    Listing reads small files only; `policy` and `judge` load. May be asked from several threads.

    Args:
        folder: of the workspace; runs are looked for in folder/runs/ and, if it lies in a folder "runs", beside it.
        named: folders and names given at start, or the name that each is to be shown by -> its place.
        world: whose tiny models come first.
    """

    def __init__(self, folder: Path | str, named: Sequence[str] | Mapping[str, str] = (),
                 world: World = REVIEWS) -> None:
        self.world = world
        self.folder, self.named = Path(folder), called(named)
        self._held: OrderedDict[tuple, _Held] = OrderedDict()
        self._lock = threading.RLock()

    def entries(self, lang: Lang) -> list[Entry]:
        """Everything: what was named at start, the language's tiny models, runs with the newest first, all others."""
        runs = [entry for run in self._runs() for entry in of_folder(run, run.name)]
        found = [*self._named(), *_tiny(lang, self.world), *sorted(runs, key=lambda entry: -entry.written), *_known()]
        first: dict[tuple[str, str], Entry] = {}
        for entry in found:
            first.setdefault((entry.kind, entry.name), entry)
        return by_own_name(list(first.values()))

    def names(self, kind: Literal["policy", "judge"], lang: Lang) -> list[str]:
        """What there is to choose from."""
        return [entry.name for entry in self.entries(lang) if entry.kind == kind]

    def offered(self, kind: Literal["policy", "judge"], lang: Lang) -> list[tuple[str, str]]:
        """The same for a list on a page: (what is shown, name)."""
        return [(label(name, lang), name) for name in self.names(kind, lang)]

    def find(self, name: str, kind: Literal["policy", "judge"], lang: Lang) -> Entry:
        """The entry of that name. Raises: ShelfError."""
        for entry in self.entries(lang):
            if (entry.name, entry.kind) == (name, kind):
                return entry
        raise ShelfError("unknown", name=str(name)[:200])

    def defaults(self, lang: Lang) -> tuple[str, str | None, str]:
        """To begin with: a base, the policy that was trained from it if there is one, and the judge that it pleased."""
        fitting = [entry for entry in self.entries(lang) if entry.kind == "policy" and entry.lang in (lang, None)]
        named = [entry for entry in fitting if entry.name in {one.name for one in self._named()}]
        trained = next((entry for entry in [*named, *fitting] if entry.trained), None)
        base = trained.base if trained else None
        if named and (trained is None or trained not in named):
            trained, base = named[-1], named[0].name if len(named) > 1 else None
        policies, judges = self.names("policy", lang), self.names("judge", lang)
        judge = trained.judge if trained and trained.judge in judges else next(
            (entry.name for entry in self._named() if entry.kind == "judge" and entry.lang in (lang, None)),
            self.world.model("judge", lang))
        return base if base in policies else self.world.model("lm", lang), trained.name if trained else None, judge

    def given(self, lang: Lang) -> list[str]:
        """The policies that were named at start and fit the page's language, in that order."""
        return [entry.name for entry in self._named() if entry.kind == "policy" and entry.name in self.named
                and entry.lang in (lang, None)]

    def writer(self, lang: Lang) -> str:
        """Who writes lists to be ranked: a plain language model that was named at start, else the tiny one."""
        plain = [entry.name for entry in self._named() if entry.kind == "policy" and not entry.trained
                 and entry.name in self.named and entry.lang in (lang, None)]
        return plain[-1] if plain else self.world.model("lm", lang)

    def reward_model(self, lang: Lang) -> str:
        """The current one: of the workspace's runs that made one the newest, else one named at start, else the tiny."""
        made = [entry for run in self._runs() for entry in of_folder(run, run.name)
                if (entry.kind, entry.name, entry.lang) == ("judge", run.name, lang)]
        given = next((entry.name for entry in self._named() if entry.kind == "judge" and entry.name in self.named
                      and entry.lang in (lang, None)), None)
        return max(made, key=lambda entry: entry.written).name if made else given or self.world.model("rm", lang)

    def steps(self, name: str, lang: Lang) -> list[int]:
        """The steps of its run at which that policy can be looked at; none if there is no choice."""
        return steps_of(self.find(name, "policy", lang))

    def context(self, names: Sequence[str], lang: Lang) -> int | None:
        """How many tokens those policies read and write together, by the shortest; None if that is not known (yet)."""
        found = [context_of(entry) for entry in self.entries(lang) if entry.kind == "policy" and entry.name in names]
        return min((one for one in found if one is not None), default=None)

    def reference(self, name: str, lang: Lang) -> str | None:
        """Where the drift of that policy is measured from: its base, or itself if it has none; None = unknown.

        Of plain models named at start the first is the base of the others.
        """
        entry = self.find(name, "policy", lang)
        if not entry.trained and entry.base is None:
            return None if entry.adapter else entry.name
        return entry.base if entry.base in self.names("policy", lang) else None

    # -- loading ----------------------------------------------------------------------------------------------------

    def untrained(self, wanted: Sequence[tuple[str, Literal["policy", "judge"]]], lang: Lang) -> list[str]:
        """The tiny models among those names that are to be trained here first."""
        from rlhf_kit import zoo
        places = {self.find(name, kind, lang).place for name, kind in wanted}
        return [place for place in sorted(places) if zoo.is_tiny(place) and not is_complete(zoo.place(place))]

    def prepare(self, wanted: Sequence[tuple[str, Literal["policy", "judge"]]], lang: Lang
                ) -> Iterator[tuple[str, int | None, int]]:
        """Train those of them here that are to be trained first; yields now and then (name, steps done, of how many).

        Steps done are None as long as another process trains that one.
        """
        from rlhf_kit import zoo
        for tiny in self.untrained(wanted, lang):
            total = zoo.planned(tiny)
            while zoo.in_the_making(tiny, seconds=PATIENCE):
                yield tiny, None, total
            for step in zoo.build(tiny):
                if (step.number + 1) % 10 == 0 or step.number + 1 == total:
                    yield tiny, step.number + 1, total

    def policy(self, name: str, lang: Lang, step: int | None = None) -> Policy:
        """That policy, without a value head: at a step of its run, or as the run left it. Raises: ShelfError."""
        entry = self.find(name, "policy", lang)
        place, adapter = (entry.place, entry.adapter) if step is None else at_step(entry, step)
        return self._get(("policy", place, adapter), name, lambda: _policy(place, adapter))

    def judge(self, name: str, lang: Lang) -> Judge:
        """That reward model or classifier. Raises: ShelfError."""
        entry = self.find(name, "judge", lang)
        return self._get(("judge", entry.place, entry.adapter), name, lambda: _judge(entry, self.world))

    def loaded(self) -> int:
        """How many are in memory."""
        return len(self._held)

    def _get(self, key: tuple[str, str, str | None], name: str, load: Callable[[], Any]) -> Any:
        with self._lock:
            stamp = tuple(_stamp(place) for place in key[1:] if place is not None)
            held = self._held.get(key)
            if False in stamp:
                self._held.pop(key, None)
                raise ShelfError("gone", name=name)
            if held is None or held.stamp != stamp:
                model = _explained(name, load)
                held = self._held[key] = _Held(model, stamp, _size(model))
            self._held.move_to_end(key)
            while len(self._held) > MOST or (len(self._held) > 1
                                             and sum(one.bytes for one in self._held.values()) > MOST_BYTES):
                self._held.popitem(last=False)
            return held.model

    def _named(self) -> list[Entry]:
        found = []
        for name, place in self.named.items():
            folder = Path(place).expanduser()
            if folder.is_dir():
                found += of_folder(folder, name)
            elif folder.is_absolute() or place.startswith((".", "~")):
                found.append(Entry(name, "policy", place))          # not there (any more): said when it is asked for
            else:
                found += [replace(entry, name=name) for entry in _known(True) if entry.name == place] or [
                    Entry(name, "policy", place)]
        plain = [entry for entry in found if entry.kind == "policy" and not entry.trained and entry.adapter is None]
        bases = {entry.place: entry.name for entry in reversed(plain)}
        return [replace(entry, base=plain[0].name) if entry in plain[1:] else
                replace(entry, base=bases.get(entry.place)) if entry.adapter and not entry.trained else entry
                for entry in found]

    def _runs(self) -> list[Path]:
        places = [self.folder / RUNS, *([self.folder.parent] if self.folder.parent.name == RUNS else [])]
        return [run for place in places if place.is_dir() for run in sorted(place.iterdir())
                if (run / "settings.json").is_file()]


def called(named: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """The name that each model given at start is shown by -> its place; of a folder the last part, if that will do."""
    if isinstance(named, Mapping):
        return dict(named)
    last = [Path(one).name if Path(one).expanduser().is_dir() else one for one in named]
    return {short if last.count(short) == 1 else one: one for short, one in zip(last, named, strict=True)}


def spacing(steps: Sequence[int]) -> int:
    """The step of a slider that reaches them all."""
    return gcd(*(step - steps[0] for step in steps)) or 1


def _tiny(lang: Lang, world: World = REVIEWS) -> list[Entry]:
    """The tiny models of the page's world."""
    names = {part: world.model(part, lang) for part in ("lm", "judge", "rm")}
    return [Entry(name, "policy" if part == "lm" else "judge", name, lang) for part, name in names.items()]


def _known(wait: bool = False) -> list[Entry]:
    """What the zoo has; nothing while nobody has waited for torch yet."""
    if not wait and "rlhf_kit.zoo" not in sys.modules:
        return []
    from rlhf_kit import zoo
    return [Entry(known["name"], "policy" if known["kind"] == "writer" else "judge", known["name"], known["lang"],
                  label=known["label"] or "positive") for known in zoo.names() if known["tiny"] or known["here"]]


def _policy(place: str, adapter: str | None) -> Policy:
    import torch

    from rlhf_kit import zoo
    from rlhf_kit.models.heads import Policy
    from rlhf_kit.models.loading import merged
    if adapter is None:
        return zoo.load_policy(place, value_head=False).requires_grad_(False)
    return Policy(*merged(Path(adapter), place, torch.float32), value_head=False).requires_grad_(False).eval()


def _judge(entry: Entry, world: World) -> Judge:
    from rlhf_kit import rewards, zoo
    if entry.adapter is not None:
        model = _adapted_reward(entry, world)
    elif zoo.is_reward_model(entry.place):
        model = zoo.load_reward_model(entry.place)
    else:
        network, tokenizer = zoo.load_classifier(entry.place)
        return Judge(entry.name, "classifier",
                     rewards.classifier(network, tokenizer, label=entry.label, output="log_odds"),
                     rewards.classifier(network, tokenizer, label=entry.label), tokenizer, network)
    return Judge(entry.name, "reward_model", rewards.learned(model), rewards.learned(model, output="probability"),
                 model.tokenizer, model)


def _adapted_reward(entry: Entry, world: World) -> Any:
    """A reward adapter on its base, which nothing else uses; where the world has answers, they score 0 on average.

    Its file does not say where 0 is; see `recipes.stackllama.shared_base`, which PPO is given.
    """
    from rlhf_kit.methods import reward_model
    from rlhf_kit.models import adapters
    from rlhf_kit.models.loading import load_language_model
    from rlhf_kit.models.shared import SharedBase
    adapters.check_base(entry.adapter, entry.place)
    model = SharedBase(*load_language_model(entry.place)).add_reward(entry.adapter)
    answered = getattr(world.of("en"), "answered", None) if world.task else None
    if answered is not None:
        reward_model.centre(model, answered(ANSWERS, seed=1))
    return model


def _explained(name: str, load: Callable[[], Any]) -> Any:
    """Whatever is wrong with a model's files is one line on the page; what exactly, on the server's screen."""
    try:
        return load()
    except MemoryError as error:
        raise ShelfError("too_large", name=name) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # ours of all kinds, torch's, and the disk's
        print(f"{name}: {error}", file=sys.stderr)
        raise ShelfError("damaged", name=name) from error


def _stamp(place: str) -> tuple | bool | None:
    """How a model's files look, so that a new one in the same place is noticed; False if they are gone."""
    folder = Path(place).expanduser()
    if not (folder.is_absolute() or place.startswith((".", "~")) or folder.exists()):
        return None                                                 # a name
    try:
        files = [path for name in (MODEL, ADAPTER) if (path := folder / name).is_file()]
        return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size)
                     for path in [*files, *sorted(folder.glob("*.safetensors"))]) or False
    except OSError:
        return False


def _size(model: Any) -> int:
    network = model.network if isinstance(model, Judge) else model
    return sum(p.numel() * p.element_size() for p in network.parameters())
