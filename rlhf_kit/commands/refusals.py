"""What a library says of its settings, said of the options of the command that was typed."""

from __future__ import annotations

import argparse
import re

VALUE = r"-?[\d.]+(?:e[-+]?\d+)?|-?inf|nan|None|True|False|'[^']*'|\([^()]*\)"
IN_PYTHON = re.compile(r" \(in Python, [^()]*\)")                            # what only a program can do
ALREADY = re.compile(r"\w+=[\w.']+ \((--[a-z-]+)\)")                          # "checks=False (--no-checks)"
OR_NONE = re.compile(r",? or (?:give )?None(?: [^.;]*)?(?=[.;])")             # nobody can type None
NUMBERS = re.compile(r"\((-?[\d.e]+(?:, -?[\d.e]+)*),?\)")                    # (0.7, 0.8)

CALLED = {"--lora": ("rank",)}                              # options whose settings have a name of their own


def in_options(message: str, parser: argparse.ArgumentParser) -> str:
    """The message with every setting of `parser` by the name of its option, and without what cannot be typed.

        kind='percentile'        --threshold-kind percentile
        batch_size is 0          --batch-size is 0
        the loss is 'ipo'        --loss is 'ipo'            where a clause begins, for a loss is a word, too
        (0.7, 0.8)               0.7,0.8
        , or None for all        nothing: it is left out
    """
    message = OR_NONE.sub("", ALREADY.sub(r"\1", IN_PYTHON.sub("", message)))
    options = {name: option for action in parser._actions
               for option in action.option_strings[:1] if option.startswith("--")
               for name in (option[2:].replace("-", "_"), action.dest, *CALLED.get(option, ()))}
    known = "|".join(sorted(map(re.escape, options), key=len, reverse=True))
    alone = rf"(?<![\w.'/=-])({known})"
    message = re.sub(rf"{alone}=({VALUE})(?![\w'])", lambda found: _typed(options[found[1]], found[2]), message)
    message = re.sub(rf"(^|; |and )(?:the )?({known})(?= (?:is |are )?(?:{VALUE})(?:[;, ]|$))",
                     lambda found: found[1] + options[found[2]], message)
    message = re.sub(rf"{alone}(?![\w.'(/=-]|\.\w)",
                     lambda found: options[found[1]] if "_" in found[1] else found[1], message)
    lists = any(getattr(action.type, "__name__", "") == "numbers" for action in parser._actions)
    return NUMBERS.sub(lambda found: found[1].replace(" ", ""), message) if lists else message


def _typed(option: str, value: str) -> str:
    """An option with a value as it is typed; one that has none is given or not."""
    plain = value.strip("'")
    return {"True": option, "False": f"no {option}", "None": f"no {option}"}.get(value, f"{option} {plain}")
