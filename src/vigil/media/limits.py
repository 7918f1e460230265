"""What one hostile file may cost: each bound with its unit and the attack it stops.

Bytes and pixels are bounded by ``vigil.base.limits``; these are the bounds that only decoding knows.
"""

from __future__ import annotations

from typing import Final

from vigil.base.limits import Limit

PICTURE_SECONDS: Final = Limit(20, "seconds", "a picture that decodes for ever must not hold a worker")
VIDEO_SECONDS: Final = Limit(180, "seconds", "the same for a video, which is honestly slower")
START_SECONDS: Final = Limit(60, "seconds", "a child that cannot start must say so, not hang its caller")
CHILD_MEMORY: Final = Limit(2 * 1024**3, "bytes", "a decompression bomb ends its child, not the machine")
CHILD_FILES: Final = Limit(500, "files", "a child is replaced after so many files, should one have changed it")
CHILD_CPU_SECONDS: Final = Limit(3600, "seconds", "the processor time of one child over its whole life")
CHILD_DESCRIPTORS: Final = Limit(32, "descriptors", "a child has its channel and one file, and opens nothing")
ANIMATION_FRAMES: Final = Limit(8, "frames", "an animation is sampled, evenly, not hashed whole")
ANIMATION_PIXELS: Final = Limit(400_000_000, "pixels", "a small file may claim a million frames of full size")
VIDEO_FRAMES: Final = Limit(600, "frames", "a long film is sampled more thinly, so that the answer stays small")
VIDEO_BYTES: Final = Limit(8 * 1024**3, "bytes", "a file that is read whole for its digests must end")
ANSWER_BYTES: Final = Limit(1024 * 1024, "bytes", "a child that was taken over must not fill its parent's memory")
TILE_SIDE: Final = Limit(560, "pixels", "a tile is for deciding, not for looking; its pixels fit into one answer")
SHEET_FRAMES: Final = Limit(12, "frames", "a contact sheet tells what a film shows without playing it")
LOW_QUALITY: Final = Limit(50, "of 100", "below this PDQ itself advises against matching (flat pictures meet each other)")
SMALL_SIDE: Final = Limit(64, "pixels", "below this the samples of PDQ repeat and rounding decides bits")
