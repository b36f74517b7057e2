"""From the cells of a notebook to the functions in them, by name; nothing is run that could train, print or wait.

What counts of a notebook: imports; definitions; names that are given values which need no call, or only calls of what
merely makes a value (`float("0.2")`, `math.log(2)`, `partial(...)`, `nn.LogSigmoid()`, `torch.tensor(...)`).

Stands alone (the standard library only), and runs where the answers run: reading hostile code is work for the cell.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

MOST = 5000                                                # statements that are looked at
PROBLEMS = 20                                              # lines about what could not be defined
MAGIC = re.compile(r"^(?P<indent>\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
GIVEN = re.compile(r"^(?P<indent>\s*(?:[\w.,\s]+=|.*[:;])\s*)[%!](?!=).*$")           # files = !ls, if here: !ls
OTHER_LANGUAGES = re.compile(r"^\s*%%(?!(?:time|timeit|capture|prun|memit|mprun)\b)\w+")    # %%html, %%bash, ...
HARMLESS = (ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Set, ast.Dict,
            ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Starred, ast.JoinedStr, ast.FormattedValue,
            ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# what may be called at the top of a cell: these, what is in these modules and below them, but for these names
MAKERS = frozenset(("abs", "bool", "bytes", "complex", "dict", "divmod", "enumerate", "float", "frozenset", "int",
                    "len", "list", "max", "min", "object", "pow", "range", "reversed", "round", "set", "slice",
                    "sorted", "str", "sum", "tuple", "type", "zip", "isinstance", "hasattr", "getattr"))
MODULES = frozenset(("math", "cmath", "functools", "operator", "itertools", "collections", "statistics", "fractions",
                     "decimal", "string", "re", "typing", "dataclasses", "enum", "types", "copy", "datetime", "pathlib",
                     "random", "time", "numpy", "scipy", "torch"))
NOT = frozenset(("sleep", "load", "save", "hub", "compile", "export", "jit", "distributed", "multiprocessing", "utils",
                 "optim", "onnx", "savez", "loadtxt", "savetxt", "fromfile", "memmap", "seed", "manual_seed"))


@dataclass
class Setting:
    """How a notebook is defined: the names that count, and who is told what comes next."""

    namespace: dict[str, object]
    wanted: frozenset[str]
    skip: frozenset[int] = frozenset()                     # statements that are left out, by their number
    note: Callable[[int, bool], None] = lambda number, importing: None
    # names that harmless modules, or things in them, go by
    modules: set[str] = field(default_factory=lambda: {"torch", "Tensor", "math"})
    own: set[str] = field(default_factory=set)             # functions and classes of the notebook
    written: set[str] = field(default_factory=set)         # wanted names that have more than a stub
    problems: list[str] = field(default_factory=list)
    number: int = 0


def define(cells: Sequence[str], wanted: Iterable[str], namespace: dict[str, object], skip: Iterable[int] = (),
           note: Callable[[int, bool], None] | None = None) -> list[str]:
    """Define in `namespace` what the cells define; returns a line about each cell or definition that failed.

    A value of the notebook that needs a call which is not run is no failure.
    Of a wanted name that is defined more than once, the last definition counts that is not the untouched stub: a
    stub that was copied to the end does not undo an answer. Every other name means what it would in a notebook run
    from top to bottom. Whatever a statement raises costs that statement. `note(number, importing)` is called before
    each; the statements whose numbers are in `skip` are passed over.
    """
    setting = Setting(namespace, frozenset(wanted), frozenset(skip), note or (lambda number, importing: None))
    statements, setting.problems = parsed(cells)
    for statement in statements:
        try:
            _run([statement], setting)
        except RecursionError:                             # a chain of a thousand branches
            setting.problems.append(f"{statement.cell}: nested too deeply")
    return setting.problems[:PROBLEMS]


def parsed(cells: Sequence[str]) -> tuple[list[ast.stmt], list[str]]:
    """The statements of all cells in order, and what is wrong with the cells that cannot be read.

    A cell that was split in the middle of a function is put together again.
    """
    statements: list[ast.stmt] = []
    problems: dict[int, str] = {}
    before, at = "", 0                                     # the cell before, and where its statements begin
    for number, cell in enumerate(cells, 1):
        source, name = cell, f"cell {number}"
        continues = bool(before) and (number - 1 in problems or cell.lstrip("\n")[:1] in (" ", "\t"))
        try:
            tree = _read(f"{before}\n{cell}") if continues else None
            if tree is None:
                tree = _tree(cell)
            else:
                source = f"{before}\n{cell}"
                del statements[at:]
                problems.pop(number - 1, None)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            problems[number] = f"{name}{line}: {getattr(error, 'msg', '') or type(error).__name__}"
            tree = ast.Module([], [])
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)    # so that errors show it
        for statement in ast.walk(tree):
            if isinstance(statement, ast.stmt):
                statement.cell = name
        before, at = source, len(statements)
        statements += tree.body
    return statements, list(problems.values())


def _run(body: Sequence[ast.stmt], setting: Setting) -> BaseException | None:
    """Go through statements as Python would, and keep to those that count; returns the first error."""
    first: BaseException | None = None
    for statement in body:
        if isinstance(statement, ast.Try | ast.TryStar):
            error = _run(statement.body, setting)
            handler = [s for first in statement.handlers[:1] for s in first.body]
            _run(handler if error else statement.orelse, setting)
            _run(statement.finalbody, setting)
        elif isinstance(statement, ast.If):
            for branch in _branches(statement, setting):
                _run(branch, setting)
        elif isinstance(statement, ast.With):
            _run(statement.body, setting)
        elif counts(statement, setting):
            error = _define_one(statement, setting)
            first = first or error
    return first


def _branches(statement: ast.If, setting: Setting) -> list[list[ast.stmt]]:
    """The branch that the condition chooses; both, where it cannot be known without running something."""
    setting.number += 1
    if harmless(statement.test, setting) and setting.number not in setting.skip:
        setting.note(setting.number, False)
        try:
            told: dict[str, object] = {}
            test = ast.Assign([ast.Name("test", ast.Store())], statement.test)
            module = ast.fix_missing_locations(ast.Module([ast.copy_location(test, statement)], []))
            exec(compile(module, statement.cell, "exec", 0, True), setting.namespace, told)
            return [statement.body if told["test"] else statement.orelse]
        except BaseException:                              # a name that only a call would have given
            pass
    return [statement.body, statement.orelse]


def _define_one(statement: ast.stmt, setting: Setting) -> BaseException | None:
    """Run one statement, unless it is a stub that would undo an answer; returns what it raised."""
    name, importing = defined_name(statement), isinstance(statement, ast.Import | ast.ImportFrom)
    setting.number += 1
    if setting.number == MOST + 1:
        setting.problems.append(f"{statement.cell}: there are more than {MOST} statements")
    if setting.number > MOST or setting.number in setting.skip or (name in setting.written and untouched(statement)):
        return None
    setting.note(setting.number, importing)
    try:
        module = ast.Module([statement], type_ignores=[])
        exec(compile(module, statement.cell, "exec", __future__.annotations.compiler_flag, True), setting.namespace)
    except BaseException as error:                         # SystemExit, KeyboardInterrupt: one definition, not all
        telling = name in setting.wanted or not isinstance(statement, ast.Assign | ast.AnnAssign)
        if name and telling and len(setting.problems) < PROBLEMS:
            setting.problems.append(f"{statement.cell}, {name}: {type(error).__name__}: {error}"[:200])
        return error
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        setting.own.add(name)
    if name in setting.wanted and not untouched(statement):
        setting.written.add(name)
    setting.modules |= set(_imported(statement))
    return None


def counts(statement: ast.stmt, setting: Setting) -> bool:
    """True for imports, definitions, and names that are given harmless values."""
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return True
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None or not _named(statement):
        return False
    try:
        return _valued(statement, setting)
    except RecursionError:
        return False


def _valued(statement: ast.Assign | ast.AnnAssign, setting: Setting) -> bool:
    """True if the value is harmless; or is an answer, and what a function of the notebook's own returns."""
    made = statement.value
    own = (isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id in setting.own
           and defined_name(statement) in setting.wanted)
    return harmless(made, setting) or (own and all(harmless(part, setting) for part in _arguments(made)))


