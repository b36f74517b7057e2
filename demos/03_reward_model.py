"""Probe a reward model, and try to fool it."""

import sys

from rlhf_kit.cli import main

if __name__ == "__main__":
    sys.exit(main(["studio", "--panel", "probe", *sys.argv[1:]]))
