"""How each person has arranged their desk: filters they keep, acts on several cases at once and their undoing."""
