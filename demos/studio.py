"""All panels: compare, rank, probe, vote, look at the data, train on it, and compare again."""

import sys

from rlhf_kit.cli import main

if __name__ == "__main__":
    sys.exit(main(["studio", *sys.argv[1:]]))
