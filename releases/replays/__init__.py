"""What a threshold would have done: to past deploys, and to the time without."""
