"""A reward is a function `(prompts, responses) -> one number a response`; these build the usual ones."""

from __future__ import annotations

import hashlib
import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.datasets.chats import chat_of, readable, said, turn_of
from rlhf_kit.datasets.python_file import object_in, told, where
from rlhf_kit.formulas.ensembles import Combination, combined
from rlhf_kit.formulas.records import Chat, Rollout
from rlhf_kit.formulas.rule_reward import Reduction, rerank_score, rules_kept, total_reward
from rlhf_kit.models.chats import closed
from rlhf_kit.models.heads import RewardModel, reading_limit
from rlhf_kit.models.judging import class_logits, reward_scores
from rlhf_kit.models.loading import load_classifier
from rlhf_kit.models.remote import RemoteJudge
from rlhf_kit.models.ruling import Ask, ask, kept_probability
from rlhf_kit.models.text import Keep, cut_texts
from rlhf_kit.tasks import tiny_names

Reward = Callable[[Sequence[str], Sequence[str]], Tensor | Sequence[float]]
NUMBER = re.compile(r"(?<![\d.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\d.])-?\d+(?:\.\d+)?")


class RewardError(ValueError):
    """A reward function returned something that cannot be a score; the message says what and what to return."""


class HasGold(Protocol):
    """A task that knows the truth: see `rlhf_kit.tasks.reviews`."""

    def gold(self, prompt: str, response: str) -> float: ...


class Sums(Protocol):
    """What a reward asks of several processes: see `loops.process_group.ProcessGroup`."""

    size: int

    def sum(self, x: Tensor) -> Tensor: ...


def check_arguments(reference: object, *rewards: object) -> None:
    """What every loop asks of the two before it begins. Raises: ValueError with what to give instead."""
    if reference is None or isinstance(reference, str | bool):
        raise ValueError(f"the reference is {reference!r}; expected the policy as it was before training, "
                         f"policy.reference(), or another one, kit.load_policy(...).")
    for reward in rewards:
        if not callable(reward):
            shown = " ".join(repr(reward).split())[:60]
            raise ValueError(f"the reward is {shown}; expected a function (prompts, responses) -> one number a "
                             f"response. For a model: kit.rewards.classifier(...) or kit.rewards.learned(...).")


def score(reward: Reward, rollout: Rollout, group: Sums | None = None) -> Tensor:
    """Ask `reward` about a rollout and check its answer: [B] float32 on the rollout's device.

    A function marked by `on_tokens` is handed the prompt ids and response ids, as lists, instead of texts. Where a
    `group` of processes asks, each about its shard, a reward that remembers is told so while it answers
    (`share(group, device)`), for what it remembers is to be of all their scores.

    Raises: RewardError if the answer is not B finite numbers, or if the reward would remember something else in each
        process.
    """
    with _shared(reward, group, rollout.logprob.device):
        return _score(reward, rollout)


def score_apart(reward: Reward, rollout: Rollout, group: Sums | None = None) -> tuple[Tensor, dict[str, Tensor]]:
    """`score`, and of a `weighted` reward what each of its parts said, before its weight: [B] each, by name."""
    parts = getattr(reward, "parts", ())
    if not parts:
        return score(reward, rollout, group), {}
    each = [score(part, rollout, group) for _, part in parts]
    names = [name_of(part).partition("@")[0] for _, part in parts]
    told = {name if names.count(name) == 1 else f"{name}_{i + 1}": x for i, (name, x) in enumerate(zip(names, each,
                                                                                                      strict=True))}
    return sum(weight * x for (weight, _), x in zip(parts, each, strict=True)), told


@contextmanager
def _shared(reward: Reward, group: Sums | None, device: torch.device) -> Iterator[None]:
    """Inside, the reward knows the processes; outside not, for one of them may ask alone."""
    memory = Memory({"reward": reward})
    if group is None or group.size == 1:
        yield
        return
    memory.share(group, device)
    try:
        yield
    finally:
        memory.share(None, device)


