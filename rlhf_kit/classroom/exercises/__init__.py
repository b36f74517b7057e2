"""Exercises of the lessons: what is asked, how an answer is checked, and what the likely mistake was."""
