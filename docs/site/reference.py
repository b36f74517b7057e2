"""The reference, from what the code says itself: a page for each module, by its docstrings, and one for commands."""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType

import rlhf_kit
from rlhf_kit import cli

# Rooms that a program of one's own goes into, in the order of the house; the others are behind commands and pages.
ROOMS = ("formulas", "models", "tasks", "datasets", "loops", "sampling", "rewards", "evaluate", "engine", "attribution",
         "methods", "zoo", "recipes", "jobs", "studies", "labels", "runs", "scale", "plots", "storage",
         "classroom.telling", "classroom.stored", "classroom.exercises.session", "classroom.exercises.checking",
         "studio.inline")
PLAIN = re.compile(r"([*_<>$\[\]|\\])")                    # what Markdown would read otherwise
LISTED = ("Args:", "Returns:", "Raises:", "Raises, when it is called:", "Yields:", "Source:", "Options:")


def pages() -> dict[str, str]:
    """File name -> Markdown, the first of them a list of all."""
    made = {}
    for module in modules():
        if text := page(module):
            made[f"{module.__name__.removeprefix('rlhf_kit.')}.md"] = text
    made["commands.md"] = commands()
    listed = "\n".join(f"- [`{name.removesuffix('.md')}`]({name}): {escaped(summary(name))}" for name in made)
    return {"index.md": f"# Reference\n\nGenerated from the docstrings and from `--help`.\n\n{listed}\n"} | made


def modules() -> Iterator[ModuleType]:
    """Every module of the rooms, packages before what is in them."""
    for room in ROOMS:
        module = importlib.import_module(f"rlhf_kit.{room}")
        yield module
        for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
            if "_" not in found.name.rpartition(".")[2][:1]:
                yield importlib.import_module(found.name)


def summary(name: str) -> str:
    if name == "commands.md":
        return "every command with its options"
    module = importlib.import_module(f"rlhf_kit.{name.removesuffix('.md')}")
    return (inspect.getdoc(module) or "").partition("\n")[0]


def page(module: ModuleType) -> str:
    """What a module says of itself, then its public functions and classes as they stand in it; "" if there are none."""
    own = [(name, thing) for name, thing in vars(module).items()
           if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
           and (inspect.isfunction(thing) or inspect.isclass(thing)) and inspect.getdoc(thing)]
    if not own:
        return ""
    parts = [f"# `{module.__name__}`", prose(inspect.getdoc(module) or "")]
    for name, thing in own:
        parts += [f"## `{name}`", f"```python\n{shown(name, thing)}\n```", prose(inspect.getdoc(thing))]
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                function = getattr(function, "__func__", function)
                if not method.startswith("_") and inspect.isfunction(function) and function.__doc__:
                    parts += [f"### `{name}.{method}`", f"```python\n{shown(method, function)}\n```",
                              prose(inspect.getdoc(function))]
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(name: str, thing: object) -> str:
    """How it is called; of a record or a config its fields with what stands beside them, as in the source."""
    if inspect.isclass(thing) and "__dataclass_fields__" in vars(thing):
        lines = inspect.getsource(thing).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("class "))
        body = "\n".join(lines[start + 1:])
        body = re.sub(r'^    """.*?"""\n?', "", body, count=1, flags=re.S | re.M)
        body = re.split(r"^    (?:def |@)", body, maxsplit=1, flags=re.M)[0].rstrip()
        return f"{lines[start]}\n{body}" if body.strip() else lines[start]
    if inspect.isclass(thing) and not isinstance(vars(thing).get("__init__"), type(shown)):
        return f"class {name}"
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return name
    given = [_argument(str(one)) for one in signature.parameters.values()]
    said = f"{name}({', '.join(given)})"
    return said if len(said) <= 100 else f"{name}(\n" + "".join(f"    {one},\n" for one in given) + ")"


def _argument(said: str) -> str:
    """A parameter as somebody would write it: no quotes around its type, no address in its default."""
    said = re.sub(r"<class '([\w.]+)'>", lambda found: found[1].rpartition(".")[2], said)
    said = re.sub(r"<function ([\w.]+) at 0x[^>]*>", r"\1", said)
    return re.sub(r"<[^>]* at 0x[^>]*>", "...", re.sub(r"'([^']*)'(?= = |$)", r"\1", said))


def prose(docstring: str) -> str:
    """A docstring as Markdown: formulas as they stand, lists of arguments as lists."""
    parts, listing = [], False
    for block in re.split(r"\n\s*\n", docstring):
        lines = block.splitlines()
        if lines[0].strip() in LISTED:
            parts.append(f"**{lines[0].strip()}**")
            lines, listing = lines[1:], True
        elif not lines[0].startswith(" "):
            listing = False
        if not lines:
            continue
        if listing:
            parts.append("\n".join(items(inspect.cleandoc("\n".join(lines)))))
        elif all(line.startswith("    ") for line in lines):
            parts.append("```text\n" + textwrap.dedent("\n".join(lines)) + "\n```")
        else:
            said = escaped(" ".join(line.strip() for line in lines))
            parts.append(re.sub(r"(^|(?<=[.)]) )(Returns|Raises|Source|See):", r"\n\n**\2:**", said).strip())
    return "\n\n".join(parts)


def items(text: str) -> Iterator[str]:
    """A list item for each line that is not further in than the first."""
    found: list[str] = []
    for line in text.splitlines():
        if found and line.startswith(" "):
            found[-1] += f" {line.strip()}"
        else:
            found.append(line.strip())
    for one in found:
        name, colon, rest = one.partition(": ")
        if colon and re.fullmatch(r"[\w, *.]+", name):
            yield f"- **{escaped(name)}**: {escaped(rest)}"
        else:
            yield f"- {escaped(one)}"


def escaped(text: str) -> str:
    """Words that Markdown shows as they are; code in backticks stays code."""
    return "".join(part if i % 2 else PLAIN.sub(r"\\\1", part) for i, part in
                   enumerate(re.split(r"(`[^`]*`)", text)))


def commands() -> str:
    """`--help` of every command, as it is printed."""
    parts = ["# Commands", "Everything that `rlhf-kit` can be asked for, as `--help` prints it."]
    for name, parser in _parsers("rlhf-kit", cli._parser()):
        parts += [f"## `{name}`", f"```text\n{parser.format_help().rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _parsers(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from _parsers(f"{name} {word}", inner)


def missing(made: dict[str, str]) -> list[str]:
    """Public names of the kit that no page describes."""
    everything = "\n".join(made.values())
    return [name for name in rlhf_kit.__all__
            if inspect.isfunction(thing := getattr(rlhf_kit, name)) or inspect.isclass(thing)
            if f"`{thing.__name__}`" not in everything]
