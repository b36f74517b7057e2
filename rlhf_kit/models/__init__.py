"""Neural networks of the kit: heads on top of transformers models, and the one door through which they are loaded."""
