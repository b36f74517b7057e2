"""Grading a class: the answers go out into a cell, the verdict stays in."""
