"""Training methods. One file, one method; each has `Config`, `steps` and `train`."""
