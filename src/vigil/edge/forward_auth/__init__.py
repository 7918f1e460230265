"""Forward auth: a reverse proxy asks before it passes a request on. ``addresses`` is pure; ``routes`` stands in the HTTP door."""
