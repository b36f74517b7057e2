"""Tables that are more than their rows: Label Studio's and Argilla's exports, and the trees of OpenAssistant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlhf_kit.datasets.chats import Wrong, turn_of
from rlhf_kit.datasets.columns import Columns, text_of
from rlhf_kit.datasets.preferences import NUMBERED, Form, Row, answer_of, together
from rlhf_kit.formulas.records import Chat, Ranking, Turn

PROMPT_FIELDS = ("prompt", "question", "instruction", "input", "query", "context")
ANSWER_LISTS = ("answers", "items", "responses", "completions", "options", "candidates")
ANSWER_TEXTS = ("body", "text", "response", "content", "answer", "html", "title")
MINE = ("submitted", "completed")               # answers of annotators that count in Argilla


def recognise(columns: Columns) -> Form | None:
    """The form of a table of rankings that one of these tools wrote, None if none did."""
    if columns.has("data") and columns.first("annotations", "completions", holding=("records",)):
        return Form("rankings", (("prompt", ("data",)), ("ranks", ("annotations",))), _label_studio)
    if (question := _argilla_question(columns)) is not None:
        prompt = next((name for name in PROMPT_FIELDS if columns.has(name)), None)
        used = (("prompt", (prompt,)), ("ranks", (question,))) if prompt else (("ranks", (question,)),)
        return Form("rankings", used, lambda row: _argilla(row, prompt, question, columns.names),
                    prompted=prompt is not None)
    if columns.has("message_id", "parent_id", "text", "role"):
        return Form("rankings", (("responses", ("text",)), ("ranks", ("rank",)), ("prompt", ("parent_id",))), _message,
                    whole=_ranked_siblings)
    if columns.has("prompt", "message_tree_id") and columns.holds("prompt") in ("record", "message"):
        return Form("rankings", (("responses", ("prompt.replies",)), ("ranks", ("rank",))),
                    lambda row: _tree_rankings(row["prompt"], ()))
    return None


def threads(columns: Columns) -> Form | None:
    """OpenAssistant's trees to be imitated: every conversation that ends with the best answer there is."""
    if columns.has("message_id", "parent_id", "text", "role"):
        return Form("chats", (("conversations", ("text", "parent_id")),), _message, whole=_best_threads)
    if columns.has("prompt", "message_tree_id") and columns.holds("prompt") in ("record", "message"):
        return Form("chats", (("conversations", ("prompt.replies",)),), lambda row: _tree_threads(row["prompt"], ()))
    return None


# Label Studio

def _label_studio(row: Row) -> Sequence[Ranking]:
    """A task: {"data": {...}, "annotations": [{"result": [{"type": "pairwise" or "ranker", "value": ...}]}]}."""
    data = row.get("data")
    if not isinstance(data, dict):
        raise Wrong("'data' is no object")
    prompt = next((data[name] for name in PROMPT_FIELDS if data.get(name)), "")
    found = []
    for one in row.get("annotations") or row.get("completions") or ():
        if one.get("was_cancelled"):
            continue
        for result in one.get("result") or ():
            value = result.get("value") or {}
            if result.get("type") == "pairwise" or "selected" in value:
                found += _pairwise(data, prompt, value.get("selected"))
            elif "ranker" in value:
                found += _ranker(data, prompt, value["ranker"])
    return found


def _pairwise(data: dict[str, Any], prompt: Any, selected: Any) -> list[Ranking]:
    """Of two texts the left or the right one: in the order of their names."""
    names = sorted(name for name, cell in data.items() if isinstance(cell, str | list) and name not in PROMPT_FIELDS
                   and name[-1:].casefold() in "12ab" and name[:-1].rstrip("_-. ").casefold() in (
                       "answer", "response", "text", "completion", "output", "option", "summary", "reply"))
    if isinstance(selected, list):
        selected = selected[0] if selected else None
    place = {"left": 0, "right": 1}.get(str(selected).casefold())
    if len(names) != 2:
        raise Wrong(f"{len(names)} texts to compare in 'data'; expected two, such as answer1 and answer2")
    if place is None:
        return []
    shared, both = together(answer_of(prompt) if prompt else "", [answer_of(data[name]) for name in names])
    return [Ranking(shared, both, (1, 2) if place == 0 else (2, 1))]


