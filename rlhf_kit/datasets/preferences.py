"""Which answer people preferred, recognised by columns and what they hold: pairs, rankings, scores, labels."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from rlhf_kit.datasets.chats import Wrong, answered, chat_of
from rlhf_kit.datasets.columns import EMPTY, Columns, Part, number_of, text_of
from rlhf_kit.datasets.reading import same_text, shorten
from rlhf_kit.formulas.records import Chat, Comparison, Labelled, Ranking, Turn

Row = Mapping[str, Any]
Words = str | Chat

PAIRS = (("chosen", "rejected"), ("chosen_response", "rejected_response"), ("chosen", "reject"),
         ("response_chosen", "response_rejected"), ("pos_resp", "neg_resp"), ("response_j", "response_k"),
         ("y_w", "y_l"), ("winner", "loser"), ("win", "lose"), ("better", "worse"), ("preferred", "dispreferred"),
         ("preferred", "rejected"), ("accepted", "rejected"), ("positive", "negative"), ("pos", "neg"),
         ("good", "bad"), ("good_response", "bad_response"))
PAIR_SCORES = (("score_chosen", "score_rejected"), ("chosen_score", "rejected_score"),
               ("chosen_avg_rating", "rejected_avg_rating"), ("chosen_rating", "rejected_rating"),
               ("chosen-rating", "rejected-rating"), ("rating_chosen", "rating_rejected"))
LISTS = ("responses", "completions", "answers", "outputs", "candidates", "generations", "replies", "summaries",
         "responses_and_scores", "texts", "output", "回答")
RANKS = ("ranks", "rank", "ranking", "rankings", "order", "排名")
SCORES = ("scores", "rewards", "ratings", "score", "reward", "rating", "overall_score", "preference_scores", "grades",
          "labels", "评分")
CHOICES = ("chosen", "choice", "best", "best_index", "chosen_index", "preferred", "winner", "label", "better",
           "selected")
TEXTS = ("response", "text", "content", "answer", "completion", "output", "summary", "value")
GIVEN = ("overall_score", "score", "rating", "reward")                       # in an object; higher is better
SINGLE = ("response", "completion", "answer", "output", "reply", "回答")
RATED = ("helpfulness", "overall_score", "score", "rating", "reward", "overall", "quality", "stars", "评分")
BINARY = ("label", "kto_tag", "is_safe", "thumbs_up", "liked", "desirable", "good", "is_good", "feedback", "vote")
VERDICTS = ("comparison", "better_response_id", "preference", "overall_preference", "preference_strength", "preferred",
            "winner", "choice", "better", "labels", "label", "vote", "chosen", "best", "selected", "preferred_response")
NUMBERED = re.compile(r"(?P<stem>.*?[^\W\d]?)[_\-. ]?(?P<which>[AaBbCcDd]|\d)$")
STEMS = ("response", "responses", "answer", "output", "completion", "human_ref", "conversation", "summary", "text",
         "candidate", "generation", "reply", "model_output", "回答")


@dataclass(frozen=True)
class Scored:
    """Answers to one prompt with a number each; higher is better."""

    prompt: Words
    responses: tuple[Words, ...]
    scores: tuple[float, ...]

    def ranking(self) -> Ranking:
        """The order of the scores; equal ones tie."""
        distinct = sorted(set(self.scores), reverse=True)
        return Ranking(self.prompt, self.responses, tuple(1 + distinct.index(score) for score in self.scores))


@dataclass(frozen=True)
class Form:
    """How a table is read."""

    kind: str                                   # "pairs", "rankings", "scored", "binary"; "examples", "prompts"
    used: tuple[tuple[str, tuple[str, ...]], ...]       # part -> its columns
    of: Callable[[Row], Sequence[Any]]          # a row's items, none if nobody won; raises Wrong
    notes: tuple[tuple[str, dict[str, Any]], ...] = ()
    whole: Callable[[list], list] | None = None         # or of all rows together: [(line, row)] -> [(line, item)]
    prompted: bool = True                       # False if it has no prompt


def recognise(columns: Columns) -> Form | None:
    """The form of a table of preferences, None if it is none."""
    for look in (_lists, _pairs, _numbered, _single):
        if (form := look(columns)) is not None:
            return form
    return None


# Pairs

def _pairs(columns: Columns) -> Form | None:
    words = ("text", "messages", "message", "record", "nothing", "anything")
    names = next((pair for pair in PAIRS if columns.has(*pair)
                  and all(columns.holds(name) in words for name in pair)), None)
    if names is None:
        return None
    prompt = columns.prompt(names)
    margin = columns.first("margin", holding=("number", "text"))
    scores = next((pair for pair in PAIR_SCORES if columns.has(*pair)), None)

    def of(row: Row) -> Sequence[Comparison]:
        better, worse = (_named(columns.real(name), row.get(name)) for name in names)
        if scores is not None and margin is None:
            up, down = (number_of(row.get(name)) for name in scores)
            if up is not None and up == down:
                return ()
        shared, (chosen, rejected) = together(asked_in(prompt, row), (better, worse))
        return () if chosen == rejected else (Comparison(shared, chosen, rejected, _margin(row, margin)),)

    notes = []
    if scores is not None:
        upside = sum(_above(row.get(scores[1]), row.get(scores[0])) for _, row in columns.rows)
        if upside:
            notes.append(("read_upside_down", {"n": upside, "chosen": scores[0], "rejected": scores[1]}))
    used = used_by(columns, prompt, chosen=names[:1], rejected=names[1:], margin=(margin,) if margin else ())
    return Form("pairs", used, of, tuple(notes), prompted=prompt is not None or with_prompts(columns, names[0]))


def with_prompts(columns: Columns, name: str) -> bool:
    """True if the answers bring their prompts: conversations, and dialogues in one text."""
    if columns.holds(name) == "messages":
        return True
    texts = [row.get(name) for _, row in columns.rows[:20]]
    return any(isinstance(text, str) and "Assistant:" in text for text in texts)


# Lists of answers

def _lists(columns: Columns) -> Form | None:
    name = columns.first(*LISTS, holding=("texts", "records", "messages", "lists"))
    if name is None and columns.has("responses") and not columns.has("chosen", "rejected"):
        name = "responses"                                      # whatever it holds: the first row says what is wrong
    if name is None:
        return None
    prompt, answers = columns.prompt((name,)), partial(_answers, name=name)
    used = partial(used_by, columns, prompt, responses=(name,))
    made = partial(Form, prompted=prompt is not None)
    ranks = _first_numbers(columns, RANKS)
    if ranks is not None:
        return made("rankings", used(ranks=(ranks,)), lambda row: _ranked(prompt, row, answers(row), row.get(ranks)))
    scores = _first_numbers(columns, SCORES)
    if scores is not None:
        return made("scored", used(scores=(scores,)), lambda row: _scored(prompt, row, answers(row), row.get(scores)),
                    _unscored(columns, lambda row: _listed(row.get(scores))))
    choice = columns.first(*CHOICES, holding=("number", "text"))
    if choice is not None:
        return _chosen_of(columns, prompt, name, choice, used(choice=(choice,)))
    if columns.holds(name) == "records":
        inside = {key for _, row in columns.rows[:20] for one in row.get(name) or () if isinstance(one, dict)
                  for key, cell in one.items() if _is_number(cell)}
        if rank := next((key for key in ("rank", "ranking") if key in inside), None):
            return made("rankings", used(ranks=(f"{name}.{rank}",)), lambda row: _ranked(
                prompt, row, answers(row), [one.get(rank) for one in row.get(name)]))
        if score := next((key for key in GIVEN if key in inside), None):
            return made("scored", used(scores=(f"{name}.{score}",)), lambda row: _scored(
                prompt, row, answers(row), [one.get(score) for one in row.get(name)]),
                _unscored(columns, lambda row: [
                    one.get(score) for one in _listed(row.get(name)) if isinstance(one, dict)]))
    if name == "output":                        # two answers and nothing else: LLaMA-Factory wrote the better one first
        note = ("read_order", {"column": name})
        return made("pairs", used(), lambda row: _in_order(prompt, row, answers(row), 2), (note,))
    lists = [other for other in columns.names if other != name and columns.holds(other) == "numbers"]
    note = ("read_order_despite", {"column": name, "other": lists[0]}) if lists else ("read_order", {"column": name})
    return made("rankings", used(), lambda row: _in_order(prompt, row, answers(row)), (note,))


def _first_numbers(columns: Columns, names: Sequence[str]) -> str | None:
    """The first of these columns that holds lists of numbers; a list of words beside them has another meaning."""
    def numbers(name: str) -> bool:
        cells = [one for _, row in columns.rows[:20] for one in (row.get(name) or ()) if one is not None]
        return columns.holds(name) == "numbers" or not any(isinstance(one, str) and _maybe(one) is None
                                                           and one.strip().casefold() not in EMPTY for one in cells)
    return next((name for name in names if columns.first(name, holding=("numbers", "texts")) and numbers(name)), None)


def _answers(row: Row, name: str) -> list[Words | None]:
    """The answers in a cell; None where one is missing (a model that failed)."""
    cell = row.get(name)
    if not isinstance(cell, list):
        raise Wrong(f"{name!r} is {shorten(cell)}, not a list of texts")
    return [None if one is None else answer_of(one) for one in cell]


def _chosen_of(columns: Columns, prompt: Part | None, name: str, choice: str, used: tuple) -> Form:
    """Of several answers the number of the best: from 0, unless the last is ever meant by its length."""
    seen = [(number_of(row.get(choice)), len(row[name])) for _, row in columns.rows
            if isinstance(row.get(name), list) and _is_number(row.get(choice))]
    first = 1 if seen and all(n != 0 for n, _ in seen) and any(n == k for n, k in seen) else 0

    def of(row: Row) -> Sequence[Ranking]:
        answers, number = _answers(row, name), number_of(row.get(choice)) if _is_number(row.get(choice)) else None
        if number is None:
            match = [i for i, answer in enumerate(answers) if answer == row.get(choice)]
            number = match[0] + first if match else None
        if number is None:
            return ()
        if not 0 <= number - first < len(answers):
            raise Wrong(f"{choice!r} is {shorten(row.get(choice))}; expected one of {len(answers)} answers")
        ranks = [2] * len(answers)
        ranks[int(number) - first] = 1
        return _ranked(prompt, row, answers, ranks)
    note = ("read_choice", {"column": choice, "first": first})
    return Form("rankings", used, of, (note,), prompted=prompt is not None)


# One column an answer

def numbered(columns: Columns) -> dict[str, str]:
    """Columns with an answer each, by the letter or number that tells them apart; empty if there are none."""
    found: dict[str, dict[str, str]] = {}
    for name in columns.names:
        match = NUMBERED.fullmatch(name)
        if match and columns.holds(name) in ("text", "texts", "messages", "message", "record"):
            found.setdefault(match["stem"].rstrip("_-. "), {})[match["which"].upper()] = name
    return next((found[stem] for stem in STEMS if len(found.get(stem, {})) > 1), {})


def _numbered(columns: Columns) -> Form | None:
    names = numbered(columns)
    if not names:
        return None
    prompt, one = columns.prompt(tuple(names.values())), next(iter(names.values()))
    used = partial(used_by, columns, prompt, responses=tuple(names.values()))
    made = partial(Form, prompted=prompt is not None or columns.holds(one) == "messages")
    if columns.holds(one) == "texts" and prompt is not None:        # a text for each turn: LMSYS, Chatbot Arena
        asked, prompt = prompt.columns[0], None
        answers = lambda row: [_woven(row.get(asked), row.get(name)) for name in names.values()]        # noqa: E731
    else:
        answers = lambda row: [answer_of(row.get(name)) for name in names.values()]                     # noqa: E731
    per = {part: [f"{part}{joint}{which}" for which in names] for part in ("score", "rating", "reward", "rank")
           for joint in ("_", "") if columns.has(*(f"{part}{joint}{which}" for which in names))} or {
           part: [f"{part}_{which.lower()}" for which in names] for part in ("score", "rating", "reward", "rank")
           if columns.has(*(f"{part}_{which.lower()}" for which in names))}
    verdict = columns.first(*VERDICTS, holding=("number", "text", "bool")) or next(
        (name for name in columns.names if columns.holds(name) == "record"
         and any(_said(row.get(name)) != row.get(name) for _, row in columns.rows[:20])), None)
    one_hot = [columns.first(f"winner_model_{which.lower()}", f"winner_{which.lower()}") for which in names]
    if verdict is not None and len(names) == 2:
        mean = _meaning(columns, names, verdict, per.get("score"))
        return made("pairs", used(preference=(verdict,)),
                    lambda row: _won(prompt, row, answers(row), mean(_said(row.get(verdict)))),
                    (("read_verdict", {"column": verdict, **_explained(columns, verdict, mean, names)}),))
    if all(one_hot):
        return made("pairs", used(preference=tuple(one_hot)), lambda row: _won(
            prompt, row, answers(row), _one(row, one_hot)))
    for part, listed in per.items():
        read = _ranked if part == "rank" else _scored
        return made("rankings" if part == "rank" else "scored", used(**{f"{part}s": tuple(listed)}),
                    lambda row, read=read, listed=listed: read(prompt, row, answers(row), [row.get(n) for n in listed]),
                    () if part == "rank" else _unscored(
                        columns, lambda row, listed=listed: [row.get(n) for n in listed]))
    return None


def _meaning(columns: Columns, names: Mapping[str, str], verdict: str,
             scores: Sequence[str] | None) -> Callable[[Any], int | None]:
    """From a verdict to 0 or 1, the place of the better answer; None for a tie. Raises: Wrong."""
    first, second = names
    cells = [_said(row.get(verdict)) for _, row in columns.rows]
    numbers = sorted({n for n in map(_maybe, cells) if n is not None})
    if numbers and all(_maybe(cell) is not None or cell in (None, "") for cell in cells):
        if numbers[0] < 0:                                      # HelpSteer: from -3, the first is much better, to 3
            return lambda cell: _by_sign(_number(cell, verdict))
        ids = [float(which) for which in names if which.isdigit()]
        if len(ids) == 2 and numbers[0] >= min(ids) and numbers[-1] <= max(ids):
            middle = sum(ids) / 2
            return lambda cell: _by_sign(_number(cell, verdict) - middle)
        one = _one_means(columns, verdict, scores, bool(ids)) if set(numbers) <= {0.0, 1.0} else None
        if one is not None:
            return lambda cell: one if _number(cell, verdict) == 1 else 1 - one
        return lambda cell: _unclear(cell, verdict)
    words = {first.casefold(): 0, second.casefold(): 1, names[first].casefold(): 0, names[second].casefold(): 1,
             "left": 0, "right": 1, "first": 0, "second": 1, f"model_{first.casefold()}": 0,
             f"model_{second.casefold()}": 1, f"response {first.casefold()}": 0, f"response {second.casefold()}": 1}

    def mean(cell: Any) -> int | None:
        word = str(cell or "").strip().casefold()
        if word in words:
            return words[word]
        if not word or word in ("tie", "equal", "both", "neither", "same", "none", "draw", "c") or word[:3] == "tie":
            return None
        return _unclear(cell, verdict)
    return mean


def _one_means(columns: Columns, verdict: str, scores: Sequence[str] | None, counted: bool) -> int | None:
    """Where 1 points: where the scores say, if there are any, else at A, as in SHP; of numbered ones nobody knows."""
    if scores:
        votes = [_above(row.get(scores[0]), row.get(scores[1])) - _above(row.get(scores[1]), row.get(scores[0]))
                 for _, row in columns.rows if _maybe(row.get(verdict)) == 1]
        if sum(votes):
            return 0 if sum(votes) > 0 else 1
    return None if counted else 0


def _explained(columns: Columns, verdict: str, mean: Callable, names: Mapping[str, str]) -> dict[str, Any]:
    """An example of a verdict and of what it was taken for."""
    for _, row in columns.rows:
        try:
            if (place := mean(_said(row.get(verdict)))) is not None:
                return {"value": _said(row[verdict]), "better": list(names.values())[place]}
        except Wrong:
            continue
    return {"value": "?", "better": "?"}


def _said(cell: Any) -> Any:
    """A verdict; of Label Studio's {"selected": "left"}, which its CSV holds as text, what was selected."""
    if isinstance(cell, str) and '"selected"' in cell:
        with suppress(ValueError, RecursionError):
            cell = json.loads(cell)
    if not isinstance(cell, dict) or "selected" not in cell:
        return cell
    chosen = cell["selected"]
    return (chosen[0] if chosen else None) if isinstance(chosen, list) else chosen


