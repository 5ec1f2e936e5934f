"""FarmHash's Fingerprint64, with which TensorFlow fingerprints SavedModels.

The pyfarmhash package, which TFX installs, carries the native function, but its Python face takes only text
without NULs. Its library is therefore called directly; where it does not export the function, the same
arithmetic is done here, some 800 times slower.
"""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Callable

_SYMBOL = "_ZN4util13Fingerprint64EPKcm"
"""`util::Fingerprint64(char const*, unsigned long)` as the C++ ABI of Linux spells it."""

_MASK = 0xFFFFFFFFFFFFFFFF
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_SEED = 81


def fingerprint64(data: bytes) -> int:
    """The 64-bit fingerprint of some bytes, equal on every platform and in every version."""
    native = _native()
    return fingerprint64_slowly(data) if native is None else native(data, len(data))


@functools.cache
def _native() -> Callable[[bytes, int], int] | None:
    try:
        import farmhash

        function = ctypes.CDLL(farmhash.__file__)[_SYMBOL]
    except (ImportError, OSError, AttributeError):
        return None
    function.restype = ctypes.c_uint64
    function.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
    return function


def fingerprint64_slowly(data: bytes) -> int:
    """`fingerprint64` in Python alone."""
    length = len(data)
    if length <= 16:
        return _up_to_16(data, length)
    if length <= 32:
        return _up_to_32(data, length)
    if length <= 64:
        return _up_to_64(data, length)
    return _longer(data, length)


def _rotated(value: int, bits: int) -> int:
    return ((value >> bits) | (value << (64 - bits))) & _MASK


def _mixed(low: int, high: int, factor: int) -> int:
    a = ((low ^ high) * factor) & _MASK
    a ^= a >> 47
    b = ((high ^ a) * factor) & _MASK
    b ^= b >> 47
    return (b * factor) & _MASK


def _word(data: bytes, at: int) -> int:
    return struct.unpack_from("<Q", data, at)[0]


def _half_word(data: bytes, at: int) -> int:
    return struct.unpack_from("<I", data, at)[0]


def _up_to_16(data: bytes, length: int) -> int:
    if length >= 8:
        factor = _K2 + length * 2
        a = (_word(data, 0) + _K2) & _MASK
        b = _word(data, length - 8)
        c = (_rotated(b, 37) * factor + a) & _MASK
        d = ((_rotated(a, 25) + b) * factor) & _MASK
        return _mixed(c, d, factor)
    if length >= 4:
        return _mixed(length + (_half_word(data, 0) << 3), _half_word(data, length - 4), _K2 + length * 2)
    if length > 0:
        y = data[0] + (data[length >> 1] << 8)
        z = length + (data[length - 1] << 2)
        mixed = (y * _K2 ^ z * _K0) & _MASK
        return ((mixed ^ (mixed >> 47)) * _K2) & _MASK
    return _K2


def _up_to_32(data: bytes, length: int) -> int:
    factor = _K2 + length * 2
    a = (_word(data, 0) * _K1) & _MASK
    b = _word(data, 8)
    c = (_word(data, length - 8) * factor) & _MASK
    d = (_word(data, length - 16) * _K2) & _MASK
    low = (_rotated((a + b) & _MASK, 43) + _rotated(c, 30) + d) & _MASK
    high = (a + _rotated((b + _K2) & _MASK, 18) + c) & _MASK
    return _mixed(low, high, factor)


def _up_to_64(data: bytes, length: int) -> int:
    factor = _K2 + length * 2
    a = (_word(data, 0) * _K2) & _MASK
    b = _word(data, 8)
    c = (_word(data, length - 8) * factor) & _MASK
    d = (_word(data, length - 16) * _K2) & _MASK
    y = (_rotated((a + b) & _MASK, 43) + _rotated(c, 30) + d) & _MASK
    z = _mixed(y, (a + _rotated((b + _K2) & _MASK, 18) + c) & _MASK, factor)
    e = (_word(data, 16) * factor) & _MASK
    f = _word(data, 24)
    g = ((y + _word(data, length - 32)) * factor) & _MASK
    h = ((z + _word(data, length - 24)) * factor) & _MASK
    low = (_rotated((e + f) & _MASK, 43) + _rotated(g, 30) + h) & _MASK
    high = (e + _rotated((f + a) & _MASK, 18) + g) & _MASK
    return _mixed(low, high, factor)


def _weak(words: tuple[int, ...], a: int, b: int) -> tuple[int, int]:
    """Folds four words into two of state: weak on its own, good enough inside the loop."""
    first, second, third, fourth = words
    a = (a + first) & _MASK
    b = _rotated((b + a + fourth) & _MASK, 21)
    c = a
    a = (a + second + third) & _MASK
    b = (b + _rotated(a, 44)) & _MASK
    return (a + fourth) & _MASK, (b + c) & _MASK


def _longer(data: bytes, length: int) -> int:
    y = (_SEED * _K1 + 113) & _MASK
    z = (y * _K2 + 113) & _MASK
    z = ((z ^ (z >> 47)) * _K2) & _MASK
    x = (_SEED * _K2 + _word(data, 0)) & _MASK
    v = w = (0, 0)
    # The last block of 64 bytes, whole or overlapping the one before it, is folded in by a round of its own.
    last_round = (length - 1) // 64 * 64
    for at in range(0, last_round, 64):
        words = struct.unpack_from("<8Q", data, at)
        x = (_rotated((x + y + v[0] + words[1]) & _MASK, 37) * _K1) & _MASK
        y = (_rotated((y + v[1] + words[6]) & _MASK, 42) * _K1) & _MASK
        x ^= w[1]
        y = (y + v[0] + words[5]) & _MASK
        z = (_rotated((z + w[0]) & _MASK, 33) * _K1) & _MASK
        v = _weak(words[:4], (v[1] * _K1) & _MASK, (x + w[0]) & _MASK)
        w = _weak(words[4:], (z + w[1]) & _MASK, (y + words[2]) & _MASK)
        z, x = x, z
    factor = (_K1 + ((z & 0xFF) << 1)) & _MASK
    words = struct.unpack_from("<8Q", data, length - 64)
    w = ((w[0] + ((length - 1) & 63)) & _MASK, w[1])
    v = ((v[0] + w[0]) & _MASK, v[1])
    w = ((w[0] + v[0]) & _MASK, w[1])
    x = (_rotated((x + y + v[0] + words[1]) & _MASK, 37) * factor) & _MASK
    y = (_rotated((y + v[1] + words[6]) & _MASK, 42) * factor) & _MASK
    x ^= (w[1] * 9) & _MASK
    y = (y + v[0] * 9 + words[5]) & _MASK
    z = (_rotated((z + w[0]) & _MASK, 33) * factor) & _MASK
    v = _weak(words[:4], (v[1] * factor) & _MASK, (x + w[0]) & _MASK)
    w = _weak(words[4:], (z + w[1]) & _MASK, (y + words[2]) & _MASK)
    z, x = x, z
    low = (_mixed(v[0], w[0], factor) + ((y ^ (y >> 47)) * _K0) + z) & _MASK
    return _mixed(low, (_mixed(v[1], w[1], factor) + x) & _MASK, factor)
