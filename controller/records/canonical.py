"""JSON of records: strict parsing, and the canonical bytes that seals and digests are made over.

The subset of JSON a record uses: objects, arrays, strings, whole numbers, true, false, null. For it `canonical_bytes` equals
RFC 8785 (JCS). Whatever two parsers could read differently is refused: names that appear twice, fractions, NaN, lone
surrogates, a byte order mark, anything after the end.
"""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from controller.errors import RecordRefused
from controller.records.refusals import problem

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"

MAX_BYTES = 1 << 20  # photo, signature and chip in base64 are at most 350 kB; the rest is room for indentation
MAX_DEPTH = 8  # a record nests 2 deep
MAX_VALUES = 256  # a record has about 45; bounds the work for a hostile body
_MAX_INT = 2**53 - 1  # the largest whole number every JSON reader keeps exact (RFC 8785, RFC 7493)
_SPACE = re.compile(r"[ \t\n\r]*")


def parse_json(body: bytes, max_bytes: int = MAX_BYTES) -> Json:
    """Read one JSON document. Raises RecordRefused with one problem saying line and column (1-based, in characters)."""
    if len(body) > max_bytes:
        raise RecordRefused([problem("json.too_large", max=max_bytes)])
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordRefused([problem("json.encoding", byte=error.start)]) from None  # its text repeats the content
    return _Reader(text).document()


def canonical_bytes(value: Json) -> bytes:
    """The one byte form of `value` by RFC 8785: names sorted by UTF-16 code units, no spaces, UTF-8."""
    return _ENCODER.encode(_ordered(value)).encode("utf-8")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _ordered(value: Json) -> Json:
    if isinstance(value, dict):
        plain = all(map(str.isascii, value))  # then code units are in the order of the characters, and sorting is fast
        return {name: _ordered(value[name]) for name in (sorted(value) if plain else sorted(value, key=_utf16))}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be")


class _NumberError(ValueError):
    """A number that is not a whole number within +-(2**53 - 1)."""


def _whole(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _MAX_INT:  # length first: int() of a million digits is slow
        raise _NumberError
    return int(text)


def _no_number(_text: str) -> int:
    raise _NumberError


_SCALARS = json.JSONDecoder(parse_int=_whole, parse_float=_no_number, parse_constant=_no_number)


class _Reader:
    """Walks objects and arrays; strings and numbers are left to the standard library's scanner."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._values = 0

    def document(self) -> Json:
        self._skip_space()
        value = self._value(0)
        if self._at != len(self._text):
            raise self._refused("json.syntax", what="something follows the end")
        return value

    def _value(self, depth: int) -> Json:
        self._values += 1
        if self._values > MAX_VALUES:
            raise RecordRefused([problem("json.values", max=MAX_VALUES)])
        opening = self._text[self._at : self._at + 1]
        if opening not in ("{", "["):
            value: Json = self._scalar()
        elif depth == MAX_DEPTH:
            raise self._refused("json.depth", max=MAX_DEPTH)
        else:
            value = self._object(depth) if opening == "{" else self._array(depth)
        self._skip_space()
        return value

    def _object(self, depth: int) -> Json:
        found: dict[str, Json] = {}
        self._step()
        while not self._took("}"):
            if found:
                self._expect(",")
            start = self._at
            name = self._name()
            if name in found:
                raise self._refused("json.duplicate", at=start)
            self._expect(":")
            found[name] = self._value(depth + 1)
        return found

    def _array(self, depth: int) -> Json:
        found: list[Json] = []
        self._step()
        while not self._took("]"):
            if found:
                self._expect(",")
            found.append(self._value(depth + 1))
        return found

    def _name(self) -> str:
        if self._text[self._at : self._at + 1] != '"':
            raise self._refused("json.syntax", what="expecting a name in double quotes")
        name = self._scalar()
        self._skip_space()
        return str(name)

    def _scalar(self) -> str | int | bool | None:
        start = self._at
        try:
            value, self._at = _SCALARS.raw_decode(self._text, start)
            if isinstance(value, str) and not value.isascii():
                value.encode("utf-8")  # an escape such as \ud800 alone is no character
        except json.JSONDecodeError as error:  # all causes are cut: they carry the content
            raise self._refused("json.syntax", at=error.pos, what=error.msg.lower()) from None
        except UnicodeEncodeError:
            raise self._refused("json.syntax", at=start, what="half a surrogate pair") from None
        except _NumberError:
            raise self._refused("json.number", at=start) from None
        assert value is None or isinstance(value, str | int)
        return value

    def _step(self) -> None:
        self._at += 1
        self._skip_space()

    def _took(self, sign: str) -> bool:
        if self._text[self._at : self._at + 1] != sign:
            return False
        self._at += 1
        return True

    def _expect(self, sign: str) -> None:
        if not self._took(sign):
            raise self._refused("json.syntax", what=f"expecting '{sign}'")
        self._skip_space()

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None  # the pattern matches the empty string
        self._at = match.end()

    def _refused(self, code: str, *, at: int | None = None, **facts: str | int) -> RecordRefused:
        at = self._at if at is None else at
        facts["line"] = self._text.count("\n", 0, at) + 1
        facts["column"] = at - self._text.rfind("\n", 0, at)
        return RecordRefused([problem(code, "", **facts)])
