"""Small experiments that anybody can run again: each is a function that returns numbers and a picture."""

from rlhf_kit.studies import endings, merging, rankings

__all__ = ["endings", "merging", "rankings"]
