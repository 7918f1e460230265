"""Migrations of the reports room."""
