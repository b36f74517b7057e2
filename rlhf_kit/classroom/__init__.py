"""Teaching: what a lesson asks, how an answer is checked, and how a class is graded."""
