"""The benign demo: a small outside world, a provider that enforces, and sample reports."""