def _woven(asked: Any, said: Any) -> Chat:
    """Questions and what one model answered to each of them, as a conversation."""
    if not isinstance(asked, list) or not isinstance(said, list) or len(asked) != len(said):
        raise Wrong(f"{shorten(said)} is no list with an answer to each of the questions {shorten(asked)}")
    return tuple(turn for question, answer in zip(asked, said, strict=True)
                 for turn in (Turn("user", text_of(question)), Turn("assistant", text_of(answer))))


def _unclear(cell: Any, verdict: str) -> int:
    raise Wrong(f"{verdict!r} is {shorten(cell)}, and which answer that means is not clear; name the columns with "
                f"--columns, or save the file with chosen and rejected")


def _one(row: Row, one_hot: Sequence[str]) -> int | None:
    won = [number_of(row.get(name)) == 1 for name in one_hot]
    return won.index(True) if sum(won) == 1 else None


def _won(prompt: Part | None, row: Row, answers: Sequence[Words], place: int | None) -> Sequence[Comparison]:
    if place is None:
        return ()
    shared, both = together(asked_in(prompt, row), answers)
    return () if both[0] == both[1] else (Comparison(shared, both[place], both[1 - place]),)


# One answer a row

def _single(columns: Columns) -> Form | None:
    """Ratings of single answers, of which those to one prompt belong together; and labels of good and bad."""
    answer = columns.first(*SINGLE, holding=("text", "message", "messages"))
    binary = columns.first(*BINARY, holding=("bool",)) or columns.first(*BINARY, holding=("text", "number"))
    if answer is None:
        answer = columns.first("conversations", "messages", holding=("messages",)) if binary else None
    prompt = columns.prompt((answer,)) if answer else None
    if prompt is None:
        return None
    rating = columns.first(*RATED, holding=("number",)) or columns.first(*RATED, holding=("text",))
    if rating is not None and all(_maybe(row.get(rating)) is not None for _, row in columns.rows[:20]):
        def rated(row: Row) -> Sequence[tuple[Words, Words, float]]:
            given = number_of(row.get(rating))
            return () if given is None else ((asked_in(prompt, row), answer_of(row.get(answer)), given),)
        return Form("scored", used_by(columns, prompt, response=(answer,), score=(rating,)), rated,
                    _unscored(columns, lambda row: [row.get(rating)]), whole=_by_prompt)
    if binary is None or not all(_yes(row.get(binary)) is not None for _, row in columns.rows[:20]):
        return None

    def labelled(row: Row) -> Sequence[Labelled]:
        good = _yes(row.get(binary))
        if good is None:
            raise Wrong(f"{binary!r} is {shorten(row.get(binary))}, neither yes nor no")
        shared, (response,) = together(asked_in(prompt, row), (answer_of(row.get(answer)),))
        return (Labelled(shared, response, good),)
    return Form("binary", used_by(columns, prompt, response=(answer,), label=(binary,)), labelled)


