"""The doors of the hotline: public, console, partner. Each is a process of its own with its own settings and URL map."""
