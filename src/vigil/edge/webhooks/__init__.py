"""Notices to a platform's own application: signed, sent until they are taken, kept on disk meanwhile."""