def _by_prompt(rated: list) -> list:
    """[(line, (prompt, response, score))] as [(line, Scored)]; answers alone with their prompt are left out."""
    found: dict[Any, list] = {}
    for line, (prompt, response, score) in rated:
        found.setdefault(same_text(prompt) if isinstance(prompt, str) else prompt, []).append(
            (line, prompt, response, score))
    kept = []
    for group in found.values():
        first = {response: (response, score) for _, _, response, score in group}
        if len(first) > 1:
            responses, scores = zip(*first.values(), strict=True)
            kept.append((group[0][0], Scored(group[0][1], responses, scores)))
    return kept


def contrasts(labelled: Sequence[Labelled]) -> list[Ranking]:
    """Good answers above bad ones where a prompt has both."""
    rows = [(i, (one.prompt, one.response, float(one.good))) for i, one in enumerate(labelled)]
    return [one.ranking() for _, one in _by_prompt(rows) if len(set(one.scores)) > 1]


# Parts of a row

def asked_in(prompt: Part | None, row: Row) -> Words:
    return "" if prompt is None else prompt.of(row)


def _named(column: str, cell: Any) -> Words:
    """An answer. Raises: Wrong, with the name of its column."""
    try:
        return answer_of(cell)
    except Wrong as wrong:
        raise Wrong(f"{column!r}: {wrong}") from None


