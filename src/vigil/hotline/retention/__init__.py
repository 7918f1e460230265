"""How long what is kept is kept, and the proof that it went."""
