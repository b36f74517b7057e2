"""Rewards of other people: with TRL's signature, in a file of yours, of scikit-learn, of a judge behind an address."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from rlhf_kit.datasets.chats import chat_of, readable, said, turn_of
from rlhf_kit.datasets.python_file import object_in, told, where
from rlhf_kit.formulas.records import Chat
from rlhf_kit.models.remote import RemoteJudge
from rlhf_kit.rewards.contract import Reward, RewardError, bounded, checked, name_of
from rlhf_kit.rewards.memory import made_of


def from_trl(function: Callable, rows: Sequence[Mapping[str, Any]] | None = None) -> Reward:
    """A reward function with TRL's signature, `(prompts, completions, **columns)`, all by keyword.

    Args:
        function: as TRL's GRPOTrainer takes it, such as `def reward(completions, answer, **kwargs)`.
        rows: the prompts' other columns, [{"prompt": ..., "answer": ...}, ...]; each column comes as a list beside the
            completions. Of what TRL hands over beside these (token ids, the trainer's state) there is nothing here.

    Raises: RewardError, when it is called, for a column that no row of the prompt has.
    """
    wanted = inspect.signature(function).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in wanted.values())
    by_prompt = {str(row["prompt"]): row for row in rows or ()}
    columns = {name for row in rows or () for name in row} - {"prompt"}

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        known = {"prompts": list(prompts), "completions": list(responses),
                 **{name: [by_prompt.get(p, {}).get(name) for p in prompts] for name in columns}}
        missing = [name for name, p in wanted.items() if name not in known and p.default is inspect.Parameter.empty
                   and p.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)]
        if missing:
            raise RewardError(f"the reward function {name_of(function)} asks for {', '.join(missing)}; there are "
                              f"prompts, completions{''.join(f', {name}' for name in sorted(columns))}. Give the "
                              f"prompts in a table with such a column.")
        return function(**(known if takes_all else {name: x for name, x in known.items() if name in wanted}))
    return made_of(reward, name_of(function), [function])


def for_trl(reward: Reward, write: Callable[[Chat], str] = readable) -> Callable[..., list[float]]:
    """A reward in TRL's signature, for its trainers: the way back from `from_trl`.

    Conversations, which TRL hands over as messages, are written by `write`, their answers as a person reads them; the
    other columns that TRL hands over are not looked at. Raises (when called): RewardError.
    """
    def score(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
        asked = [one if isinstance(one, str) else write(chat_of(one)) for one in prompts]
        answers = [one if isinstance(one, str) else said(tuple(map(turn_of, one))) for one in completions]
        return checked(reward(asked, answers), len(answers), reward).tolist()
    score.__name__ = name_of(reward)
    return score


def takes_completions(function: Callable) -> bool:
    """True of a function with TRL's signature: it has a parameter `completions`."""
    try:
        return "completions" in inspect.signature(function).parameters
    except (TypeError, ValueError):                         # of a built-in one nobody knows
        return False


def sklearn(model: Any, *, label: object = None) -> Reward:
    """What a fitted scikit-learn pipeline says of prompt + response.

        probability = predict_proba(texts)[label]          of a regressor: predict(texts)

    Args:
        model: takes texts, as a pipeline of a vectoriser and a classifier does.
        label: one of its `classes_`; None = the last, which is 1 or True of two.
    """
    if not hasattr(model, "predict"):
        raise ValueError(f"{type(model).__name__} has no predict; expected a fitted scikit-learn pipeline that takes "
                         f"texts, such as make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels).")
    if not hasattr(model, "predict_proba"):
        def predicted(prompts: Sequence[str], responses: Sequence[str]) -> Any:
            return model.predict([p + r for p, r in zip(prompts, responses, strict=True)])
        predicted.__name__ = f"sklearn_{type(model).__name__}"
        return predicted
    classes = list(model.classes_)
    if label is not None and label not in classes:
        raise RewardError(f"the pipeline has no class {label!r}; it has {', '.join(map(str, classes))}. Name one of "
                          f"these with label=.")
    index = len(classes) - 1 if label is None else classes.index(label)

    def probability(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        return model.predict_proba([p + r for p, r in zip(prompts, responses, strict=True)])[:, index]
    probability.__name__ = f"sklearn_{classes[index]}"
    return bounded(probability, 0, 1)


def endpoint(judge: RemoteJudge) -> Reward:
    """The marks of a language model behind an OpenAI-compatible address, see `models.remote.RemoteJudge`.

        judge = kit.RemoteJudge("http://127.0.0.1:8000/v1", "my-model", "Is the answer kind?", cache="runs/marks")
        marks = kit.rewards.endpoint(judge)

    Raises, when it is called: RewardError if it cannot be reached, or gives no mark.
    """
    def reward(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
        try:
            return judge.marks(prompts, responses)
        except (OSError, ValueError) as error:
            raise RewardError(f"the judge at {judge.address} gave no marks: {told(error)}. What it has answered is "
                              f"kept; try again, or raise timeout= or retries=.") from error
    reward.run_identity = ("endpoint", judge.address, judge.model, judge.rubric, judge.lowest, judge.highest)
    reward.__name__ = f"endpoint_{judge.model}"
    return bounded(reward, judge.lowest, judge.highest)


def from_file(place: str, rows: Sequence[Mapping[str, Any]] | None = None) -> Reward:
    """The reward function that stands in a Python file of yours: "my_reward.py:reward".

    It may import the files beside it. One with a parameter `completions` is called as TRL would, see `from_trl`, with
    the other columns of `rows`.

    The file is run, as an import would run it. Its content is part of the reward's name, so a run whose
    reward was changed meanwhile is not taken for the same run. Whatever goes wrong in it is one line with its place.
    """
    function, source = object_in(place, "reward", "function", "my_reward.py:reward",
                                 "def {name}(prompts, responses)", RewardError)
    path, _, name = place.rpartition(":")
    asked = from_trl(function, rows) if takes_completions(function) else function

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        try:
            return asked(prompts, responses)
        except RewardError:
            raise
        except (Exception, SystemExit) as error:
            raise RewardError(f"the reward function {name} failed, {where(error, path)}: {told(error)}. "
                              f"Mend it and try again.") from error
    reward.run_identity = (name, source, function)              # wherever the file lies
    return made_of(reward, f"{name}@{hashlib.sha256(source).hexdigest()[:8]}", [function])
