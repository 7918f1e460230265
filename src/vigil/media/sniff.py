"""What a file is, by its first bytes alone: names and content types of strangers are never believed.

Also the two questions that are answered without a decoder: is the file shorter than it says, and how is a JPEG turned.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Literal

from vigil.base.errors import InputError
from vigil.base.reader import BoundedReader

# (format, offset, bytes). The order decides where two would fit.
MAGIC: Final[tuple[tuple[str, int, bytes], ...]] = (
    ("jpeg", 0, b"\xff\xd8\xff"),
    ("png", 0, b"\x89PNG\r\n\x1a\n"),
    ("gif", 0, b"GIF87a"),
    ("gif", 0, b"GIF89a"),
    ("webp", 8, b"WEBP"),
    ("bmp", 0, b"BM"),
    ("tiff", 0, b"II*\x00"),
    ("tiff", 0, b"MM\x00*"),
    ("tiff", 0, b"II+\x00"),
    ("tiff", 0, b"MM\x00+"),
)
BRANDS: Final[dict[bytes, str]] = {b"avif": "avif", b"avis": "avif"} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "heif"
)
# Pictures that exist and that we do not decode: each decoder more is one more to attack.
UNDECODED: Final[tuple[tuple[int, bytes], ...]] = (
    (0, b"\x00\x00\x00\x0cjP  "),  # JPEG 2000
    (0, b"\xff\x4f\xff\x51"),  # JPEG 2000 code stream
    (0, b"\x00\x00\x00\x0cJXL "),  # JPEG XL
    (0, b"\xff\x0a"),  # JPEG XL code stream
    (0, b"8BPS"),  # Photoshop
    (0, b"\x00\x00\x01\x00"),  # Windows icon
    (0, b"IIRO"),  # raw camera
    (0, b"\x76\x2f\x31\x01"),  # OpenEXR
    (0, b"DDS "),
    (0, b"P1\n"), (0, b"P2\n"), (0, b"P3\n"), (0, b"P4\n"), (0, b"P5\n"), (0, b"P6\n"),
)  # fmt: skip
VIDEO: Final[tuple[tuple[int, bytes], ...]] = (
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"FLV\x01"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF
    (0, b"\x00\x00\x01\xba"),  # MPEG programme stream
    (0, b"\x00\x00\x01\xb3"),  # MPEG video
    (0, b"OggS"),
    (0, b".RMF"),
)
TRANSPORT_PACKET: Final = 188  # bytes; an MPEG transport stream begins each with 0x47
EXIF: Final = b"Exif\x00\x00"
ORIENTATION_TAG: Final = 0x0112
END_OF_JPEG: Final = b"\xff\xd9"
SHORT: Final = 3
MARKERS_LIMIT: Final = 200


def picture_format(data: memoryview) -> str | None:
    """``jpeg png gif webp bmp tiff avif heif``, or None."""
    head = bytes(data[:32])
    if head[4:8] == b"ftyp":
        return _brand(data)
    for name, offset, magic in MAGIC:
        if head[offset : offset + len(magic)] == magic and (name != "webp" or head[:4] == b"RIFF"):
            return name
    return None


def is_undecoded_picture(data: memoryview) -> bool:
    """True for a picture of a kind that exists and is not decoded here."""
    head = bytes(data[:32])
    return any(head[offset : offset + len(magic)] == magic for offset, magic in UNDECODED)


def is_video(head: bytes) -> bool:
    """Do these first bytes (a few hundred) belong to a video container, and not to a picture?"""
    if picture_format(memoryview(head)):
        return False
    if head[:1] == b"G" and head[TRANSPORT_PACKET : TRANSPORT_PACKET + 1] == b"G":
        return True
    return any(head[offset : offset + len(magic)] == magic for offset, magic in VIDEO)


def _brand(data: memoryview) -> str | None:
    """The first brand that names a picture; a generic major brand gives way to a special compatible one."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    box = bytes(data[8:size])
    brands = [box[:4], *(box[start : start + 4] for start in range(8, len(box), 4))]
    names = [BRANDS[brand] for brand in brands if brand in BRANDS]
    if brands[0] not in BRANDS:
        return None
    return "avif" if "avif" in names else names[0]


def is_cut_short(data: memoryview, name: str) -> bool:
    """True where the container itself says that bytes are missing."""
    if name == "webp":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if name in {"avif", "heif"}:
        return _boxes_end(data) > len(data)
    if name == "png":
        return b"IEND" not in bytes(data[-64:])
    if name == "jpeg":
        return END_OF_JPEG not in bytes(data[-4096:])
    if name == "gif":
        return bytes(data[-1:]) != b";"
    return False


def _boxes_end(data: memoryview) -> int:
    """Where the last top-level box of an ISO media file says it ends."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:
            return len(data)  # 0: to the end of the file
        position += size
    return position


def jpeg_orientation(data: memoryview) -> int:
    """EXIF orientation 1–8 of a JPEG; 1 where there is none or it cannot be read (CIPA DC-008, table 6)."""
    try:
        return _orientation(_exif_segment(BoundedReader(data, "jpeg")))
    except InputError:
        return 1


def _exif_segment(reader: BoundedReader) -> bytes:
    """The TIFF structure inside the first APP1 segment that holds EXIF; empty where there is none."""
    reader.take(2, "start of image")
    for _ in range(MARKERS_LIMIT):
        marker = reader.take(2, "marker")
        if marker[0] != 0xFF or marker[1] in {0xDA, 0xD9}:
            return b""
        body = reader.take(int.from_bytes(reader.take(2, "length"), "big") - 2, "segment")
        if marker[1] == 0xE1 and body.startswith(EXIF):
            return body[len(EXIF) :]
    return b""


def _orientation(tiff: bytes) -> int:
    if len(tiff) < 8:
        return 1
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    number = partial(int.from_bytes, byteorder=order)
    reader = BoundedReader(tiff, "exif")
    reader.take(4, "byte order")
    reader.take(number(reader.take(4, "offset")) - 8, "gap")
    for _ in range(number(reader.take(2, "count"))):
        entry = reader.take(12, "entry")
        if number(entry[:2]) == ORIENTATION_TAG and number(entry[2:4]) == SHORT:
            value = number(entry[8:10])
            return value if 1 <= value <= 8 else 1
    return 1
