"""What is to be imitated or answered, recognised by columns: whole texts, prompts with responses, conversations."""

from __future__ import annotations

from typing import Any

from rlhf_kit.datasets.chats import Wrong, asked, chat_of
from rlhf_kit.datasets.columns import SYSTEMS, Columns, Part, text_of
from rlhf_kit.datasets.preferences import Form, Row, Words, answer_of, asked_in, together, used_by, with_prompts
from rlhf_kit.datasets.rankings import parted
from rlhf_kit.formulas.records import Turn

MESSAGES = ("messages", "conversations", "conversation", "dialogue", "turns", "chat")
RESPONSES = ("response", "completion", "output", "answer", "target", "reply", "回答", "答案")
TEXTS = ("text", "content", "document", "texts", "review", "文本")


def examples(columns: Columns) -> Form | None:
    """The form of a table to be imitated: conversations, prompts with their responses, or whole texts."""
    if (chats := columns.first(*MESSAGES, holding=("messages",))) and not columns.has("chosen", "rejected"):
        return _chats(columns, chats)
    if (texts := columns.first("text", holding=("text",))) and columns.first(*RESPONSES, holding=("text",)) is None:
        return _texts(columns, texts)
    if not columns.has("prompt") and columns.holds("chosen") == "text" and with_prompts(columns, "chosen"):
        return _dialogues(columns)
    responses = columns.first(*RESPONSES, "chosen", holding=("text", "message", "messages"))
    prompt = columns.prompt((responses,)) if responses else None
    if responses and (prompt is not None or columns.holds(responses) == "messages"):
        return _answered(columns, prompt, responses)
    if columns.first("output", holding=("texts",)) and (prompt := columns.prompt(("output",))) is not None:
        return _answered(columns, prompt, "output")                 # LLaMA-Factory's older pairs, the better one first
    texts = columns.first(*TEXTS, holding=("text",)) or columns.first(*TEXTS, holding=("messages",))
    if texts is not None:
        return _chats(columns, texts) if columns.holds(texts) == "messages" else _texts(columns, texts)
    return None


def prompts(columns: Columns) -> Form | None:
    """The form of a table of prompts; of conversations what comes before the last answer."""
    part = columns.prompt()
    chats = columns.first(*MESSAGES, "chosen", holding=("messages",))
    if chats is not None and (part is None or part.columns[0] in MESSAGES):
        used = used_by(columns, Part((chats,), chat_of))
        return Form("prompts", used, lambda row: (asked(_whole(columns, row, chats)),))
    if part is None:
        return None
    return Form("prompts", used_by(columns, part), lambda row: (asked(part.of(row)) if part.chats else part.of(row),))


def _chats(columns: Columns, name: str) -> Form:
    """Conversations in which somebody answers."""
    def of(row: Row) -> list[Any]:
        chat = _whole(columns, row, name)
        if not any(turn.role == "assistant" for turn in chat):
            raise Wrong("a conversation in which nobody answers")
        return [chat]
    system = columns.first(*SYSTEMS, holding=("text",))
    return Form("chats", used_by(columns, None, conversations=(name, *((system,) if system else ()))), of)


def _whole(columns: Columns, row: Row, name: str) -> tuple[Turn, ...]:
    chat = chat_of(row.get(name))
    system = next((row[column] for column in SYSTEMS if columns.has(column) and isinstance(row.get(column), str)
                   and row[column].strip()), None)
    return (Turn("system", system.strip()), *chat) if system and chat[0].role != "system" else chat


def _answered(columns: Columns, prompt: Part | None, name: str) -> Form:
    def of(row: Row) -> list[Words | tuple[str, str]]:
        cell = row.get(name)
        better = cell[0] if pairs and isinstance(cell, list) and cell else cell
        shared, (response,) = together(asked_in(prompt, row), (answer_of(better),))
        return [(shared, response) if isinstance(response, str) else (*shared, *response)]
    pairs = columns.holds(name) == "texts"
    chats = (prompt is not None and prompt.chats) or columns.holds(name) not in ("text", "texts")
    note = (("read_chosen_only", {}),) if pairs or (name == "chosen" and columns.has("rejected")) else ()
    return Form("chats" if chats else "examples", used_by(columns, prompt, response=(name,)), of, note)


def _dialogues(columns: Columns) -> Form:
    """hh-rlhf's pairs of whole dialogues: of the chosen one the last answer, after what comes before it."""
    def of(row: Row) -> list[tuple[str, str]]:
        chosen, rejected = (text_of(row.get(name)) for name in ("chosen", "rejected"))
        prompt, answer, _ = parted(chosen, rejected)
        if not prompt.strip() or not answer.strip():
            raise Wrong("no answer behind an 'Assistant:'")
        return [(prompt, answer)]
    return Form("examples", used_by(columns, None, response=("chosen",)), of, (("read_chosen_only", {}),))


def _texts(columns: Columns, name: str) -> Form:
    return Form("texts", used_by(columns, None, text=(name,)), lambda row: [text_of(row.get(name))], prompted=True)
