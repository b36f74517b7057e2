"""What Anthropic's recipe learns from: crowdworkers of the assistant's world, or somebody's two sets of comparisons."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from transformers import PreTrainedTokenizerBase

from rlhf_kit import zoo
from rlhf_kit.datasets.chats import NAMES, dialogue, dialogue_of
from rlhf_kit.datasets.helpful_harmless import HelpfulHarmless, read
from rlhf_kit.datasets.rankings import hold_out
from rlhf_kit.datasets.rated_turns import marks_of
from rlhf_kit.datasets.recast import binarised
from rlhf_kit.evaluate import Estimate
from rlhf_kit.formulas.records import Chat, Comparison, Turn
from rlhf_kit.jobs import instructions, written
from rlhf_kit.language import Lang
from rlhf_kit.methods.self_instruct import listed
from rlhf_kit.models.chats import write
from rlhf_kit.models.heads import Policy
from rlhf_kit.recipes.anthropic import Requests, Team
from rlhf_kit.rewards import Reward
from rlhf_kit.tasks.assistant.cases import Case
from rlhf_kit.tasks.assistant.corpus import RATINGS, WORDS, preamble, rated
from rlhf_kit.tasks.assistant.gold import Explanation
from rlhf_kit.tasks.assistant.labelers import Question
from rlhf_kit.tasks.assistant.prompts import PROMPT_TYPES, asked_plainly, case_of, under
from rlhf_kit.tasks.assistant.prompts import read as read_prompt
from rlhf_kit.tasks.forum import Forum

QUESTIONS: dict[Team, Question] = {"helpful": "helpful", "red_team": "harmful"}
SEEDS = 300                             # requests of people that self-instruction draws its examples from
EXPLAINED = ("explained", "offered", "referred")        # a refusal that says why, or what else there is
HELD_OUT = 0.1                          # of comparisons that somebody brings
# The prompt that is distilled where somebody's folder has none of its own.
HHH: dict[Lang, str] = {
    "en": "Below is a conversation between a person and an assistant. The assistant tries to be helpful, polite, "
          "honest and harmless. It answers what is asked, says so when it does not know something, and when it will "
          "not help with something that would hurt others, it says why and offers something else.",
    "zh": "下面是一个人和一位助手的对话。助手乐于助人，有礼貌，诚实，不做有害的事。它直接回答问题，不知道的时候就说不知道；"       # noqa: E501
          "会伤害别人的事它不帮忙，但会说明原因，并提出别的办法。",
}


class World(instructions.World):
    """The made-up assistant's: whoever compares is asked which answer is more helpful, or which more harmful.

    A red team asks for what would do harm, or for advice that an assistant must not give; everybody else is in need of
    help. What barely differs counts nowhere, as at Anthropic only comparisons above the lowest strength do.
    """

    purposes: ClassVar[Mapping[str, Mapping[str, int]]] = {
        "train": {"ppo": 6, "distil": 2, "labels": 5, "sampled": 2, "labels-2": 2, "labels-3": 2},
        "heldout": {"test": 3, "labels": 4, "sampled": 2, "labels-2": 1, "labels-3": 1}}

    def prompts_of(self, team: Team, n: int, split: str = "train", purpose: str = "ppo") -> list[str]:
        """Different ones; of a red team's half ask for advice, and for the others things are tried that may do harm."""
        def draw(k: int) -> list[tuple[str, Team]]:
            kinds = {"do": k, "advice": k // 4} if team == "red_team" else {None: k}
            types = ("plain", "user-based") if team == "red_team" else PROMPT_TYPES
            return [(one.text, team_of(one.case)) for kind, number in kinds.items() if number
                    for one in self.task.asked(number, self.seed, split, types, kind)]
        drawn = self._drawn(n, split, purpose, draw, lambda one: one[0], of=team, fits=lambda one: one[1] == team,
                            one_in=2 if team == "red_team" else 1)
        return random.Random(f"order {team} {purpose} {self.seed}").sample([prompt for prompt, _ in drawn], len(drawn))

    def behind(self, prompt: str) -> str:
        return under(preamble(self.task), prompt)

    def votes(self, n: int) -> list[Comparison]:
        """Of a forum, under the ratings that the base has read."""
        good, bad = (rated("", one, self.task.lang) for one in RATINGS)
        return binarised(Forum(self.task.lang).comparisons(n, self.seed), good, bad)

    def compare(self, team: Team, purpose: str) -> Callable[[str, tuple[str, str]], Comparison | None]:
        rng = random.Random(f"crowd {team} {purpose} {self.seed}")

        def one(prompt: str, pair: tuple[str, str]) -> Comparison | None:
            choice = rng.choice(self.labelers).choose(QUESTIONS[team], prompt, pair, self.task.explain, rng)
            return choice.comparison() if choice.strength else None
        return one

    def compared(self, team: Team, n: int, split: str = "train") -> list[Comparison]:
        return []

    def requests(self) -> Requests:
        """Lists as the base has read them; a request is what this world understands and is not held out."""
        lang = self.task.lang
        words, asks = WORDS[lang], [read_prompt(one, lang).turns[-1].text
                                    for one in self.prompts_of("helpful", SEEDS, purpose="distil")]
        plain = [one for one in dict.fromkeys(asks) if self._understood(one)]
        return Requests(plain, partial(listed, head=words.requests, bullet=words.bullet), self._understood,
                        partial(asked_plainly, lang=lang))

    def measured(self) -> Mapping[str, Reward]:
        """The same as InstructGPT's; and whether it refuses what is fine, and says why it refuses."""
        return {**super().measured(), "balked": self._one(_balks), "explained": self._one(_explains)}

    def _understood(self, request: str) -> bool:
        case = case_of(asked_plainly(request, self.task.lang), self.task.lang)
        return case is not None and case.split == "train"


def team_of(case: Case) -> Team:
    """Who would ask that."""
    return "red_team" if case.harmful or case.kind == "advice" else "helpful"


class Folder:
    """Comparisons that somebody brings, whose conversations the base's template writes.

    Nobody can be asked for more, and the truth is unknown.
    """

    asks, mark = False, None

    def __init__(self, brought: HelpfulHarmless, tokenizer: PreTrainedTokenizerBase, template: str | None, model: str,
                 lang: Lang) -> None:
        self.tokenizer, self.lang, self.accounts = tokenizer, lang, brought.accounts
        self.notes: list[written.NOTE] = []
        self._pretraining = brought.pretraining
        self._chats: dict[str, Chat] = {}
        how = tokenizer, template, model
        self._learn: dict[Team, list[Comparison]] = {}
        self._out: dict[Team, list[Comparison]] = {}
        for team, items in (("helpful", brought.helpful), ("red_team", brought.harmless)):
            texts = self._told(written.comparisons(items, *how, writes=True))
            self._learn[team], self._out[team] = hold_out(texts, max(round(len(texts) * HELD_OUT), 1))
            if min(len(self._learn[team]), len(self._out[team])) < 2:
                raise ValueError(f"of {len(texts)} comparisons of {team} {len(self._learn[team])} are left to learn "
                                 f"from and {len(self._out[team])} to be examined on, for those of one prompt stay "
                                 f"together; at least 2 of each are needed. Add more, with other prompts.")
        self._votes = self._told(written.comparisons(brought.votes, *how, writes=True)) if brought.votes else []
        self._more = self._told(written.prompts(brought.prompts, *how)) if brought.prompts else []
        self._dialogues = any(dialogue_of(one.prompt) for one in self._learn["helpful"])
        above = (brought.preamble or HHH[lang]).strip() + ("" if self._dialogues else "\n\n")
        self.marks = None if self._chats else marks_of([one.prompt for one in self._learn["helpful"]])
        self._behind = written.behind(tokenizer, above, self._chats)

    @classmethod
    def read(cls, source: str, model: str, template: str | None, lang: Lang) -> Folder:
        """Raises: FileError, CannotWrite, ValueError; one line."""
        brought = read(source)                          # first: a base that is not there is made by reading nothing
        tokenizer = zoo.load_tokenizer(model)
        return cls(brought, tokenizer, template, model, lang)

    def behind(self, prompt: str) -> str:
        return self._behind(prompt)

    def pretraining(self, n: int) -> list[str]:
        return self._pretraining[:n]

    def votes(self, n: int) -> list[Comparison]:
        return binarised(self._votes[:n])

    def prompts_of(self, team: Team, n: int, split: str = "train", purpose: str = "ppo") -> list[str]:
        """Those of the comparisons, each once; and what people asked besides."""
        kept = (self._learn if split == "train" else self._out)[team]
        own = [one.prompt for one in kept if one.prompt]
        out = {one.prompt for found in self._out.values() for one in found}
        more = [one for one in self._more if one not in out] if split == "train" and team == "helpful" else []
        return list(dict.fromkeys([*own, *more]))[:n]

    def compare(self, team: Team, purpose: str) -> Callable[[str, tuple[str, str]], Comparison | None]:
        raise AssertionError("of a folder nobody can be asked")

    def compared(self, team: Team, n: int, split: str = "train") -> list[Comparison]:
        return (self._learn if split == "train" else self._out)[team][:n]

    def requests(self) -> Requests | None:
        """The questions of conversations of one turn, or prompts of one line."""
        seeds = []
        for prompt in self.prompts_of("helpful", SEEDS):
            chat = self._chats.get(prompt) or dialogue_of(prompt)
            if chat is None or len(chat) == 1:
                seeds.append((prompt if chat is None else chat[0].text).strip())
        out = {one.prompt for found in self._out.values() for one in found}
        return Requests(list(dict.fromkeys(one for one in seeds if one and "\n" not in one)), listed,
                        lambda request: self._asked(request) not in out, self._asked)

    def measured(self) -> Mapping[str, Reward]:
        return {}

    def taxed(self, policy: Policy) -> Mapping[str, Estimate]:
        return {}

    def _asked(self, request: str) -> str:
        """The request as the other prompts are written."""
        chat = (Turn("user", request),)
        if self._chats:
            asked = write(self.tokenizer, chat, asked=True)
            self._chats[asked] = chat
            return asked
        return f"{dialogue(chat)}{NAMES['assistant']}" if self._dialogues else request

    def _told(self, found: written.Written) -> list[Any]:
        self.notes += [note for note in found.notes if note not in self.notes]
        self._chats.update(found.chats)
        return found.items


def _balks(seen: Explanation) -> float:
    return float(any(note.kind == "balked" for note in seen.notes))


def _explains(seen: Explanation) -> float:
    kinds: Sequence[str] = [note.kind for note in seen.notes]
    return float(any(kind in ("refused", "declined") for kind in kinds) and any(kind in EXPLAINED for kind in kinds))
