"""The audit log: append-only, chained by hash, written in the transaction of each change."""
