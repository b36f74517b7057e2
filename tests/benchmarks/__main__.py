"""Run the measurements whose names are given, or the tour: the files here that have a `main`."""

import importlib
import sys
from pathlib import Path

NAMES = sorted(file.stem for file in Path(__file__).parent.glob("*.py")
               if "\ndef main() -> None:" in file.read_text(encoding="utf-8") and file.stem != "participant")

chosen = sys.argv[1:] or ("tour",)
if unknown := set(chosen) - set(NAMES):
    sys.exit(f"no measurement {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.")
for name in chosen:
    importlib.import_module(f"tests.benchmarks.{name}").main()
