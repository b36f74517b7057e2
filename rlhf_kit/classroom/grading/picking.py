"""From the cells of a notebook to the functions in them, by name; nothing that is called at the top is run.

Stands alone (the standard library only), and runs where the answers run: reading hostile code is work for the cell.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import re
from collections.abc import Iterable, Iterator, Sequence

MAGIC = re.compile(r"^(\s*)(?:%|!|\?).*|^(\s*)[\w.]+\?{1,2}\s*$", re.M)
HARMLESS = (ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Set, ast.Dict,
            ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda)


def define(cells: Sequence[str], wanted: Iterable[str], namespace: dict[str, object]) -> list[str]:
    """Define in `namespace` what the cells define; returns one line about each cell that cannot be parsed.

    Of a wanted name that is defined more than once, the last definition counts that is not the untouched stub: a
    stub that was copied to the end does not undo an answer. Every other name means what it would in a notebook run
    from top to bottom.
    """
    statements, problems = parsed(cells)
    chosen = choose(statements, set(wanted))
    for statement in statements:
        name = defined_name(statement)
        if name in chosen and statement is not chosen[name]:
            continue
        module = ast.Module([statement], type_ignores=[])
        try:
            exec(compile(module, statement.cell, "exec", __future__.annotations.compiler_flag, True), namespace)
        except Exception:                                  # a name that is missing here: what needs it will say so
            continue
    return problems


def parsed(cells: Sequence[str]) -> tuple[list[ast.stmt], list[str]]:
    """The statements that are kept, of all cells in order, and what is wrong with the other cells."""
    statements, problems = [], []
    for number, cell in enumerate(cells, 1):
        name = f"cell {number}"
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)    # so that errors show it
        try:
            for statement in kept(_tree(cell).body):
                statement.cell = name
                statements.append(statement)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            problems.append(f"{name}{line}: {getattr(error, 'msg', '') or type(error).__name__}")
    return statements, problems


def kept(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Imports, definitions, and values that need no call; also inside of `try`, `if` and `with`."""
    for statement in body:
        given = isinstance(statement, ast.Assign | ast.AnnAssign) and _named(statement) and _harmless(statement.value)
        if given or isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
            yield statement
        elif isinstance(statement, ast.Try | ast.If | ast.With):
            yield from kept(statement.body)


def choose(statements: Sequence[ast.stmt], wanted: set[str]) -> dict[str, ast.stmt]:
    """For each wanted name the definition that counts."""
    chosen: dict[str, ast.stmt] = {}
    for statement in statements:
        name = defined_name(statement)
        if name in wanted and (name not in chosen or not untouched(statement)):
            chosen[name] = statement
    return chosen


def defined_name(statement: ast.stmt) -> str:
    """What a statement defines; empty for an import or several targets."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return statement.name
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def untouched(statement: ast.stmt) -> bool:
    """A function of which nothing was written: its text, then `raise NotImplementedError`, `pass` or `...`."""
    if not isinstance(statement, ast.FunctionDef):
        return False
    return all(isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
               or (isinstance(part, ast.Raise) and "NotImplementedError" in ast.dump(part)) for part in statement.body)


def _tree(cell: str) -> ast.Module:
    """The cell as it stands; if that is not Python, without its magics."""
    try:
        return ast.parse(cell)
    except SyntaxError:
        return ast.parse(MAGIC.sub(lambda line: f"{line[1] or line[2] or ''}pass", cell))


def _named(statement: ast.Assign | ast.AnnAssign) -> bool:
    """True if names are given values, and nothing inside an object is changed."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    parts = [part for target in targets for part in getattr(target, "elts", [target])]
    return all(isinstance(part, ast.Name) for part in parts)


def _harmless(value: ast.expr | None) -> bool:
    """True for a value that can be had without calling anything; a lambda is a definition, whatever is in it."""
    if isinstance(value, ast.Lambda):
        return True
    return isinstance(value, HARMLESS) and all(_harmless(part) for part in ast.iter_child_nodes(value)
                                               if isinstance(part, ast.expr))
