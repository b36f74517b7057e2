"""What people bring as the texts that a model reads: conversations written by its template, and what was said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from transformers import PreTrainedTokenizerBase

from rlhf_kit.datasets.chats import NAMES, asked, dialogue, dialogue_of, readable
from rlhf_kit.datasets.door import Account, Brought, dialogues
from rlhf_kit.datasets.rankings import answers_of
from rlhf_kit.formulas.records import Chat, Comparison, Labelled, Ranking, Turn
from rlhf_kit.models.chats import CannotWrite, has_template, is_written, use_template, write, write_answers

NOTE = tuple[str, dict[str, Any]]
WRITTEN = ("read_written", "read_written_by")   # notes of conversations that a template wrote
LOOKED_AT = 20                                  # items in which marks of turns are looked for


@dataclass(frozen=True)
class Written:
    """Items as texts."""

    items: list[Any]
    refused: int = 0                            # conversations that the template does not take
    notes: tuple[NOTE, ...] = ()
    chats: Mapping[str, Chat] = field(default_factory=dict)     # of prompts: what the template wrote -> what it was
    places: Sequence[int] = ()              # of each, the number of the item that it was

    def where(self, lines: Sequence[int | None]) -> tuple[list[Any], list[int | None]]:
        """The items, and for each its line, of those of the items that they were; () = unknown."""
        return self.items, [lines[place] if lines else None for place in self.places]

    def told(self, account: Account) -> Account:
        """The account with what became of the conversations."""
        notes = (*self.notes, *((("read_refused", {"n": self.refused}),) if self.refused else ()))
        return replace(account, notes=(*account.notes, *notes))


Judged = Comparison | Ranking | Labelled


def comparisons(items: Sequence[Judged], tokenizer: PreTrainedTokenizerBase | None, template: str | None, model: str,
                *, writes: bool = False) -> Written:
    """Pairs, rankings or labelled answers whose prompt and answers are texts.

    Without a tokenizer that has a template they are dialogues with "Human:" and "Assistant:", unless the model `writes`
    and has to end its turn. Raises: CannotWrite.
    """
    items, notes = _ready(items, tokenizer, template, model, needed=writes)
    if not any(isinstance(one.prompt, tuple) for one in items):
        return Written(list(items), notes=notes, places=range(len(items)))
    write_one = _plainly if tokenizer is None or not has_template(tokenizer) else (
        lambda prompt, answers: write_answers(tokenizer, prompt, answers))
    found, places, refused, chats = [], [], 0, {}
    for place, one in enumerate(items):
        try:
            prompt, texts = write_one(one.prompt, answers_of(one))
        except CannotWrite:
            refused += 1
            continue
        places.append(place)
        chats[prompt] = one.prompt
        found.append(Comparison(prompt, *texts, one.margin) if isinstance(one, Comparison)
                     else Labelled(prompt, texts[0], one.good) if isinstance(one, Labelled)
                     else Ranking(prompt, tuple(texts), one.ranks))
    return Written(_some(found, refused), refused, notes, chats, places)


def examples(items: Sequence[Any], tokenizer: PreTrainedTokenizerBase, template: str | None, model: str) -> Written:
    """What sft learns from: texts and pairs as they are, conversations that the template takes. Raises: CannotWrite."""
    items, notes = _ready(items, tokenizer, template, model, needed=True)
    places = [place for place, one in enumerate(items) if not is_chat(one) or _takes(tokenizer, one)]
    refused = len(items) - len(places)
    return Written(_some([items[place] for place in places], refused), refused, notes, places=places)


def prompts(items: Sequence[Any], tokenizer: PreTrainedTokenizerBase, template: str | None, model: str) -> Written:
    """Prompts up to where the assistant's answer begins. Raises: CannotWrite."""
    items, notes = _ready(items, tokenizer, template, model, needed=True)
    taken = {place: write(tokenizer, one, asked=True) for place, one in enumerate(items)
             if is_chat(one) and _takes(tokenizer, one)}
    chats = {text: items[place] for place, text in taken.items()}
    first = {text: place for place, text in reversed(taken.items())}
    plain = [place for place, one in enumerate(items) if not is_chat(one)]
    found = [*chats, *(items[place] for place in plain)]
    refused = len(items) - len(plain) - len(taken)
    if not chats and not notes and has_template(tokenizer):
        notes = (*notes, ("read_plain", {}))
    return Written(_some(found, refused), refused, notes, chats, [*(first[text] for text in chats), *plain])