def _unscored(columns: Columns, scores: Callable[[Row], list]) -> tuple[tuple[str, dict[str, Any]], ...]:
    """A note of how many answers have no score; they are compared with none."""
    cells = [score for _, row in columns.rows for score in scores(row)]
    empty = sum(_is_empty(score) for score in cells)
    return (("read_unscored", {"n": empty, "all": len(cells)}),) if empty else ()


def _listed(cell: Any) -> list:
    return cell if isinstance(cell, list) else []


def answer_of(cell: Any) -> Words:
    """An answer as text or as a conversation."""
    if isinstance(cell, dict):
        if name := next((name for name in TEXTS if name in cell and not ("role" in cell or "from" in cell)), None):
            return text_of(cell[name])
        return chat_of(cell)
    return chat_of(cell) if isinstance(cell, list) else text_of(cell)


def together(prompt: Words, answers: Sequence[Words]) -> tuple[Words, tuple[Words, ...]]:
    """Prompt and answers, all texts or all conversations."""
    if not isinstance(prompt, tuple) and all(isinstance(answer, str) for answer in answers):
        return prompt, tuple(answers)
    return answered(prompt, [(Turn("assistant", one),) if isinstance(one, str) else one for one in answers])


def _checked(answers: Sequence[Words | None], least: int = 2) -> None:
    if None in answers:
        raise Wrong("an empty text")
    if len(answers) < least:
        raise Wrong(f"{len(answers)} response{'s' * (len(answers) != 1)}; a ranking compares at least {least}")
    if len({same_text(a) if isinstance(a, str) else a for a in answers}) < len(answers):
        raise Wrong("the same response twice in one ranking, so it would be better than itself")


