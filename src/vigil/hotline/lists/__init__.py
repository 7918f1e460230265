"""The lists room."""
