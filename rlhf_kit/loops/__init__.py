"""What every training loop shares: batches, schedules, checkpoints, several processes, checks of sanity."""
