"""Repeatable randomness as a function of time: the same seed and second give the same value, always."""

from math import cos, pi

_MASK = (1 << 64) - 1


def unit(key: int, bucket: int) -> float:
    """A number in [0, 1) that belongs to a key and a bucket (splitmix64)."""
    x = (key * 0x9E3779B97F4A7C15 + bucket * 0xD1B54A32D192ED03) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (x ^ (x >> 31)) / 2**64


def jitter(key: int, bucket: int) -> float:
    """A number in [-1, 1) that belongs to a key and a bucket."""
    return 2 * unit(key, bucket) - 1


def drift(key: int, ts: float, period_s: float) -> float:
    """A number in [-1, 1] that wanders smoothly, with a new target every period."""
    bucket, rest = divmod(ts, period_s)
    here, there = jitter(key, int(bucket)), jitter(key, int(bucket) + 1)
    return here + (there - here) * (1 - cos(pi * rest / period_s)) / 2


def key_of(*parts: object) -> int:
    """A stable number for a name (Python's own hash changes with every process)."""
    value = 0xCBF29CE484222325
    for byte in "/".join(map(str, parts)).encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value
