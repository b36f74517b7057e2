"""A conversation as one text, and as token ids with a mask of what the assistant said: chat templates and their ends.

A template is the tokenizer's own, or one of `TEMPLATES`, which `use_template` gives to a tokenizer that has none; it
is saved with the model then. What a template has written is never given a second BOS: see `is_written`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from rlhf_kit.formulas.records import Chat, Turn

OWN = "own"                         # the template that the tokenizer came with

_CHATML = """{% for turn in messages %}{{ '<|im_start|>' + turn['role'] + '\n' + turn['content'] + '<|im_end|>\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
_LLAMA_3 = """{{ bos_token }}{% for turn in messages %}\
{{ '<|start_header_id|>' + turn['role'] + '<|end_header_id|>\n\n' + turn['content'] | trim + '<|eot_id|>' }}\
{% endfor %}{% if add_generation_prompt %}\
{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"""
_GEMMA = """{{ bos_token }}{% for turn in messages %}{% if turn['role'] == 'system' %}\
{{ raise_exception('no system turns') }}{% endif %}\
{{ '<start_of_turn>' + ('model' if turn['role'] == 'assistant' else turn['role']) + '\n' + turn['content'] | trim \
+ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"""
_MISTRAL = """{{ bos_token }}{% for turn in messages %}{% if turn['role'] == 'user' %}\
{{ '[INST] ' + turn['content'] + ' [/INST]' }}{% elif turn['role'] == 'assistant' %}\
{{ ' ' + turn['content'] | trim + eos_token }}{% else %}{{ raise_exception('no such turns') }}{% endif %}{% endfor %}"""
_ZEPHYR = """{% for turn in messages %}{{ '<|' + turn['role'] + '|>\n' + turn['content'] + eos_token + '\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"""

# Its name, how it is written, and the tokens that it cannot do without; EOS is asked for of all.
TEMPLATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "chatml": (_CHATML, ("<|im_start|>", "<|im_end|>")),
    "llama-3": (_LLAMA_3, ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
    "gemma": (_GEMMA, ("<start_of_turn>", "<end_of_turn>")),
    "mistral": (_MISTRAL, ()),
    "zephyr": (_ZEPHYR, ()),
}


class CannotWrite(ValueError):
    """A template that is missing or does not fit the tokenizer, or refuses a conversation; one line."""


@dataclass(frozen=True)
class Ending:
    """What a template puts behind an assistant's turn."""

    text: str                       # such as "<|im_end|>\n"
    token: int | None               # its first token, if that is one of the added ones: it ends a response
    behind: tuple[int, ...] = ()    # what the template writes behind that token, such as a line's end


def use_template(tokenizer: PreTrainedTokenizerBase, name: str | None, model: object = "the model") -> None:
    """Give the tokenizer that template; `None` and "own" leave its own.

    Raises: CannotWrite if there is none of that name, or if its marks are no tokens of this tokenizer: spelled out of
    pieces, no single token would end a response.
    """
    if name in (None, OWN):
        if name == OWN and not has_template(tokenizer):
            raise CannotWrite(f"--template is {OWN!r}, and {model} brings no chat template. Choose one of "
                              f"{', '.join(TEMPLATES)}; zephyr does with the tokens that every model has.")
        return
    if name not in TEMPLATES:
        raise CannotWrite(f"--template is {name!r}; expected one of {', '.join((OWN, *TEMPLATES))}.")
    template, marks = TEMPLATES[name]
    known = tokenizer.get_vocab()
    if missing := [mark for mark in marks if mark not in known]:
        raise CannotWrite(f"--template {name} needs the tokens {', '.join(missing)}, which {model} does not have. "
                          f"Choose another; zephyr does with the tokens that every model has.")
    if tokenizer.eos_token is None or ("bos_token" in template and tokenizer.bos_token is None):
        seen = "EOS" if tokenizer.eos_token is None else "BOS"
        raise CannotWrite(f"--template {name} needs an {seen} token, and {model} has none. Choose another.")
    tokenizer.chat_template = template


def has_template(tokenizer: PreTrainedTokenizerBase) -> bool:
    """True if it can write conversations."""
    return bool(getattr(tokenizer, "chat_template", None))


def write(tokenizer: PreTrainedTokenizerBase, chat: Chat, *, asked: bool = False) -> str:
    """The conversation as the tokenizer's template writes it; `asked`: up to where the assistant's answer begins.

    A template that knows no system turns gets each at the head of the user turn that follows, or, where the assistant
    speaks next, as a user turn of its own; one that wants the sides to alternate gets neighbours of one side as one.
    Raises: CannotWrite if it refuses all the same.
    """
    if not has_template(tokenizer):
        raise CannotWrite("the model has no chat template, and these are conversations. Choose one with --template; "
                          "zephyr does with the tokens that every model has.")
    return _taken(tokenizer, chat, asked)[1]


def write_answers(tokenizer: PreTrainedTokenizerBase, prompt: Chat, answers: Sequence[Chat]) -> tuple[str, list[str]]:
    """A prompt and several answers to it as texts: prompt + answer is the whole conversation, each time.

    The prompt ends where the answers begin; where a template writes it otherwise once it is answered, where they part.
    """
    whole = [write(tokenizer, prompt + answer) for answer in answers]
    cut = min(shared(write(tokenizer, prompt, asked=True), one) for one in whole)
    return whole[0][:cut], [one[cut:] for one in whole]


def chat_rows(tokenizer: PreTrainedTokenizerBase, chats: Sequence[Chat]) -> list[tuple[list[int], list[bool]]]:
    """Token ids of whole conversations, and True on the tokens that the assistant said, the end of its turns included.

    A template that marks these itself ({% generation %}) is taken at its word; else they are what a turn adds to the
    prompt before it.
    """
    if "generation %}" in str(tokenizer.chat_template).replace("generation-%}", "generation %}"):
        return [_marked(tokenizer, chat) for chat in chats]
    return [_compared(tokenizer, chat) for chat in chats]


def ending(tokenizer: PreTrainedTokenizerBase) -> Ending | None:
    """What closes an assistant's turn; None without a template."""
    if not has_template(tokenizer):
        return None
    try:
        text = write(tokenizer, (Turn("user", "a"), Turn("assistant", "zqxj"))).rpartition("zqxj")[2]
    except CannotWrite:
        return None
    ids = tokenizer(text, add_special_tokens=False).input_ids if text else []
    added = {*tokenizer.get_added_vocab().values(), tokenizer.eos_token_id}
    return Ending(text, ids[0], tuple(ids[1:])) if ids and ids[0] in added else Ending(text, None)


def openings(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """How a text begins that needs no BOS any more: with BOS, or as the template begins a conversation."""
    found = [tokenizer.bos_token] if tokenizer.bos_token else []
    if has_template(tokenizer):
        for role in ("user", "system"):
            rest = () if role == "user" else (Turn("user", "c"),)
            try:
                one, other = (write(tokenizer, (Turn(role, word), *rest)) for word in ("a", "b"))
            except CannotWrite:
                continue
            found.append(one[:shared(one, other)])
    return tuple(dict.fromkeys(text for text in found if text.strip()))


def is_written(tokenizer: PreTrainedTokenizerBase, text: str) -> bool:
    """True for a text that a chat template has written, by its beginning."""
    return has_template(tokenizer) and text.startswith(openings(tokenizer))


def closed(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], responses: Sequence[str]) -> list[str]:
    """prompt + response, each; behind a prompt that the template has written, with the end of the turn.

    So a reward model reads in PPO what it read when it learned.
    """
    end, begins = ending(tokenizer), openings(tokenizer) if has_template(tokenizer) else ()
    if end is None or not end.text or not begins:
        return [p + r for p, r in zip(prompts, responses, strict=True)]
    return [p + r + end.text * (p.startswith(begins) and not r.endswith(end.text))
            for p, r in zip(prompts, responses, strict=True)]


def first_turn(response: str, marks: Sequence[str] | None) -> str:
    """What stands before anybody else begins to speak: a base writes the whole dialogue to its end.

    Args: marks: what turns begin with, such as ("User:", "Assistant:"); None leaves the response as it is.
    """
    places = [place for mark in marks or () if (place := response.find(mark)) >= 0]
    return response[:min(places)].rstrip() if places else response


def _marked(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[list[int], list[bool]]:
    form = _taken(tokenizer, chat, asked=False)[0]              # refuses in one line what the template refuses
    out = tokenizer.apply_chat_template(_messages(form), tokenize=True, return_dict=True,
                                        return_assistant_tokens_mask=True)
    return out["input_ids"], [bool(mark) for mark in out["assistant_masks"]]


def _compared(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[list[int], list[bool]]:
    """The tokens between the prompt of each answer and its end, both counted from what they share with the whole."""
    said = [i for i, turn in enumerate(chat) if turn.role == "assistant"]
    texts = [write(tokenizer, chat)]
    for i in said:
        texts += [write(tokenizer, chat[:i], asked=True) if i else "", write(tokenizer, chat[:i + 1])]
    whole, *parts = tokenizer(texts, add_special_tokens=False).input_ids
    mask = [False] * len(whole)
    for i, before, upto in zip(said, parts[::2], parts[1::2], strict=True):
        start = shared(before, whole)
        end = len(whole) if i == len(chat) - 1 else shared(upto, whole)
        mask[start:end] = [True] * (end - start)
    return whole, mask


def _taken(tokenizer: PreTrainedTokenizerBase, chat: Chat, asked: bool) -> tuple[Chat, str]:
    """The first form of a conversation that the template takes, and how it writes it. Raises: CannotWrite."""
    for form in (chat, _without_system(chat), _alternating(_without_system(chat))):
        try:
            return form, tokenizer.apply_chat_template(_messages(form), tokenize=False, add_generation_prompt=asked)
        except TemplateError as error:
            why = error
    raise CannotWrite(f"the chat template refuses a conversation ({' '.join(str(why).split())[:80]}).") from why


def _messages(chat: Chat) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.text} for turn in chat]


def shared(one: Sequence, other: Sequence) -> int:
    """How many items, characters or ids, both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _without_system(chat: Chat) -> Chat:
    """Each system turn at the head of the user turn that follows it, so that a beginning of a conversation is written
    as the whole conversation begins."""
    found, told = [], []
    for turn in chat:
        if turn.role == "system":
            told.append(turn.text)
            continue
        if told and turn.role == "user":
            turn = Turn("user", "\n\n".join((*told, turn.text)))
        elif told:
            found.append(Turn("user", "\n\n".join(told)))
        told = []
        found.append(turn)
    return *found, *([Turn("user", "\n\n".join(told))] if told else [])


def _alternating(chat: Chat) -> Chat:
    grouped = ((role, [turn.text for turn in turns]) for role, turns in groupby(chat, key=lambda turn: turn.role))
    return tuple(Turn(role, "\n\n".join(texts)) for role, texts in grouped)