def _score(reward: Reward, rollout: Rollout) -> Tensor:
    if wants_tokens(reward):
        prompts = [row[keep].tolist() for row, keep in zip(rollout.prompt_ids, rollout.prompt_mask, strict=True)]
        responses = [row[keep].tolist() for row, keep in zip(rollout.response_ids, rollout.mask, strict=True)]
        answer = reward(prompts, responses)
    else:
        answer = reward(rollout.prompts, rollout.responses)
    return checked(answer, len(rollout), reward).to(rollout.logprob.device)


def on_prompts(reward: Reward, bare: Mapping[str, str]) -> Reward:
    """The reward, handed other prompts than were read: of one behind a preamble, the prompt alone.

    A reward on token ids stays as it is: it is asked about what was read. So it does in `on_responses` and `of_chats`.
    """
    def asked(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        return reward([bare.get(prompt, prompt) for prompt in prompts], responses)
    return _in_place_of(reward, asked)


def on_responses(reward: Reward, shown: Callable[[str], str]) -> Reward:
    """The reward, handed each response as it is shown, such as its first turn alone: `models.chats.first_turn`."""
    def asked(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        return reward(prompts, [shown(response) for response in responses])
    return _in_place_of(reward, asked)


def _in_place_of(reward: Reward, asked: Reward) -> Reward:
    """`asked`, which hands the reward other texts, with its name, bounds and memory; one on token ids gets no texts."""
    if wants_tokens(reward):
        return reward
    made, bounds = _made_of(asked, name_of(reward), (reward,)), range_of(reward)
    return made if bounds is None else bounded(made, *bounds)


def on_tokens(reward: Reward) -> Reward:
    """Mark a reward function that wants token ids (lists of int) and not texts."""
    reward.tokens = True
    return reward


def name_of(reward: Reward) -> str:
    """What to call it in messages."""
    return getattr(reward, "__name__", type(reward).__name__)


def wants_tokens(reward: Reward) -> bool:
    """True if `on_tokens` marked it, or what it is made of."""
    return getattr(reward, "tokens", False)


def bounded(reward: Reward, low: float, high: float) -> Reward:
    """Mark a reward whose scores lie between these: the interval of their mean will, too. Returns the same reward."""
    if not low < high:
        raise ValueError(f"low is {low} and high is {high}; low must be the smaller.")
    reward.bounds = float(low), float(high)
    return reward


def range_of(reward: Reward) -> tuple[float, float] | None:
    """The least and the most that it says, if `bounded` marked it."""
    return getattr(reward, "bounds", None)


def classifier(model: PreTrainedModel | str | Path, tokenizer: PreTrainedTokenizerBase | None = None, *,
               label: str = "positive", output: Literal["probability", "log_odds"] = "probability",
               batch_size: int = 64, max_length: int | None = None, keep: Keep = "end",
               device: str | torch.device = "cpu") -> Reward:
    """The opinion of a text classifier about prompt + response.

    Args:
        model, tokenizer: a classifier with its tokenizer, as `kit.load_classifier` returns them; or `model` alone, a
            folder or a name on the hub, which is loaded onto `device`.
        max_length: tokens that it reads (default: the model's context). Of longer texts it reads what `keep` says: the
            "end", where the response is, the "start", or as much of "both". That texts are cut is said, once.

        probability = softmax(logits)[label]          log_odds = log p - log(1 - p)

    The label is found by *name* in the model's `id2label` (models differ in order); longer names that start with
    it count too ("positive (stars 4 and 5)").
    """
    if isinstance(model, str | Path):
        if tokenizer is not None:
            raise ValueError(f"{str(model)!r} is a name and a tokenizer is given; a name brings its own. Leave it out.")
        if str(model) in tiny_names():
            raise ValueError(f"{str(model)!r} is a tiny model, which may have to be trained first; expected a folder "
                             f"or a name on the hub. Take kit.rewards.classifier(*kit.load_classifier("
                             f"{str(model)!r})).")
        model, tokenizer = load_classifier(model, device=device)
    elif tokenizer is None:
        raise ValueError("there is no tokenizer; give both, kit.rewards.classifier(*kit.load_classifier(name)), or a "
                         "folder alone.")
    if keep not in get_args(Keep):
        raise ValueError(f"keep is {keep!r}; expected one of {', '.join(get_args(Keep))}.")
    if model.config.num_labels < 2:
        raise RewardError("the classifier has one output, so its probability would always be 1; expected two labels "
                          "or more. For a reward model take kit.rewards.learned.")
    index = label_index(model, label)
    limit = max_length or reading_limit(model)
    say_cut = _Cuts(tokenizer, limit, keep)

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        texts = [p + r for p, r in zip(prompts, responses, strict=True)]
        say_cut(texts)
        logits = class_logits(model, tokenizer, texts, max_length=limit, batch_size=batch_size, keep=keep)  # [B, C]
        if output == "probability":
            return logits.softmax(-1)[:, index]
        others = torch.cat([logits[:, :index], logits[:, index + 1:]], dim=1)
        return logits[:, index] - others.logsumexp(-1)

    reward.__name__ = f"classifier_{label}"
    return bounded(reward, 0, 1) if output == "probability" else reward


class _Cuts:
    """Says once, on standard error, that a judge reads a part only of some texts."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, limit: int, keep: Keep) -> None:
        self.tokenizer, self.limit, self.keep, self.said = tokenizer, limit, keep, False

    @property
    def run_identity(self) -> tuple:
        """What was said is no part of what a reward is."""
        return "cuts", self.limit, self.keep

    def __call__(self, texts: Sequence[str]) -> None:
        if self.said or not (cut := cut_texts(self.tokenizer, texts, self.limit)):
            return
        self.said = True
        part = {"start": "their start", "end": "their end", "both": "both ends"}[self.keep]
        print(f"{cut} of {len(texts)} texts are longer than the {self.limit} tokens that the judge reads; it reads "
              f"{part}.", file=sys.stderr)


def of_chats(reward: Reward, chats: Mapping[str, Chat], write: Callable[[Chat], str] = readable) -> Reward:
    """A reward that is handed conversations as `write` writes them, and not as the policy's template does.

    `chats` has the conversation of every prompt that the template wrote; other prompts stay as they are. By default
    a person could read them: a single question is itself.
    """
    def asked(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        return reward([write(chats[p]) if p in chats else p for p in prompts], responses)
    return _in_place_of(reward, asked)


def learned(model: RewardModel, *, output: Literal["score", "probability"] = "score", batch_size: int = 64,
            max_length: int | None = None) -> Reward:
    """What a reward model says of prompt + response.

        score = r          probability = σ(r)

    σ(r) is the probability that the text is preferred to one that scores 0: an average demonstration, if the model
    was centred on those. Of texts over `max_length` tokens (default: the model's context) the end is read.
    """
    say_cut = _Cuts(model.tokenizer, max_length or model.context, "end")

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        texts = closed(model.tokenizer, prompts, responses)
        say_cut(texts)
        score = reward_scores(model, texts, max_length=max_length or model.context, batch_size=batch_size)
        return score if output == "score" else torch.sigmoid(score)

    reward.__name__ = f"learned_{output}"
    return bounded(reward, 0, 1) if output == "probability" else reward


def label_index(model: PreTrainedModel, label: str) -> int:
    """The output of `model` that stands for `label`, by name. Raises: RewardError with the names it has."""
    names = {int(i): str(name).lower() for i, name in model.config.id2label.items()}
    exact = [i for i, name in names.items() if name == label.lower()]
    close = exact or [i for i, name in names.items() if name.startswith(label.lower())]
    if len(close) != 1:
        raise RewardError(f"the classifier has no label {label!r}; it has {', '.join(sorted(names.values()))}. "
                          f"Name one of these with --judge-class (in Python, label=).")
    return close[0]


def gold(task: HasGold) -> Reward:
    """The task's own truth, for measuring; a policy that is trained on it has seen the exam."""
    def gold(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return torch.tensor([task.gold(p, r) for p, r in zip(prompts, responses, strict=True)])
    return bounded(gold, 0, 1)


def right_number(answers: Mapping[str, Any] | Callable[[str], Any]) -> Reward:
    """1 where the last number of a response is the right answer to its prompt, else 0: a reward that nobody learned.

    Args:
        answers: prompt -> the right answer, or a function; a number, or a text whose last number is meant ("#### 72").

    Raises: RewardError for an answer without a number, and when it is called for a prompt without an answer.
    Source: the checks of Cobbe et al. 2021, arXiv:2110.14168; as a reward: Lambert et al. 2024, arXiv:2411.15124.
    """
    known = {} if callable(answers) else {prompt: last_number(str(answer)) for prompt, answer in answers.items()}
    if none := next((prompt for prompt, number in known.items() if number is None), None):
        raise RewardError(f"the answer to {none[:40]!r} is {str(answers[none])[:40]!r}, which holds no number; "
                          f"expected one of each prompt.")

    def right_number(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        if unknown := next((p for p in prompts if known and p not in known), None):
            raise RewardError(f"there is no answer to {unknown[:40]!r}; expected one of each prompt.")
        truth = [known[p] if known else last_number(str(answers(p))) for p in prompts]
        return torch.tensor([float(last_number(r) == t) for r, t in zip(responses, truth, strict=True)])
    return bounded(right_number, 0, 1)


def last_number(text: str) -> float | None:
    """The last number of a text, "1,234.5" as 1234.5 and "-3" as -3; None if it holds none."""
    found = NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def length(target: int) -> Reward:
    """1 at `target` characters, falling linearly to 0 at none or at twice as many."""
    if target < 1:
        raise ValueError(f"target is {target} characters; it must be at least 1.")
    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return torch.tensor([max(0.0, 1 - abs(len(r) - target) / target) for r in responses])
    reward.__name__ = f"length_{target}"
    return bounded(reward, 0, 1)


def rules(checks: dict[str, Callable[[str, str], bool]]) -> Reward:
    """The share of named rules that a response keeps; each is a function of (prompt, response)."""
    if not checks:
        raise ValueError("there are no rules; give at least one {name: function}.")

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return torch.tensor([sum(bool(check(p, r)) for check in checks.values()) / len(checks)
                             for p, r in zip(prompts, responses, strict=True)])
    reward.__name__ = f"rules({', '.join(checks)})"
    return bounded(reward, 0, 1)


def rules_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *,
             reduction: Reduction = "mean", ask: Ask = ask, batch_size: int = 64,
             max_length: int | None = None, once: bool = False) -> Reward:
    """How well a response keeps rules that are put in words, by a rule model: see `models.ruling`.

    Args:
        model, tokenizer: a classifier of "followed" and "broken", such as `kit.load_classifier` returns.
        texts: of the rules.
        reduction: how several become one number, see `rule_reward.rules_kept`.
        ask: what the model reads of a dialogue and a rule.
        once: asked again about the same responses, with nothing between, it says what it said; for a model that no
            longer learns, whose word is optimised and reported beside.

    The result has `kept`, a function that gives the [B, R] probabilities one by one, for `total` and for reports.
    """
    limit, last, found = max_length or reading_limit(model), None, torch.empty(0)

    def kept(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        nonlocal last, found
        asked = tuple(prompts), tuple(responses)
        if not once or asked != last:
            last, found = asked, kept_probability(model, tokenizer, prompts, responses, list(texts), max_length=limit,
                                                  ask=ask, batch_size=batch_size)
        return found

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return rules_kept(kept(prompts, responses), reduction)
    reward.__name__, reward.kept = f"rules_of_{len(texts)}", kept
    return bounded(reward, 0, len(texts) if reduction == "sum" else 1)


def total(preference: Reward, rules: Reward, *, reduction: Reduction = "mean", weight: float = 1.0,
          normalise: bool = True, price_per_character: float = 0.0, valid: Callable[[str, str], bool] | None = None,
          invalid_penalty: float = 2.0) -> Reward:
    """Sparrow's reward: what is preferred, what keeps the rules, what is short, and what is a valid turn.

        R = r_PM + w · rules_kept(q) - price · characters - penalty where it is no valid turn

    Args:
        preference: a preference model's score; with `normalise` in units of its own spread so far (`Normalised`).
        rules: of `rules_of`, whose `reduction` is not looked at here.
        reduction, weight, invalid_penalty: see `rule_reward.total_reward`, which also says what of this is known.
        valid: (prompt, response) -> whether it is one well-formed turn, such as `one_turn`; None = all are.

    Give `preference` and `rules` to a loop as `evaluation_rewards`, too, and both are reported apart.
    """
    if not hasattr(rules, "kept"):
        raise ValueError(f"{name_of(rules)} is no reward of rules; make it with kit.rewards.rules_of(...).")
    if price_per_character < 0:
        raise ValueError(f"price_per_character is {price_per_character}; it is 0 or more.")
    liked = Normalised(preference) if normalise else preference

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        whole = None if valid is None else torch.tensor([valid(p, r) for p, r in zip(prompts, responses, strict=True)])
        length = torch.tensor([-price_per_character * len(response) for response in responses])
        return total_reward(checked(liked(prompts, responses), len(responses), liked), rules.kept(prompts, responses),
                            reduction=reduction, weight=weight, length=length, valid=whole,
                            invalid_penalty=invalid_penalty)
    return _made_of(reward, f"total({name_of(liked)}, {name_of(rules)}, {reduction}, {weight}, {price_per_character}, "
                            f"{invalid_penalty})", [liked])


def reranked(preference: Reward, rules: Reward) -> Reward:
    """By what the best of several candidates is taken when nothing is learnt any more: `rule_reward.rerank_score`.

    The mean preference is that of the responses to the same prompt which are asked about together, as
    `best_of_n.draws` asks: `draws(policy, prompts, reranked(pm, rules), best_of_n.Config(n=8))` is Sparrow's rerank.
    """
    if not hasattr(rules, "kept"):
        raise ValueError(f"{name_of(rules)} is no reward of rules; make it with kit.rewards.rules_of(...).")

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        liked = checked(preference(prompts, responses), len(responses), preference)
        kept = rules.kept(prompts, responses)
        found, by_prompt = torch.zeros(len(prompts)), {}
        for row, prompt in enumerate(prompts):
            by_prompt.setdefault(prompt, []).append(row)
        for rows in by_prompt.values():
            found[rows] = rerank_score(liked[rows], kept[rows])
        return found
    return bounded(_made_of(reward, f"reranked({name_of(preference)}, {name_of(rules)})", [preference]), 0, 1)


def one_turn(marks: Sequence[str]) -> Callable[[str, str], bool]:
    """A check of `total`: a response says something, and in it nobody else begins to speak.

    Args: marks: what a turn begins with, such as ("User:", "Assistant:"). Of a policy that closes its turn by its end
        token that is what is left of Sparrow's check, which also wanted the text to end with the user's mark.
    """
    if not marks:
        raise ValueError("there are no marks; give what a turn begins with, such as ('User:', 'Assistant:').")

    def valid(prompt: str, response: str) -> bool:
        return bool(response.strip()) and not any(mark in response for mark in marks)
    return valid


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
    return _made_of(reward, name_of(function), [function])


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
    return _made_of(reward, f"{name}@{hashlib.sha256(source).hexdigest()[:8]}", [function])


def weighted(parts: Sequence[tuple[float, Reward]]) -> Reward:
    """Σ weight · reward over the parts, which all want texts or all want ids."""
    if not parts:
        raise ValueError("there are no parts; give [(weight, reward), ...].")
    if odd := [part for part in parts if not isinstance(part, Sequence) or isinstance(part, str) or len(part) != 2
               or not callable(part[1])]:
        raise ValueError(f"a part is {' '.join(repr(odd[0]).split())[:60]}; expected pairs of a weight and a reward, "
                         f"weighted([(1.0, reward), (0.1, other)]).")
    if len({wants_tokens(part) for _, part in parts}) > 1:
        raise ValueError("some parts are marked by on_tokens and some want texts; mark all of them or none.")

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return sum(weight * checked(part(prompts, responses), len(responses), part) for weight, part in parts)
    name = f"weighted({', '.join(f'{weight}·{name_of(part)}' for weight, part in parts)})"
    made = _made_of(reward, name, [part for _, part in parts])
    made.parts = tuple((weight, part) for weight, part in parts)
    return made


def ensemble(members: Sequence[Reward], combination: Combination, weight: float = 0.5) -> Reward:
    """What several rewards of one scale say together: their mean, the worst of them, or mean - weight · variance.

    Raises: ValueError without a member, or as `formulas.ensembles.combined`.
    """
    if not members:
        raise ValueError("there are no members; give [reward, ...].")
    combined(torch.zeros(len(members), 1), combination, weight)             # refuses now what it would refuse later

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return combined(torch.stack([checked(one(prompts, responses), len(responses), one) for one in members]),
                        combination, weight)
    return _made_of(reward, f"{combination}({', '.join(map(name_of, members))}, {weight})", members)


def clipped(reward: Reward, low: float, high: float) -> Reward:
    """`reward`, cut off below `low` and above `high`."""
    if not low < high:
        raise ValueError(f"low is {low} and high is {high}; low must be the smaller.")
    def inside(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return checked(reward(prompts, responses), len(responses), reward).clamp(low, high)
    return bounded(_made_of(inside, f"clipped({name_of(reward)}, {low}, {high})", [reward]), low, high)


class Normalised:
    """`reward` in units of its own spread so far: (score - mean) / standard deviation, then clipped to ±`clip`.

    Mean and deviation run over every score seen, this batch included (arXiv:2307.04964 section 5.3); of several
    processes, over those of all. A training checkpoint keeps them (`state_dict`), so a resumed run goes on with the
    same scale.
    """

    def __init__(self, reward: Reward, *, clip: float = math.inf, centre: bool = True) -> None:
        self.reward, self.clip, self.centre, self.moments = reward, clip, centre, RunningMoments()
        self.tokens, self.__name__ = wants_tokens(reward), f"normalised({name_of(reward)}, {clip}, {centre})"
        self._group: tuple[Sums | None, torch.device | str] = None, "cpu"

    @property
    def run_identity(self) -> tuple:
        """What a run is known by: the settings, not the statistics."""
        return "normalised", self.reward, self.clip, self.centre

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        score = checked(self.reward(prompts, responses), len(responses), self.reward)
        self.moments.update(score, *self._group)
        shifted = score - self.moments.mean if self.centre else score
        return (shifted / (self.moments.std + torch.finfo(torch.float32).eps)).clamp(-self.clip, self.clip)

    def share(self, group: Sums | None, device: torch.device | str) -> None:
        """From now on the scores are a shard of what these processes see together; None ends that."""
        self._group = group, device
        Memory({"reward": self.reward}).share(group, device)

    def state_dict(self) -> dict[str, Any]:
        """The running statistics as plain numbers, and what the reward inside remembers."""
        inside = Memory({"reward": self.reward}).state_dict()
        return {**vars(self.moments), **({"inside": inside} if inside else {})}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        Memory({"reward": self.reward}).load_state_dict(state.get("inside", {}))
        self.moments = RunningMoments(**{name: number for name, number in state.items() if name != "inside"})


class RunningMoments:
    """Mean and variance of a stream of batches, joined exactly (Chan, Golub and LeVeque 1979)."""

    def __init__(self, count: float = 0.0, mean: float = 0.0, squares: float = 0.0) -> None:
        self.count, self.mean, self.squares = count, mean, squares      # squares = Σ (x - mean)²

    def update(self, x: Tensor, group: Sums | None = None, device: torch.device | str = "cpu") -> None:
        """Add a batch of numbers, or this process's shard of one: the others' come in through the group's sums.

            n = Σ n_p      mean = Σ Σ x / n      squares = Σ Σ (x - mean)²        over processes p and their x
        """
        total = (lambda y: y) if group is None else (lambda y: group.sum(y.to(device)).cpu())
        x = x.double()
        new, summed = total(torch.stack([torch.tensor(x.numel(), dtype=torch.float64), x.sum()])).tolist()
        mean = summed / new
        squares = total(((x - mean) ** 2).sum()[None]).item()
        gap, count = mean - self.mean, self.count + new
        self.squares += squares + gap**2 * self.count * new / count
        self.mean += gap * new / count
        self.count = count

    @property
    def std(self) -> float:
        """Unbiased standard deviation so far; 1 before there are two numbers."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 1.0


class Memory:
    """What rewards remember from call to call, by name, for a checkpoint; a network's weights are no memory."""

    def __init__(self, parts: Mapping[str, Reward]) -> None:
        self.keepers = {name: part for name, part in parts.items()
                        if hasattr(part, "state_dict") and not isinstance(part, torch.nn.Module)}

    def share(self, group: Sums | None, device: torch.device | str) -> None:
        """Tell each of them which processes ask together. Raises: RewardError for one that cannot be told."""
        for part in self.keepers.values():
            if hasattr(part, "share"):
                part.share(group, device)
            elif group is not None:
                raise RewardError(f"the reward {name_of(part)} remembers (it has state_dict), which would be something "
                                  f"else in each of {group.size} processes. Give it share(group, device), as "
                                  f"kit.rewards.Normalised has, or train in one process.")

    def state_dict(self) -> dict[str, dict]:
        """What each of them says it remembers, as plain numbers."""
        return {name: part.state_dict() for name, part in self.keepers.items()}

    def load_state_dict(self, state: dict[str, dict]) -> None:
        """Go on from `state_dict()`; who was not there then begins anew."""
        for name in self.keepers.keys() & state.keys():
            self.keepers[name].load_state_dict(state[name])


def _made_of(reward: Reward, name: str, parts: Sequence[Reward]) -> Reward:
    """Give a reward made of others a name, their wish for tokens, and their state, which checkpoints keep."""
    reward.__name__, reward.tokens = name, wants_tokens(parts[0])
    memory = Memory({str(i): part for i, part in enumerate(parts)})
    if memory.keepers:
        reward.state_dict, reward.load_state_dict = memory.state_dict, memory.load_state_dict
        reward.share = memory.share
    return reward


def checked(answer: object, size: int, reward: Reward) -> Tensor:
    """What a reward function returned for `size` responses as [size] float32 on the CPU. Raises: RewardError."""
    name = name_of(reward).partition("@")[0]                # without the fingerprint of its file
    if hasattr(answer, "to_numpy"):                         # a pandas Series, whatever its index
        answer = np.array(answer.to_numpy())                # a copy: pandas' own may not be written to
    try:
        score = torch.as_tensor(answer, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise RewardError(f"the reward function {name} returned {_short(answer)}; expected {size} numbers, "
                          f"one a response.") from error
    if score.shape != (size,):
        raise RewardError(f"the reward function {name} returned shape {tuple(score.shape)} for {size} responses; "
                          f"expected one number a response, shape ({size},).")
    if not torch.isfinite(score).all():
        row = int((~torch.isfinite(score)).nonzero()[0])
        raise RewardError(f"the reward function {name} returned {score[row].item()} for response {row}; "
                          f"expected finite numbers. Guard the division or logarithm that makes it.")
    return score


def _short(answer: object) -> str:
    text = " ".join(repr(answer).split())
    return f"{type(answer).__name__} {text if len(text) <= 40 else text[:37] + '...'}"
