"""Look at the labels: who said how much, who agrees, where people differ."""

import sys

from rlhf_kit.cli import main

if __name__ == "__main__":
    sys.exit(main(["studio", "--panel", "data", *sys.argv[1:]]))
