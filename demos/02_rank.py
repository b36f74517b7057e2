"""Rank answers; what you save is what a reward model learns from."""

import sys

from rlhf_kit.cli import main

if __name__ == "__main__":
    sys.exit(main(["studio", "--panel", "rank", *sys.argv[1:]]))