def _ranked(prompt: Part | None, row: Row, answers: Sequence[Words], ranks: Any) -> Sequence[Ranking]:
    numbers = [] if not isinstance(ranks, list) else [number_of(one) for one in ranks]
    if len(numbers) != len(answers) or any(number is None for number in numbers):
        raise Wrong(f"'ranks' is {shorten(ranks)}; expected {len(answers)} numbers, the smallest for the best")
    _checked(answers)
    shared, answers = together(asked_in(prompt, row), answers)
    order = sorted(set(numbers))
    return () if len(order) < 2 else (Ranking(shared, answers, tuple(1 + order.index(n) for n in numbers)),)


def _scored(prompt: Part | None, row: Row, answers: Sequence[Words], scores: Any) -> Sequence[Scored]:
    if not isinstance(scores, list) or len(scores) != len(answers):
        raise Wrong(f"'scores' is {shorten(scores)}; expected {len(answers)} numbers, the largest for the best")
    given = [(answer, number) for answer, score in zip(answers, scores, strict=True)
             if answer is not None and (number := number_of(score)) is not None]
    if len(given) < 2 <= len(answers):
        return ()                                               # all but one failed, or were not judged
    answers, numbers = [answer for answer, _ in given], tuple(number for _, number in given)
    _checked(answers)
    shared, responses = together(asked_in(prompt, row), answers)
    return () if len(set(numbers)) < 2 else (Scored(shared, responses, numbers),)


