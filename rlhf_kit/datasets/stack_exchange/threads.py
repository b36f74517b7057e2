"""A question with its answers and their votes, and the one template in which every stage reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass

from rlhf_kit.language import Lang

TEMPLATES: dict[Lang, tuple[str, str]] = {"en": ("Question: ", "\n\nAnswer:"), "zh": ("问题：", "\n\n回答：")}


@dataclass(frozen=True)
class Answer:
    """One answer as the site holds it."""

    id: int
    html: str                       # the rendered body
    votes: int                      # up minus down
    accepted: bool = False          # by whoever asked
    author: int | None = None       # None where the account is gone
    date: str = ""                  # ISO 8601
    licence: str = "CC BY-SA 4.0"   # of this post; older ones are under 2.5 or 3.0


@dataclass(frozen=True)
class Thread:
    """One question with all its answers."""

    id: int
    title: str                      # plain text
    html: str                       # the rendered body of the question
    tags: tuple[str, ...]
    answers: tuple[Answer, ...]
    votes: int = 0
    author: int | None = None
    date: str = ""
    licence: str = "CC BY-SA 4.0"


def prompt_of(question: str, lang: Lang = "en") -> str:
    """What a model is asked to continue: "Question: ...", an empty line, "Answer:"; in Chinese likewise.

    No space at its end: a byte-pair tokenizer puts the space in front of the word that follows it. With StackLLaMA's
    own "Answer: " the model would meet a lone space, which it never saw before a word, and write something else.
    """
    before, behind = TEMPLATES[lang]
    return f"{before}{question.strip()}{behind}"


def response_of(answer: str, lang: Lang = "en") -> str:
    """What continues the prompt: a space, and the answer; in Chinese, which has none between words, the answer."""
    return answer.strip() if lang == "zh" else f" {answer.strip()}"


def question_in(prompt: str) -> str:
    """The question that `prompt_of` was given. Raises: ValueError if the prompt was not made by it."""
    for before, behind in TEMPLATES.values():
        if prompt.startswith(before) and prompt.endswith(behind):
            return prompt[len(before):-len(behind)]
    raise ValueError(f"the prompt is {prompt[:40]!r}; expected one made by prompt_of, 'Question: ...' to 'Answer:'.")
