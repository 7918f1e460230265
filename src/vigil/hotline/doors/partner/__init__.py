"""The partner door: counts in, editions out. For machines with a bearer token."""
