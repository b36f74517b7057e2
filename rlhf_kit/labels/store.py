"""What people say about responses: rankings, votes and scores in one SQLite file that many can write at once.

    with Labels("labels.db") as labels:
        labels.add_task("It", [" is sturdy.", " broke.", " is fine."])
        while shown := labels.next_task("ana"):
            print(shown.texts)                                  # in an order of ana's own
            labels.save_ranking(shown, [[2, 0], [1]])           # positions in shown.task.texts; 0 and 2 are a tie

Whatever is replaced or undone is kept as an event, and a save that has returned is on the disk.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.labels.database import Database
from rlhf_kit.labels.records import KINDS, Imported, Judgement, Response, Shown, Task, Undone, check_name
from rlhf_kit.labels.rows import (
    COLUMNS,
    KEY,
    TABLES,
    VERDICT,
    WANTED,
    add_task_row,
    find,
    groups_of,
    hashed,
    judgement,
    judgement_row,
    note,
    put,
    task_row,
    wanting,
)

if TYPE_CHECKING:
    from sqlite3 import Connection

    from rlhf_kit.language import Lang


class Labels:
    """Tasks, and what people said about them, in one file.

    Threads may share one; a process opens its own. A question is a name for what is asked ("helpful", "harmless");
    where only one thing is asked it is "".
    """

    def __init__(self, path: Path | str, *, seed: int = 0, timeout: float | None = None,
                 read_only: bool = False) -> None:
        """Open the file, or make it in a folder that is there.

        Args:
            seed: of the orders in which tasks and responses are shown.
            timeout: seconds to wait while somebody else writes; None is `database.TIMEOUT`.
            read_only: the file must be there and is not changed; works on a disk that cannot be written too.

        Raises: database.LabelsError, one line.
        """
        self.seed = seed
        self._file = Database(path, TABLES, timeout=timeout, read_only=read_only)

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        self._file.close()

    def revision(self) -> tuple[int, int]:
        """Another pair after each change of the file, so that what was counted need not be counted again."""
        return self._file.revision()

    def __enter__(self) -> Labels:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- tasks

    def add_task(self, prompt: str, responses: Sequence[str | Response], *, kind: str | None = None,
                 split: str = "train") -> Task:
        """Add a task, unless it is there: the same prompt, texts and models, in any order, are one task.

        Args: kind: what it is made for; by default a score for one response, a vote for two, a rank for more.
        Raises: ValueError for no responses or texts that no file can hold; LabelsError.
        """
        row = task_row(prompt, responses, kind, split)
        with self._file.writing() as db:
            return self.task(add_task_row(db, *row)[0])

    def add_tasks(self, tasks: Sequence[tuple[str, Sequence[str | Response]]], *, kind: str | None = None,
                  split: str = "train") -> int:
        """Add all of these (prompt, responses) or none; how many of them are new."""
        rows = [task_row(prompt, responses, kind, split) for prompt, responses in tasks]
        with self._file.writing() as db:
            return sum(add_task_row(db, *row)[2] for row in rows)

    def task(self, task_id: int) -> Task:
        """The task of that number. Raises: ValueError if there is none."""
        with self._file.reading() as db:
            row = db.execute("SELECT * FROM task WHERE id = ?", (task_id,)).fetchone()
            if row is None:
                raise ValueError(f"{self._file.path} has no task {task_id!r}; tasks() gives those there are.")
            return Task(task_id, row["prompt"], self._responses(db, task_id), row["kind"], row["split"])

    def tasks(self, split: str | None = None) -> list[Task]:
        """All tasks, or those of one split, in the order in which they were added."""
        with self._file.reading() as db:
            rows = db.execute("SELECT id, prompt, kind, split FROM task WHERE ? IS NULL OR split = ? ORDER BY id",
                              (split, split)).fetchall()
            return [Task(row["id"], row["prompt"], self._responses(db, row["id"]), row["kind"], row["split"])
                    for row in rows]

    def count(self, *, kind: str | None = None, k: int | None = None, lang: Lang | None = None) -> int:
        """How many tasks there are of that kind, with k responses, in that language (see `next_task`)."""
        with self._file.reading() as db:
            return db.execute(f"SELECT COUNT(*) FROM task WHERE {WANTED}", wanting(kind, None, k, lang)).fetchone()[0]

    def next_task(self, annotator: str, question: str = "", *, kind: str | None = None, split: str | None = None,
                  k: int | None = None, lang: Lang | None = None, repeats: float = 0.0, overlap: int = 1,
                  among: Collection[int] | None = None) -> Shown | None:
        """A task that this annotator has neither judged nor skipped; None when there is no more.

        First one that somebody has judged and fewer than `overlap` people have: of these the one nearest to it. Else
        one with the fewest judgements, so that all tasks get as many; among equals the order is another for each
        annotator, so that nobody's tired hour falls on the same tasks. Asked again, it gives the same one.

        Args:
            overlap: how many people are to judge a task before others are begun; 1 = spread over as many as there are.
                Agreement can be measured only on tasks that two or more have judged.
            among: only tasks of these numbers.
            kind, split, k: only tasks of that kind, that split, with that many responses.
            lang: "zh" for tasks whose text has Chinese characters, "en" for all others; None for both.
            repeats: the share of tasks to show a second time, turned round, to measure self-agreement; such as 0.1.
        """
        check_name(annotator)
        with self._file.reading() as db:
            wanted = wanting(kind, split, k, lang)
            again = self._due_again(db, annotator, question, wanted, repeats, among)
            if again is not None:
                return self.show(again, annotator, question, repeat=1)
            rows = db.execute(
                "SELECT id, (SELECT COUNT(*) FROM judgement j WHERE j.task_id = task.id AND j.question = :question"
                "            AND j.repeat = 0) AS n FROM task"
                " WHERE NOT EXISTS (SELECT 1 FROM judgement j WHERE j.task_id = task.id AND j.annotator = :annotator"
                "                   AND j.question = :question)"
                " AND NOT EXISTS (SELECT 1 FROM event e WHERE e.task_id = task.id AND e.annotator = :annotator"
                "                 AND e.question = :question AND e.action = 'skip' AND e.undone = 0)"
                f" AND {WANTED}", {**wanted, "question": question, "annotator": annotator}).fetchall()
            rows = [row for row in rows if among is None or row["id"] in among]
            if not rows:
                return None
            chosen = min(rows, key=lambda row: (-row["n"] if row["n"] < overlap else row["n"] - overlap + 1 if row["n"]
                                                else 0, hashed(self.seed, annotator, row["id"])))
            return self.show(chosen["id"], annotator, question)

    def show(self, task_id: int, annotator: str, question: str = "", repeat: int = 0) -> Shown:
        """A task of your choice, as `next_task` would give it: its order comes from seed, task and annotator.

        An odd repeat shows the responses the other way round, so that who picks the first one shows it.
        """
        check_name(annotator)
        if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 0:
            raise ValueError(f"repeat is {repeat!r}; expected a whole number from 0 on.")
        task = self.task(task_id)
        order = list(range(len(task.responses)))
        random.Random(hashed(self.seed, annotator, task_id, repeat // 2)).shuffle(order)
        return Shown(task, annotator, question, repeat, tuple(order[::-1] if repeat % 2 else order))

    # -- judgements

    def save_ranking(self, shown: Shown, groups: Sequence[Sequence[int]], *, seconds: float | None = None,
                     flags: Sequence[str] = (), lang: str = "") -> Judgement:
        """Save an order of all responses, best first: [[2], [0, 3], [1]] puts 2 first, and ties 0 with 3.

        The numbers are positions in `shown.task.texts` (not places on the screen). Saving the same again changes
        nothing; saving another order replaces it, and the old one is kept for `undo`.

        An order of two is a vote.

        Raises: ValueError if the groups are not every position once; LabelsError if it could not be saved.
        """
        k = len(shown.task.responses)
        groups = tuple(tuple(group) for group in groups)
        if k < 2 or sorted(i for group in groups for i in group) != list(range(k)) or not all(groups):
            raise ValueError(f"groups are {[list(group) for group in groups]}; expected every position from 0 to "
                             f"{k - 1} once, best first, such as {[[i] for i in range(max(k, 2))]}.")
        return self._save(shown, "vote" if k == 2 else "rank", groups, None, seconds, flags, lang)

    def save_vote(self, shown: Shown, winner: int | None, *, seconds: float | None = None,
                  flags: Sequence[str] = (), lang: str = "") -> Judgement:
        """Save which of two responses is better: 0 or 1, a position in `shown.task.texts`, or None for a tie.

        "Both bad" is a tie with `flags=[BOTH_BAD]`.
        """
        if len(shown.task.responses) != 2 or winner not in (0, 1, None):
            raise ValueError(f"winner is {winner!r} of {len(shown.task.responses)} responses; expected 0, 1 or None "
                             f"(a tie) of 2. Use save_ranking for more.")
        groups = ((0, 1),) if winner is None else ((int(winner),), (1 - winner,))
        return self._save(shown, "vote", groups, None, seconds, flags, lang)

    def save_score(self, shown: Shown, score: float, *, seconds: float | None = None, flags: Sequence[str] = (),
                   lang: str = "") -> Judgement:
        """Save a number about the one response of a task; each of K responses can be a task of its own."""
        if len(shown.task.responses) != 1 or not math.isfinite(score):
            raise ValueError(f"score is {score!r} for {len(shown.task.responses)} responses; expected a finite number "
                             f"for one. Add a task for each response to be scored.")
        return self._save(shown, "score", (), float(score), seconds, flags, lang)

    def skip(self, shown: Shown) -> None:
        """Note that this annotator cannot judge this task; `next_task` goes past it."""
        with self._file.writing() as db:
            if shown.task.id not in self._skipped(db, shown.annotator, shown.question):
                note(db, "skip", shown.task.id, shown.annotator, shown.question, shown.repeat)

    def undo(self, annotator: str, *, kinds: Sequence[str] = KINDS, skips: bool = True) -> Undone | None:
        """Take back this annotator's last save or skip; again, the one before. None if there is nothing left.

        What the save had replaced counts again. What is taken back is kept as an event. Imports are
        not undone.

        Args: kinds: only what was done to tasks of these kinds. skips: False leaves skips as they are.
        """
        marks = ", ".join("?" * len(kinds))
        with self._file.writing() as db:
            event = db.execute("SELECT event.* FROM event JOIN task ON task.id = event.task_id WHERE annotator = ?"
                               " AND (action = 'save' OR action = 'skip' AND ?) AND undone = 0"
                               f" AND task.kind IN ({marks}) ORDER BY event.id DESC LIMIT 1",
                               (annotator, skips, *kinds)).fetchone()
            if event is None:
                return None
            db.execute("UPDATE event SET undone = 1 WHERE id = ?", (event["id"],))
            key = [event[name] for name in KEY]
            now = find(db, key) if event["action"] == "save" else None
            before = json.loads(event["before_json"]) if event["before_json"] else None
            if event["action"] == "save":
                put(db, before) if before else db.execute(
                    f"DELETE FROM judgement WHERE {' AND '.join(f'{name} = ?' for name in KEY)}", key)
            note(db, "undo", event["task_id"], annotator, event["question"], event["repeat"], event["kind"], now)
            return Undone(event["task_id"], event["action"], judgement(now), judgement(before), event["question"],
                          event["repeat"])

    def remove(self, said: Judgement) -> bool:
        """Take one judgement back, whoever's and however old; False if it is not there, or says something else by now.

        It is kept as an event, and the task is asked again. `undo` goes past it.
        """
        key = [getattr(said, name) for name in KEY]
        with self._file.writing() as db:
            now = find(db, key)
            if now is None or judgement(now) != said:
                return False
            db.execute(f"DELETE FROM judgement WHERE {' AND '.join(f'{name} = ?' for name in KEY)}", key)
            db.execute("UPDATE event SET undone = 1 WHERE action = 'save'"
                       " AND task_id = ? AND annotator = ? AND kind = ? AND question = ? AND repeat = ?", key)
            note(db, "undo", said.task_id, said.annotator, said.question, said.repeat, said.kind, now)
        return True

    def said(self, shown: Shown) -> Judgement | None:
        """What this annotator has said about this task, asked this question this time; None if nothing."""
        return next((said for said in self.judgements(shown.annotator, shown.question)
                     if (said.task_id, said.repeat) == (shown.task.id, shown.repeat)), None)

    def judgements(self, annotator: str | None = None, question: str | None = None, *,
                   kinds: Sequence[str] = KINDS) -> list[Judgement]:
        """What was said, repeats included, by task, annotator and repeat; None stands for all."""
        marks = ", ".join("?" * len(kinds))
        with self._file.reading() as db:
            rows = db.execute(f"SELECT {', '.join(COLUMNS)} FROM judgement WHERE (? IS NULL OR annotator = ?)"
                              f" AND (? IS NULL OR question = ?) AND kind IN ({marks})"
                              f" ORDER BY task_id, annotator, question, kind, repeat",
                              (annotator, annotator, question, question, *kinds)).fetchall()
        return [judgement(dict(row)) for row in rows]

    def rankings(self, annotator: str | None = None, question: str | None = None, *,
                 split: str | None = None) -> list[Ranking]:
        """Rankings and votes as records, one for each annotator of a task, without repeats: to learn from."""
        with self._file.reading():
            tasks = {task.id: task for task in self.tasks(split)}
            said = self.judgements(annotator, question, kinds=("rank", "vote"))
        return [Ranking(tasks[j.task_id].prompt, tasks[j.task_id].texts, j.ranks) for j in said
                if j.repeat == 0 and j.task_id in tasks]

    def comparisons(self, annotator: str | None = None, question: str | None = None, *,
                    split: str | None = None) -> list[Comparison]:
        """Every pair with a winner in `rankings`; ties say nothing."""
        return [pair for ranking in self.rankings(annotator, question, split=split) for pair in ranking.pairs()]

    def scores(self, annotator: str | None = None, question: str | None = None) -> list[Judgement]:
        """The scores, without repeats; `task(score.task_id)` has the text."""
        return [said for said in self.judgements(annotator, question, kinds=("score",)) if said.repeat == 0]

    def events(self, annotator: str | None = None) -> list[dict[str, Any]]:
        """Saves, skips, undos, and imports that replaced something, in order: action, task_id, annotator, question,
        repeat, created, undone (bool), and `before`, the judgement that was replaced or taken back."""
        with self._file.reading() as db:
            rows = db.execute("SELECT * FROM event WHERE ? IS NULL OR annotator = ? ORDER BY id",
                              (annotator, annotator)).fetchall()
        kept = ("action", "task_id", "annotator", "question", "repeat", "created")
        return [{**{name: row[name] for name in kept}, "undone": bool(row["undone"]),
                 "before": judgement(json.loads(row["before_json"])) if row["before_json"] else None} for row in rows]

    def progress(self) -> dict[str, Any]:
        """Counts: tasks, those judged at all, judgements, repeats, skips, and judgements by annotator."""
        with self._file.reading() as db:
            def one(query: str) -> int:
                return db.execute(query).fetchone()[0]
            people = db.execute("SELECT annotator, COUNT(*) FROM judgement GROUP BY annotator ORDER BY annotator")
            return {"tasks": one("SELECT COUNT(*) FROM task"),
                    "judged": one("SELECT COUNT(DISTINCT task_id) FROM judgement"),
                    "judgements": one("SELECT COUNT(*) FROM judgement"),
                    "repeats": one("SELECT COUNT(*) FROM judgement WHERE repeat > 0"),
                    "skips": one("SELECT COUNT(*) FROM event WHERE action = 'skip' AND undone = 0"),
                    "annotators": dict(people.fetchall())}

    def add_rankings(self, rankings: Sequence[Ranking], annotator: str | None = None, question: str = "", *,
                     split: str = "train") -> Imported:
        """Add a task for each ranking, and what it says as this annotator's judgement; all of them or none.

        Without an annotator only the tasks are added, to be judged. The same task a second time in `rankings` is a
        repeat. The same rankings a second time change nothing.
        """
        if annotator is not None:
            check_name(annotator)
        rows = [(task_row(r.prompt, r.responses, None, split), r.ranks) for r in rankings]
        counted, seen = Counter(), Counter()
        with self._file.writing() as db:
            for row, ranks in rows:
                task_id, order, new = add_task_row(db, *row)
                counted["tasks"] += new
                if annotator is not None and len(order) > 1:
                    shown = Shown(self.task(task_id), annotator, question, seen[task_id], ())
                    kind = "vote" if len(order) == 2 else "rank"
                    groups = groups_of([ranks[i] for i in order])
                    counted[self._upsert(db, "import", judgement_row(shown, kind, groups, None, None, (), ""))[1]] += 1
                    seen[task_id] += 1
        return Imported(counted["tasks"], counted["new"], counted["replaced"], counted["unchanged"])

    # -- the file

    def _save(self, shown: Shown, kind: str, groups: tuple, score: float | None, seconds: float | None,
              flags: Sequence[str], lang: str) -> Judgement:
        if seconds is not None and not 0 <= seconds < math.inf:
            raise ValueError(f"seconds is {seconds!r}; expected a number from 0 on, or None.")
        if isinstance(flags, str) or not all(isinstance(flag, str) for flag in flags):
            raise ValueError(f"flags is {flags!r}; expected a list of words.")
        row = judgement_row(shown, kind, groups, score, seconds, flags, lang)
        with self._file.writing() as db:
            self.task(shown.task.id)                                # one of another file has no task here
            saved, _ = self._upsert(db, "save", row)
        return judgement(saved)

    def _upsert(self, db: Connection, action: str, row: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The row as it now stands, and whether it is new, replaced or unchanged."""
        before = find(db, [row[name] for name in KEY])
        if before and all(before[name] == row[name] for name in VERDICT):
            return before, "unchanged"
        put(db, row)
        if action == "save" or before:
            note(db, action, row["task_id"], row["annotator"], row["question"], row["repeat"], row["kind"], before)
        return row, "replaced" if before else "new"

    def _due_again(self, db: Connection, annotator: str, question: str, wanted: dict[str, Any],
                   repeats: float, among: Collection[int] | None = None) -> int | None:
        """Of the tasks wanted the one judged longest ago and only once, when it is time to ask again."""
        if not 0 <= repeats <= 1:
            raise ValueError(f"repeats is {repeats!r}; expected a share from 0 to 1, such as 0.1.")
        said = db.execute("SELECT j.task_id, MAX(j.repeat) AS last FROM judgement j JOIN task ON task.id = j.task_id"
                          f" WHERE j.annotator = :annotator AND j.question = :question AND {WANTED}"
                          " GROUP BY j.task_id ORDER BY MIN(j.id)",
                          {**wanted, "question": question, "annotator": annotator}).fetchall()
        said = [row for row in said if among is None or row["task_id"] in among]
        refused = self._skipped(db, annotator, question)
        once = [row["task_id"] for row in said if row["last"] == 0 and row["task_id"] not in refused]
        asked = sum(row["last"] > 0 or row["task_id"] in refused for row in said)
        return once[0] if once and asked < int(repeats * len(said)) else None

    def _skipped(self, db: Connection, annotator: str, question: str) -> set[int]:
        rows = db.execute("SELECT task_id FROM event WHERE annotator = ? AND question = ? AND action = 'skip'"
                          " AND undone = 0", (annotator, question))
        return {row["task_id"] for row in rows}

    def _responses(self, db: Connection, task_id: int) -> tuple[Response, ...]:
        rows = db.execute("SELECT * FROM response WHERE task_id = ? ORDER BY id", (task_id,))
        return tuple(Response(row["text"], row["model"], row["seed"],
                              json.loads(row["sampling_json"]) if row["sampling_json"] else None, row["n_tokens"])
                     for row in rows)
