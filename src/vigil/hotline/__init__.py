"""The case system: the Django project of a hotline, one room a stage of a case."""
