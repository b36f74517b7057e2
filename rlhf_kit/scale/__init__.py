"""Beyond one process: memory planned, launches configured, work handed over to other programs."""
