"""Pages that a browser shows without running anything: one file each, no script, every stranger's word escaped."""

from __future__ import annotations

import base64
import hashlib
import html
import re

from rlhf_kit.classroom.grading.names import UNSEEN
from rlhf_kit.language import Lang

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --soft: #5a6068; --line: #d5d9de; --good: #14713a;
  --bad: #a52222; --box: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --paper: #16181b; --soft: #a4abb3; --line: #3a3f45;
  --good: #6fcf97; --bad: #ff9a8f; --box: #202429; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
  sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
p { margin: .5rem 0; } .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
section { border-top: 1px solid var(--line); } .points { float: right; font-weight: 600; }
code, pre, .value { font: .9em/1.5 ui-monospace, "SF Mono", Consolas, "Noto Sans Mono CJK SC", monospace; }
.value { display: block; background: var(--box); padding: .5rem .7rem; border-radius: .3rem; overflow-wrap: anywhere;
  white-space: pre-wrap; }
table { border-collapse: collapse; margin: .6rem 0; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } th { font-weight: 600; }
dl { margin: .5rem 0; } dt { color: var(--soft); font-size: .9rem; margin-top: .6rem; } dd { margin: .15rem 0 0; }
details > summary { cursor: pointer; color: var(--soft); } meter { width: 8rem; height: .9rem; } li { margin: .3rem 0; }
a { color: inherit; }
"""
POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"
SIGNS = {r"\beta": "β", r"\gamma": "γ", r"\lambda": "λ", r"\pi": "π", r"\rho": "ρ", r"\sigma": "σ", r"\varepsilon": "ε",
         r"\alpha": "α", r"\mu": "μ", r"\delta": "δ", r"\Delta": "Δ", r"\leftarrow": "←", r"\rightarrow": "→",
         r"\cdot": "·", r"\times": "×", r"\le": "≤", r"\ge": "≥", r"\pm": "±", r"\sum": "Σ", r"\hat A": "Â",
         r"\log": "log", r"\exp": "exp", r"\min": "min", r"\max": "max", r"\big": "", r"\,": " ", r"\;": " "}


def page(title: str, lang: Lang, body: str) -> str:
    """A whole file; `body` is HTML, `title` is text."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (f'<!DOCTYPE html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(digest)}">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="referrer" content="no-referrer">\n<title>{text(title)}</title>\n<style>{STYLE}</style>\n'
            f"</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n")


def text(words: object) -> str:
    """Anybody's words as HTML: nothing in it is a tag, turns the line round, or is unseen."""
    shown = "".join(c if (c.isprintable() and c not in UNSEEN) or c == "\n" else " " for c in str(words))
    return html.escape(shown)


def markdown(source: str) -> str:
    """The Markdown that exercises are written in: paragraphs, tables, lists, code, emphasis and simple formulas."""
    wide = r"[\u3000-\u9fff\uff00-\uffef]"                 # no space between Chinese lines
    blocks = re.split(r"\n{2,}", re.sub(rf"(?<={wide})\n(?={wide})", "", source.strip()))
    return "\n".join(map(_block, filter(None, blocks)))


def _block(block: str) -> str:
    lines = block.splitlines()
    if len(lines) > 1 and all(line.startswith("|") for line in lines):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
        head = "".join(f"<th>{_inline(cell)}</th>" for cell in rows[0])
        body = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows[2:])
        return f"<table><tr>{head}</tr>{body}</table>"
    if all(re.match(r"[-*] ", line) or line.startswith("  ") for line in lines):
        items = re.split(r"\n?^[-*] ", block, flags=re.M)[1:]
        return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
    return f"<p>{_inline(block)}</p>"


def _inline(words: str) -> str:
    parts = re.split(r"(`[^`]+`|\$\$?[^$]+\$\$?)", words)
    return "".join(f"<code>{text(part[1:-1])}</code>" if part.startswith("`") and len(part) > 1 else
                   f"<i>{text(_formula(part.strip('$')))}</i>" if part.startswith("$") else _emphasis(text(part))
                   for part in parts)


def _emphasis(escaped: str) -> str:
    escaped = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped, flags=re.S)
    escaped = re.sub(r"(?<![A-Za-z0-9*])\*([^*\n]+)\*(?!\*)", r"<em>\1</em>", escaped)
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", escaped)


def _formula(tex: str) -> str:
    """A formula as people type it: β·(1 + e·n/horizon)."""
    tex = re.sub(r"\\(?:text|mathrm|operatorname)\{([^}]*)\}", r"\1", tex)
    tex = re.sub(r"\\frac\{([^}]*)\}\{([^}]*)\}", r"(\1)/(\2)", tex)
    for sign in sorted(SIGNS, key=len, reverse=True):
        tex = tex.replace(sign, SIGNS[sign])
    return re.sub(r"[{}]", "", tex)
