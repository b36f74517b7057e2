"""A lesson for classes that use nbgrader: `python notebooks/for_nbgrader.py DIR [01 ...]` writes its source tree.

    DIR/nbgrader_config.py
    DIR/source/01_sentiment_ppo/01_sentiment_ppo.ipynb

Go on with nbgrader's own commands, there: `nbgrader generate_assignment 01_sentiment_ppo`, later `nbgrader autograde`.
An exercise is a solution cell; its check is a cell with points, which raises if the answer is not right. Written for
nbgrader 0.9.6; nothing of it is needed to write the tree. Option: --lang zh.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import build
from nbformat import NotebookNode

from rlhf_kit.classroom.exercises.checking import EXERCISES
from rlhf_kit.storage import StorageError, write_files

CONFIG = '''"""What nbgrader has to know about this course."""

c = get_config()                                                                    # noqa: F821

c.CourseDirectory.course_id = "rlhf-kit"
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\\nraise NotImplementedError"}
c.ExecutePreprocessor.timeout = 300
'''
STRICT = '''### BEGIN HIDDEN TESTS
import os
os.environ["RLHF_KIT_STRICT"] = "1"
### END HIDDEN TESTS
'''


def assignment(source: Path, lang: str) -> NotebookNode:
    """One lesson with solutions, its cells marked for nbgrader."""
    kinds = {cell.name: cell for cell in build.read(source)}
    book = build.notebook(source, lang, solved=False, handout=True)
    for cell in book.cells:
        ours = kinds.get(cell.id)
        if ours is None or ours.kind not in ("exercise", "check"):
            continue
        if ours.kind == "exercise":
            cell.source = marked(ours.code)
            cell.metadata["nbgrader"] = about(cell.id, solution=True)
        else:
            cell.source = STRICT + ours.code
            cell.metadata["nbgrader"] = about(cell.id, points=EXERCISES[ours.number].points)
    return book


def marked(code: str) -> str:
    """The exercise with its solution between nbgrader's marks."""
    return build.SOLUTION.sub(r"\1### BEGIN SOLUTION\n\2\1### END SOLUTION\n", code + "\n").rstrip()


def about(name: str, *, solution: bool = False, points: int = 0) -> dict[str, object]:
    """nbgrader's metadata of a cell: one to be solved, or one with points, which nobody may change."""
    described = {"schema_version": 3, "grade_id": name, "grade": bool(points), "solution": solution,
                 "locked": not solution, "task": False}
    return described | ({"points": points} if points else {})


def main(arguments: list[str] | None = None) -> int:
    """Write the tree."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("names", nargs="*", help="such as 01; all if none is given")
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="of the lessons (%(default)s)")
    options = parser.parse_args(arguments)
    tree = {f"source/{source.stem}/{source.stem}.ipynb": build.written(assignment(source, options.lang))
            for source in build.lessons() if not options.names or source.name.startswith(tuple(options.names))}
    try:
        write_files(options.folder, {**tree, "nbgrader_config.py": CONFIG})     # over nothing that a teacher changed
    except StorageError as error:
        parser.error(str(error))
    print(*tree, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
