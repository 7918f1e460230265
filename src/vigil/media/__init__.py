"""Decoding of hostile images and video in a confined child process."""
