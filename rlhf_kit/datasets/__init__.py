"""What people bring: their reviews, texts, rankings and pairs, read and checked, running nobody's code."""
