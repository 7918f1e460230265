"""Django's PostgreSQL, whose kept connections are tested without a question where that is enough."""