def _in_order(prompt: Part | None, row: Row, answers: Sequence[Words], exactly: int | None = None) -> Sequence[Any]:
    if exactly is not None and len(answers) != exactly:
        raise Wrong(f"{len(answers)} answers; expected {exactly}, the better one first")
    (ranking,) = _ranked(prompt, row, answers, list(range(1, len(answers) + 1)))
    return ranking.pairs() if exactly else (ranking,)


def _margin(row: Row, name: str | None) -> float | None:
    if name is None or row.get(name) in (None, ""):
        return None
    number = _maybe(row.get(name))
    if number is None or not 0 <= number < 1e6:
        raise Wrong(f"the margin is {shorten(row.get(name))}; expected a number, 0 or more")
    return number


def used_by(columns: Columns, prompt: Part | None, **parts: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = {"prompt": prompt.columns if prompt else (), **parts}
    return tuple((part, tuple(map(columns.real, names))) for part, names in found.items() if names)


def _maybe(cell: Any) -> float | None:
    try:
        return number_of(cell)
    except Wrong:
        return None


def _is_empty(cell: Any) -> bool:
    try:
        return number_of(cell) is None
    except Wrong:
        return False


def _is_number(cell: Any) -> bool:
    return not isinstance(cell, bool) and _maybe(cell) is not None


def _number(cell: Any, name: str) -> float:
    number = number_of(cell)
    if number is None:
        raise Wrong(f"{name!r} is empty")
    return number


def _by_sign(number: float) -> int | None:
    return None if number == 0 or math.isnan(number) else int(number > 0)


def _above(one: Any, other: Any) -> bool:
    one, other = _maybe(one), _maybe(other)
    return one is not None and other is not None and one > other


def _yes(cell: Any) -> bool | None:
    word = str(cell).strip().casefold()
    if word in ("true", "1", "1.0", "yes", "good", "desirable", "up", "👍", "thumbs_up", "positive", "safe", "like"):
        return True
    return False if word in ("false", "0", "0.0", "-1", "no", "bad", "undesirable", "down", "👎", "thumbs_down",
                             "negative", "unsafe", "dislike") else None
