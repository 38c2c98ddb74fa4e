"""The unit of the spool: the lines of one append behind a header that says how long they are and checks that.

    magic    length of body    lines    Unix time    CRC-32 of body    CRC-32 of header so far
    4        u32               u32      f64          u32               u32

The header is 28 bytes, little-endian; the body is the lines with line feeds between them. The magic has a byte that no
UTF-8 text has, so that a block is found again behind a damaged one. Pure: only bytes come in.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

MAGIC = b"\xffSB1"
_FIELDS = struct.Struct("<4sIIdI")
_CHECK = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECK.size
MAX_BLOCK_BYTES = 1024 * 1024
"""What a block holds, unless one item alone is larger: it is read and checked as a whole."""


class Header(NamedTuple):
    """What stands before a body; offsets are those of the data it was found in."""

    body: int
    end: int
    """Where the body ends, which may be behind the end of the data."""
    lines: int
    written: float
    """Unix time of the append."""
    check: int


class Run(NamedTuple):
    """Whole blocks, one behind the other."""

    body: bytes
    """Their lines, with line feeds between them."""
    lines: int
    end: int
    written: float
    """Unix time of the first."""


class Damage(NamedTuple):
    """What is no block."""

    end: int
    """Where the next block begins, or the data ends."""
    lines: int
    """How many lines were in it: exact where the header is whole, else after its line feeds."""
    torn: bool
    """Whether it is the beginning of an append that was never confirmed, so that nothing is lost."""


def encode(lines: Sequence[bytes], written: float) -> bytes:
    """Return a block, or several where there is more than fits one.

    An item of `lines` may itself be several lines, with line feeds between them; it is not divided.
    """
    blocks: list[bytes] = []
    begin = size = 0
    for index, line in enumerate(lines):
        if size and size + len(line) > MAX_BLOCK_BYTES:
            blocks.append(_block(lines[begin:index], written))
            begin, size = index, 0
        size += len(line)
    blocks.append(_block(lines[begin:], written))
    return b"".join(blocks)


def _block(lines: Sequence[bytes], written: float) -> bytes:
    body = b"\n".join(lines)
    fields = _FIELDS.pack(MAGIC, len(body), body.count(b"\n") + 1, written, zlib.crc32(body))
    return b"".join((fields, _CHECK.pack(zlib.crc32(fields)), body))


def header_at(data: bytes, offset: int) -> Header | None:
    """Return the header at `offset`; None: there is none, or a damaged one."""
    if not data.startswith(MAGIC, offset) or len(data) - offset < HEADER_BYTES:
        return None
    fields = data[offset : offset + _FIELDS.size]
    if _CHECK.unpack_from(data, offset + _FIELDS.size)[0] != zlib.crc32(fields):
        return None
    _, length, lines, written, check = _FIELDS.unpack(fields)
    body = offset + HEADER_BYTES
    return Header(body, body + length, lines, written, check)


def take(data: bytes, max_lines: int, max_bytes: int) -> Run | None:
    """Return the whole blocks at the beginning of `data`, as many as the limits allow, but at least one.

    None: no whole block begins here, see `damage_at`.
    """
    view = memoryview(data)
    bodies: list[memoryview] = []
    end = lines = size = 0
    written = 0.0
    while (header := header_at(data, end)) is not None and header.end <= len(data):
        body = view[header.body : header.end]
        size += len(body) + bool(bodies)
        if bodies and (lines + header.lines > max_lines or size > max_bytes):
            break
        if zlib.crc32(body) != header.check:
            break
        if not bodies:
            written = header.written
        bodies.append(body)
        lines += header.lines
        end = header.end
    return Run(b"\n".join(bodies), lines, end, written) if bodies else None


def damage_at(data: bytes, offset: int) -> Damage:
    """Return what there is at `offset` instead of a whole block; `data` goes on to the end of the segment."""
    header = header_at(data, offset)
    if header is not None and header.end <= len(data):
        return Damage(header.end, header.lines, torn=False)
    end = _next_header(data, offset + 1)
    if end == len(data) and (header is not None or _unwritten(data[offset:])):
        return Damage(end, 0, torn=True)
    return Damage(end, data.count(b"\n", min(offset + HEADER_BYTES, end), end) + 1, torn=False)


def torn_at(data: bytes) -> int:
    """Return where in a segment an append begins that was never finished; its length if there is none.

    Only headers are looked at: a damaged body is found when it is read.
    """
    offset = 0
    while offset < len(data):
        header = header_at(data, offset)
        if header is not None and header.end <= len(data):
            offset = header.end
            continue
        damage = damage_at(data, offset)
        if damage.torn:
            break
        offset = damage.end
    return offset


def lines_in(data: bytes) -> int:
    """Return how many lines there are in whole blocks and in damaged ones."""
    offset = lines = 0
    while offset < len(data):
        header = header_at(data, offset)
        whole = header is not None and header.end <= len(data)
        found = header if header is not None and whole else damage_at(data, offset)
        lines += found.lines
        offset = found.end
    return lines


def _next_header(data: bytes, offset: int) -> int:
    while (offset := data.find(MAGIC, offset)) >= 0:
        if header_at(data, offset) is not None:
            return offset
        offset += 1
    return len(data)


def _unwritten(tail: bytes) -> bool:
    """Tell whether an append was cut off in its header, or has got its place on the disk but not its bytes."""
    return len(tail) < HEADER_BYTES or not tail.strip(b"\0")