def _ranker(data: dict[str, Any], prompt: Any, ranker: Any) -> list[Ranking]:
    """The ids of the answers, best first."""
    order = ranker if isinstance(ranker, list) else next(iter(ranker.values())) if len(ranker) == 1 else None
    if order is None:
        raise Wrong("the answers are sorted into several buckets, which is no order")
    listed = next((data[name] for name in ANSWER_LISTS if isinstance(data.get(name), list)), [])
    texts = {str(one.get("id", i)): next((one[name] for name in ANSWER_TEXTS if one.get(name)), None)
             for i, one in enumerate(listed) if isinstance(one, dict)}
    missing = [one for one in order if str(one) not in texts]
    if missing or len(order) < 2:
        raise Wrong(f"a ranking of {len(order)} answers, of which {len(missing)} are not in 'data'")
    shared, answers = together(answer_of(prompt) if prompt else "", [text_of(texts[str(one)]) for one in order])
    return [Ranking(shared, answers, tuple(range(1, len(order) + 1)))]


# Argilla

def _argilla_question(columns: Columns) -> str | None:
    """The column of a ranking question, or of one that names the better answer: "ranking.responses" of version 2, or
    a list of {user_id, value, status}."""
    def says(value: Any) -> bool:
        return bool(_order_of([value])) or (isinstance(value, str) and len(_order_in(value, columns.names)) > 1)
    for name in columns.names:
        cells = [row.get(name) for _, row in columns.rows[:50] if row.get(name)]
        if name.endswith(".responses") and any(_order_of(cell) or (isinstance(cell, list) and says(cell[0]))
                                               for cell in cells):
            return name
        if any(isinstance(cell, list) and isinstance(cell[0], dict) and "status" in cell[0]
               and says(cell[0].get("value")) for cell in cells):
            return name
    return None


def _order_in(value: str, names: Sequence[str]) -> list[tuple[str, int]]:
    """[(column, rank)]: the answer that was named, which comes first, and those that were not."""
    same = {name.replace("-", "_"): name for name in names}
    chosen = same.get(value.replace("-", "_"))
    match = NUMBERED.fullmatch(chosen) if chosen else None
    if match is None:
        return []
    others = [name for name in names if (other := NUMBERED.fullmatch(name)) and other["stem"] == match["stem"]]
    return [(name, 1 if name == chosen else 2) for name in others]


def _argilla(row: Row, prompt: str | None, question: str, names: Sequence[str]) -> Sequence[Ranking]:
    found = []
    answers = row.get(question) or []
    states = row.get(f"{question}.status") or []
    for i, one in enumerate(answers):
        state = one.get("status") if isinstance(one, dict) else states[i] if i < len(states) else None
        value = one.get("value") if isinstance(one, dict) else one
        order = _order_in(value, names) if isinstance(value, str) else _order_of([value])
        if not order or (state is not None and state not in MINE):
            continue
        texts = [next((row[name] for name in (which, which.replace("-", "_"), which.replace("_", "-")) if name in row),
                      None) for which, _ in order]
        shared, responses = together(answer_of(row.get(prompt)) if prompt and row.get(prompt) else "",
                                     list(map(answer_of, texts)))
        ranks = tuple(rank for _, rank in order)
        if len(set(ranks)) > 1:
            found.append(Ranking(shared, responses, ranks))
    return found


def _order_of(cell: Any) -> list[tuple[str, int]]:
    """[(name of the answer, rank)] of what one annotator said, [] if it is no ranking."""
    value = cell[0] if isinstance(cell, list) and len(cell) >= 1 else cell
    if isinstance(value, dict) and isinstance(value.get("rank"), list) and isinstance(value.get("value"), list):
        value = [{"rank": rank, "value": name} for rank, name in zip(value["rank"], value["value"], strict=False)]
    if not isinstance(value, list) or len(value) < 2:
        return []
    if all(isinstance(one, str) for one in value):
        return [(name, rank) for rank, name in enumerate(value, 1)]
    if all(isinstance(one, dict) and "value" in one and "rank" in one for one in value):
        return [(str(one["value"]), int(one["rank"])) for one in value if one["rank"] is not None]
    return []


