"""What tests and demonstrations need instead of the outside world: vendors on this machine that fail on demand."""
