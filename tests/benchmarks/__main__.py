"""Run the measurements whose names are given, or the tour."""

import importlib
import sys

NAMES = ("tour", "step", "sampling", "learning", "lam", "bigrams", "grading", "rankings", "dump", "stackllama",
         "class_load", "first_view", "pictures", "rest", "lesson_logs", "gallery", "assistant_world", "base",
         "instructgpt", "instructgpt_sizes", "anthropic", "sparrow", "after_ppo", "frontier",
         "labs")

chosen = sys.argv[1:] or ("tour",)
if unknown := set(chosen) - set(NAMES):
    sys.exit(f"no measurement {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.")
for name in chosen:
    importlib.import_module(f"tests.benchmarks.{name}").main()