def harmless(value: ast.expr, setting: Setting) -> bool:
    """True for a value that is made without running anything of weight; a lambda is a definition, whatever is in it."""
    if isinstance(value, ast.Lambda):
        return True
    if isinstance(value, ast.Call):
        return _makes(value.func, setting) and all(harmless(part, setting) for part in _arguments(value))
    return isinstance(value, HARMLESS) and all(harmless(part, setting) for part in _parts(value))


def _makes(function: ast.expr, setting: Setting) -> bool:
    """True for the function in a call that merely makes a value: a constructor, or something of a harmless module."""
    if isinstance(function, ast.Name):
        return function.id in MAKERS | setting.modules
    if not isinstance(function, ast.Attribute) or function.attr in NOT:
        return False
    root: ast.expr = function.value
    while isinstance(root, ast.Attribute):
        if root.attr in NOT:
            return False
        root = root.value
    if isinstance(root, ast.Name):                         # nn.LogSigmoid(...)
        return root.id in setting.modules
    return isinstance(root, ast.Constant | ast.Call) and harmless(root, setting)      # torch.ones(3).double()


def _arguments(call: ast.Call) -> list[ast.expr]:
    """What a call is given; functions and classes of the notebook may be handed over, they are not called here."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    for part in ast.iter_child_nodes(value):
        if isinstance(part, ast.expr):
            yield part
        elif isinstance(part, ast.comprehension):
            yield from (part.target, part.iter, *part.ifs)


def _imported(statement: ast.stmt) -> Iterator[str]:
    """The names under which an import brings a harmless module, or something in one."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.name.split(".")[0] in MODULES:
                yield alias.asname or alias.name.split(".")[0]
    elif isinstance(statement, ast.ImportFrom):
        way = (statement.module or "").split(".")
        if way[0] in MODULES and not set(way) & NOT:
            yield from (alias.asname or alias.name for alias in statement.names if alias.name not in NOT)