# OpenAssistant

def _message(row: Row) -> Sequence[dict[str, Any]]:
    text_of(row.get("text"))
    turn_of({"role": row.get("role"), "content": row.get("text")})
    return () if row.get("deleted") else (dict(row),)


def _ranked_siblings(messages: list) -> list:
    """[(line, message)] as [(line, Ranking)]: the answers to one message, by rank, after the turns before them."""
    by_id, children = _tree(messages)
    found = []
    for parent, siblings in children.items():
        ranked = [(line, one) for line, one in siblings if one.get("rank") is not None and one["role"] != "prompter"]
        if parent not in by_id or len(ranked) < 2 or len({one["rank"] for _, one in ranked}) < 2:
            continue
        responses = tuple((turn_of({"role": one["role"], "content": one["text"]}),) for _, one in ranked)
        if len(set(responses)) == len(responses):
            order = sorted({one["rank"] for _, one in ranked})
            found.append((ranked[0][0], Ranking(_thread(by_id, parent), responses,
                                                tuple(1 + order.index(one["rank"]) for _, one in ranked))))
    return found


def _best_threads(messages: list) -> list:
    """[(line, Chat)]: conversations whose answers nobody ranked below another."""
    by_id, children = _tree(messages)
    found = []
    for line, one in messages:
        chat = _thread(by_id, one["message_id"])
        ends = not children.get(one["message_id"])
        best = all(not by_id[i].get("rank") for i in _path(by_id, one["message_id"]) if by_id[i]["role"] != "prompter")
        if one["role"] != "prompter" and ends and best and chat[0].role == "user":
            found.append((line, chat))
    return found


def _tree(messages: list) -> tuple[dict[str, dict], dict[str, list]]:
    by_id = {one["message_id"]: one for _, one in messages}
    children: dict[str, list] = {}
    for line, one in messages:
        children.setdefault(one.get("parent_id"), []).append((line, one))
    return by_id, children


def _path(by_id: dict[str, dict], message: str | None) -> list[str]:
    path: list[str] = []
    while message in by_id and message not in path:
        path.append(message)
        message = by_id[message].get("parent_id")
    return path[::-1]


def _thread(by_id: dict[str, dict], message: str) -> Chat:
    return tuple(turn_of({"role": by_id[i]["role"], "content": by_id[i]["text"]}) for i in _path(by_id, message))


def _tree_rankings(node: dict[str, Any], before: Chat) -> list[Ranking]:
    """A whole tree in one row: {"text", "role", "replies": [{..., "rank"}, ...]}."""
    here = (*before, Turn(turn_of({"role": node.get("role"), "content": node.get("text")}).role, text_of(node["text"])))
    replies = [one for one in node.get("replies") or () if isinstance(one, dict) and not one.get("deleted")]
    ranked = [one for one in replies if one.get("rank") is not None and one.get("role") != "prompter"]
    found = []
    if here[-1].role == "user" and len({one["rank"] for one in ranked}) > 1:
        order = sorted({one["rank"] for one in ranked})
        found.append(Ranking(here, tuple((Turn("assistant", text_of(one["text"])),) for one in ranked),
                             tuple(1 + order.index(one["rank"]) for one in ranked)))
    return found + [ranking for one in replies for ranking in _tree_rankings(one, here)]


def _tree_threads(node: dict[str, Any], before: Chat) -> list[Chat]:
    """Of such a tree every conversation that ends with the best answer there is."""
    here = (*before, turn_of({"role": node.get("role"), "content": text_of(node.get("text"))}))
    replies = [one for one in node.get("replies") or () if isinstance(one, dict) and not one.get("deleted")]
    best = [one for one in replies if one.get("role") == "prompter" or not one.get("rank")]
    found = [chat for one in best for chat in _tree_threads(one, here)]
    return found or ([here] if here[-1].role == "assistant" and here[0].role == "user" else [])