def answered(items: Sequence[Any], tokenizer: PreTrainedTokenizerBase, template: str | None, model: str) -> Written:
    """(prompt, response) pairs of texts; of a conversation the last answer is the response. Raises: CannotWrite.

    Whole texts hold no response, and are refused: ValueError.
    """
    items, notes = _ready(items, tokenizer, template, model, needed=True)
    if whole := [one for one in items if isinstance(one, str)]:
        raise ValueError(f"the file holds whole texts, such as {whole[0][:40]!r}; expected prompts with responses, or "
                         f"conversations. Say which columns are which with --columns prompt=...,response=...")
    found, places, chats = [], [], {}
    for place, one in enumerate(items):
        if not is_chat(one):
            found.append(tuple(one))
        elif one[-1].role == "assistant" and _takes(tokenizer, one):
            prompt, (response,) = write_answers(tokenizer, one[:-1], (one[-1:],))
            found.append((prompt, response))
            chats[prompt] = one[:-1]
        else:
            continue
        places.append(place)
    return Written(_some(found, len(items) - len(found)), len(items) - len(found), notes, chats, places)


def question(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[str, Chat | None]:
    """What somebody typed, as a model is asked it, and the conversation that this is.

    A model with a chat template is asked through it: of "Human: ... Assistant: ..." the turns, of anything else a
    question. A model without one goes on writing from the text, and there is no conversation; so does one to which
    somebody wrote in its own marks. Raises: CannotWrite if the template refuses it.
    """
    if not has_template(tokenizer) or is_written(tokenizer, text):
        return text, None
    found = dialogue_of(text) or ()
    chat = asked(found) if any(turn.role == "user" for turn in found) else (Turn("user", text.strip()),)
    return write(tokenizer, chat, asked=True), chat


def read_by(tokenizer: PreTrainedTokenizerBase | None) -> Callable[[Chat], str]:
    """How a judge is handed the conversation that a response answers: through its template, or as a dialogue.

    None: a classifier, which reads what a person reads.
    """
    if tokenizer is None:
        return lambda chat: f"{readable(chat)}\n"
    return (lambda chat: write(tokenizer, chat, asked=True)) if has_template(tokenizer) else as_dialogue


def behind(tokenizer: PreTrainedTokenizerBase, text: str, chats: Mapping[str, Chat]) -> Callable[[str], str]:
    """What a teacher reads in place of a prompt: the text first; of a conversation it is the system's turn."""
    def asks(prompt: str) -> str:
        chat = chats.get(prompt)
        if chat is None:
            return text + prompt
        return write(tokenizer, (Turn("system", text.strip()), *chat), asked=True)
    return asks


def news(brought: Brought | None, account: Account | None) -> list[NOTE]:
    """What has to be said of a file after it was read: what became of its conversations, and what has no room."""
    return [] if brought is None or account is None else list(account.notes[len(brought.account.notes):])


def is_chat(item: Any) -> bool:
    """True of a conversation."""
    return isinstance(item, tuple) and bool(item) and isinstance(item[0], Turn)


def as_dialogue(chat: Chat) -> str:
    """A prompt for a model without a template, up to where the answer begins."""
    return f"{dialogue(chat)}{NAMES['assistant']} "


def _ready(items: Sequence[Any], tokenizer: PreTrainedTokenizerBase | None, template: str | None, model: str,
           needed: bool) -> tuple[Sequence[Any], tuple[NOTE, ...]]:
    """The template in its place, and plain items as conversations if one is asked for."""
    if template is not None:
        if tokenizer is None:
            raise CannotWrite(f"--template is {template!r}, and a model made from nothing has no tokens for it. Name a "
                              f"model with --model, or leave --template out: conversations are written as dialogues.")
        use_template(tokenizer, template, model)
        items = dialogues(items)
    chats = any(is_chat(getattr(one, "prompt", one)) for one in items)
    if not chats:
        marked = tokenizer is not None and has_template(tokenizer) and any(map(_marked, items[:LOOKED_AT]))
        return items, (("read_marked", {}),) if marked else ()
    if tokenizer is None or not has_template(tokenizer):
        if needed:
            raise CannotWrite(f"{model} has no chat template, and these are conversations. Choose one with --template: "
                              f"zephyr does with the tokens that every model has.")
        return items, (("read_no_template", {}),)
    return items, (("read_written_by", {"template": template}) if template not in (None, "own")
                   else ("read_written", {}),)


def _marked(one: Any) -> bool:
    """A text with hh-rlhf's marks of turns, alone, as a prompt or as the first of a pair."""
    text = getattr(one, "prompt", one)
    return dialogue_of(text if isinstance(text, str) else text[0]) is not None


def _plainly(prompt: Chat, answers: Sequence[Chat]) -> tuple[str, list[str]]:
    asked = as_dialogue(prompt)
    return asked, [dialogue(prompt + answer)[len(asked):] for answer in answers]


def _takes(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> bool:
    try:
        write(tokenizer, chat)
    except CannotWrite:
        return False
    return True


def _some(found: list[Any], refused: int) -> list[Any]:
    if not found:
        raise CannotWrite(f"the chat template refuses every conversation ({refused}). Choose another with --template.")
    return found
