"""The two-person act: asked for by one person, approved by another."""
