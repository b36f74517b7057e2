"""What a lesson shows of a longer run: its log, which comes with the kit."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from rlhf_kit.classroom.exercises import session


def stored() -> dict[str, Any]:
    """The log of the lesson that runs: "about" says what made it and when, "parts" what was measured.

    "about" names the command that made it. Raises: ValueError for a lesson that has none.
    """
    file = files("rlhf_kit") / "data" / "lessons" / f"{session.lesson()}.json"
    if not file.is_file():
        raise ValueError(f"lesson {session.lesson()} comes without a stored run; 04a, 04b, 05a to 05c, 06 and 07 have "
                         f"one. Was kit.setup called with the lesson's number?")
    return json.loads(file.read_text(encoding="utf-8"))