def defined_name(statement: ast.stmt) -> str:
    """What a statement defines; empty for an import or several targets."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.name
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def untouched(statement: ast.stmt) -> bool:
    """A function of which nothing was written: its text, then `raise NotImplementedError`, `pass` or `...`."""
    if not isinstance(statement, ast.FunctionDef):
        return False
    return all(isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
               or (isinstance(part, ast.Raise) and "NotImplementedError" in ast.dump(part)) for part in statement.body)


# Cells

def _tree(cell: str) -> ast.Module:
    """The cell as it stands; if that is not Python, without its magics; if that is not either, moved to the left."""
    try:
        return ast.parse(cell)
    except SyntaxError:
        if OTHER_LANGUAGES.match(cell):
            return ast.Module([], [])
    rows = cell.split("\n")
    rows = _without_magics(rows) if _places(rows) else rows
    try:
        return ast.parse("\n".join(rows))
    except IndentationError:
        return ast.parse(_dedented(rows))


def _without_magics(rows: list[str]) -> list[str]:
    """Lines that begin with %, ! or ? become `pass`: those at which Python stumbles, for a % may also be a modulo."""
    left, kept = dict.fromkeys(_places(rows)), list(rows)
    for _ in range(min(len(left), 200)):
        try:
            ast.parse("\n".join(kept))
            return kept
        except SyntaxError as error:
            place = (error.lineno or 0) - 1
        if place not in left:
            break
        kept[place] = _plain(rows[place])
        del left[place]
    try:
        ast.parse("\n".join(kept))
    except SyntaxError:                                    # it stumbles elsewhere: then all of them are taken out
        for place in left:
            kept[place] = _plain(rows[place])
    return kept


def _places(rows: Sequence[str]) -> list[int]:
    """Lines that look like magics, with those that continue them after a backslash."""
    found: list[int] = []
    for place, row in enumerate(rows):
        continued = found and found[-1] == place - 1 and rows[place - 1].rstrip().endswith("\\")
        if continued or MAGIC.match(row) or GIVEN.match(row):
            found.append(place)
    return found


def _plain(row: str) -> str:
    """The same line without its magic."""
    if found := GIVEN.match(row):
        return f"{found['indent']}{'None' if found['indent'].rstrip().endswith('=') else 'pass'}"
    found = MAGIC.match(row)
    return f"{found['indent'] if found else ''}pass"


def _read(text: str) -> ast.Module | None:
    """The text as a cell, or nothing."""
    try:
        return _tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _dedented(rows: Sequence[str]) -> str:
    """As a notebook runs a cell whose first line is indented."""
    first = next((row for row in rows if row.strip()), "")
    indent = first[:len(first) - len(first.lstrip())]
    return "\n".join(row.removeprefix(indent) for row in rows)


def _named(statement: ast.Assign | ast.AnnAssign) -> bool:
    """True if names are given values, and nothing inside an object is changed."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    parts = [part for target in targets for part in getattr(target, "elts", [target])]
    return all(isinstance(part, ast.Name) for part in parts)
