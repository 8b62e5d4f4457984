"""A recipe of small numbers turns a sound file into a damaged one: the same recipe always into the same.

Each step of a recipe is four numbers: which change, and three that say where and into what. Steps are on bytes, on
the tokens of a text, or on the parts of an archive, where those of an array or a table in it are changed as such.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence

from fuzz import nasty
from fuzz.trees import change_json, change_toml
from fuzz.zips import Member, npy, put_together, split_npy, take_apart

Step = tuple[int, int, int, int]
LONGEST = 1 << 19  # bytes that a mutant may have

BRACKETS = ("[]", "{}", "[[[[]]]]", "[1, 2]", "[" * 40 + "]" * 40, "{a = 1}", '{"a": 1}', "null", "true", '""',
            "[1e999]")
_TOKEN = re.compile(r"""-?\d[\w.+-]*|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\b(?:true|false|null|NaN)\b|[A-Za-z_]+""")


def at(data: Sequence, number: int) -> int:
    """A place in a sequence, its ends included."""
    return number % (len(data) + 1)


def pick(options: Sequence, number: int):
    """One of some options."""
    return options[number % len(options)]


# -- bytes -------------------------------------------------------------------------------------------------------------

def flip(data: bytes, a: int, b: int, c: int, other: bytes) -> bytes:
    """One bit the other way."""
    if not data:
        return data
    place = (a * 65537 + c) % len(data)
    return data[:place] + bytes([data[place] ^ 1 << b % 8]) + data[place + 1:]


def cut(data: bytes, a: int, b: int, c: int, other: bytes) -> bytes:
    """The end is missing."""
    return data[:(a * 65537 + c) % (len(data) + 1)]


def drop(data: bytes, a: int, b: int, c: int, other: bytes) -> bytes:
    """A part is missing."""
    place = at(data, a * 31 + c)
    return data[:place] + data[place + b % 64:]


def double(data: bytes, a: int, b: int, c: int, other: bytes) -> bytes:
    """A part comes twice."""
    place = at(data, a * 31 + c)
    return data[:place] + data[place:place + b % 512] + data[place:]


def splice(data: bytes, a: int, b: int, c: int, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[:at(data, a * 31)] + other[at(other, b * 31):]


def put(data: bytes, a: int, b: int, c: int, other: bytes) -> bytes:
    """Bytes that mean something to many formats."""
    place = at(data, a * 31 + c)
    known = (b"\x00", b"\xff" * 4, b"\x00" * 8, b"\xff" * 8, b"\x80", b"\xfe\xff", b"\xef\xbb\xbf", b"PK\x05\x06",
             b"PK\x01\x02", b"\x93NUMPY", b"\xed\xa0\x80", b"\r\n", b"\x7f\xff\xff\xff")
    new = pick(known, b)
    return data[:place] + new + data[place + (len(new) if b % 2 else 0):]


BYTES: tuple[Callable, ...] = (flip, flip, cut, drop, double, splice, put, put)


# -- text --------------------------------------------------------------------------------------------------------------

def token(text: str, a: int, b: int, c: int, other: str) -> str:
    """Another value in the place of one."""
    found = list(_TOKEN.finditer(text))
    if not found:
        return text
    match = pick(found, a)
    old = match[0]
    quoted = old[0] in "\"'"
    values = (nasty.NUMBERS, nasty.WORDS, nasty.KEYS, BRACKETS)
    new = pick(pick(values, b), c)
    if quoted and b % 4 in (1, 2):
        new = old[0] + new.replace(old[0], "") + old[0]
    return text[:match.start()] + new + text[match.end():]


def swap(text: str, a: int, b: int, c: int, other: str) -> str:
    """A value from another place, or another file."""
    found, there = list(_TOKEN.finditer(text)), list(_TOKEN.finditer(other if c % 2 else text))
    if not found or not there:
        return text
    match = pick(found, a)
    return text[:match.start()] + pick(there, b)[0] + text[match.end():]


def lines(text: str, a: int, b: int, c: int, other: str) -> str:
    """Lines doubled, lost, moved, or from elsewhere."""
    rows = text.split("\n")
    place = a % len(rows)
    change = c % 5
    if change == 0:
        rows[place:place] = rows[place:place + 1 + b % 4]
    elif change == 1:
        del rows[place:place + 1 + b % 4]
    elif change == 2:
        rows.insert(place, rows.pop(b % len(rows)))
    elif change == 3:
        rows.insert(place, pick(nasty.LINES, b))
    else:
        rows.insert(place, pick(other.split("\n"), b))
    return "\n".join(rows)


def many(text: str, a: int, b: int, c: int, other: str) -> str:
    """A piece of text, hundreds of times."""
    place = at(text, a)
    return text[:place] + text[place:place + 1 + c % 20] * (b % 400) + text[place:]


TEXTS: tuple[Callable, ...] = (token, token, token, swap, swap, lines, lines, many)


def change_text(data: bytes, step: Step, other: bytes, tree: Callable = change_json) -> bytes:
    """One step on a text, which stays text for the most part; often it is a tree, of which one branch changes."""
    change, a, b, c = step
    if change % 8 == 7:
        return change_bytes(data, (change // 8, a, b, c), other)
    text = data.decode("utf-8", "surrogateescape")
    made = tree(text, (a, b, c)) if change % 8 < 5 else None
    if made is None:
        made = pick(TEXTS, change // 8)(text, a, b, c, other.decode("utf-8", "surrogateescape"))
    try:
        return made.encode("utf-8", "surrogateescape")[:LONGEST]
    except UnicodeEncodeError:  # half a character that a table held
        return made.encode("utf-8", "surrogatepass")[:LONGEST]


def change_toml_text(data: bytes, step: Step, other: bytes) -> bytes:
    """One step on TOML."""
    return change_text(data, step, other, change_toml)


def change_bytes(data: bytes, step: Step, other: bytes) -> bytes:
    """One step on bytes."""
    change, a, b, c = step
    return pick(BYTES, change)(data, a, b, c, other)[:LONGEST]


# -- archives ----------------------------------------------------------------------------------------------------------

LIES = ("crc", "packed", "size", "at", "flags", "method")
NUMBERS = (0, 1, 8, 12, 14, 99, 1 << 15, 0xFFFF, 1 << 20, 1 << 30, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
VALUES = (b"\xff" * 8, b"\0" * 8, b"\x01", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\xc0\x7f", b"\0\0\x80\x7f",
          b"\0\0\0\0\0\0\xf8\x7f", b"\x40", b"\xe8\x03", b"\0\0\x80\x3f", b"\xff" * 7 + b"\x7f", b"\0" * 7 + b"\x40",
          b"\x02", b"\x07")
NAMES = ("../x.npy", "/etc/x.npy", "a\\b.npy", "", ".npy", "x\x00.npy", "x", "manifest.json", "acc.npy", "words.npy",
         "a//b.npy", "C:x.npy", "\u00e4.npy", "x" * 2000 + ".npy")
HEADERS = ("'descr': '|O'", "'descr': '<f8'", "'descr': '<M8[ns]'", "'descr': [('a', '<f4')]", "'descr': '<U9'",
           "'descr': '|V8'", "'descr': '|b1'", "'descr': '>f4'", "'descr': '|S4'", "'descr': '<c16'",
           "'descr': '<f16'", "'fortran_order': True", "'shape': ()", "'shape': (0,)", "'shape': (-1,)",
           "'shape': (1152921504606846976,)", "'shape': (0, 4611686018427387904)", "'shape': (3, 4, 5)",
           "'shape': (1,)" + ", 'x': 1", "'shape': " + "(" * 200, "'shape': (1" + ", 1" * 70 + ")",
           "'shape': (" + "9" * 3000 + ",)", "'descr': '<U999999999'", "'shape': (2**60,)")


def change_archive(data: bytes, step: Step, other: bytes) -> bytes:
    """One step on an archive: on its bytes, its directory, a header, the values or the words of a member."""
    change, a, b, c = step
    try:
        members = take_apart(data)
    except Exception:  # damaged by an earlier step
        return change_bytes(data, step, other)
    if change % 16 == 0 or not members:
        return change_bytes(data, (change // 16, a, b, c), other)
    member = pick(members, a)
    before = behind = b""
    kind = max(3, change % 16 - 6)
    if kind == 3:
        words = [one for one in members if one.name.endswith(".json") or b"'<U" in one.content[:99]]
        _change_inside(pick(words, a) if words and c % 3 == 0 else member, (change // 16, b, c, a), other)
    elif kind == 4:
        member.lies[pick(LIES, b)] = pick(NUMBERS, c) if c % 2 else len(member.content) + c % 9 - 4
    elif kind == 5:
        member.name = pick((*NAMES, pick(members, b).name), c)
    elif kind == 6:
        members.insert(b % (len(members) + 1), Member(member.name if c % 2 else pick(NAMES, c), member.content))
    elif kind == 7:
        members.remove(member)
    elif kind == 8:
        member.method = zipfile.ZIP_STORED if member.method else zipfile.ZIP_DEFLATED
    else:
        before, behind = pick(((b"", b"x" * 9), (b"x" * 7, b""), (data[:99], b"")), b)
    return put_together(members, before, behind)[:LONGEST]


def _change_inside(member: Member, step: Step, other: bytes) -> None:
    """Another header, other values, other words."""
    change, a, b, c = step
    if member.name.endswith(".json"):
        member.content = change_text(member.content, step, member.content)
        return
    head, values = split_npy(member.content)
    if change % 3 == 0:
        new = pick(HEADERS, a)
        key = new.partition(":")[0]
        head = re.sub(rf"{key}: (\([^)]*\)|'[^']*'|\w+)", lambda match: new, head)
        member.content = npy(head.strip(), values)
    elif "<U" in head:
        text = values.decode("utf-32-le", "replace")
        changed = change_text(text.encode("utf-8", "surrogatepass"), (change // 3, a, b, c), b"{}")
        text = changed.decode("utf-8", "replace")
        member.content = npy(f"{{'descr': '<U{len(text)}', 'fortran_order': False, 'shape': (), }}",
                             text.encode("utf-32-le", "surrogatepass"))
    elif change % 3 == 1:
        size = int(found[1]) if (found := re.search(r"[iufb](\d)'", head)) else 1
        place = a * 257 % max(1, len(values) // size) * size
        new = pick(VALUES, b) if c % 2 else values[c * 31 % max(1, len(values) // size) * size:]
        member.content = npy(head.strip(), values[:place] + new[:size].ljust(size, b"\0") + values[place + size:])
    else:
        member.content = npy(head.strip(), change_bytes(values, (change // 3, a, b, c), values))


# -- a whole recipe ----------------------------------------------------------------------------------------------------

CHANGES = {"text": change_text, "toml": change_toml_text, "archive": change_archive}


def mutant(seeds: Sequence[bytes], how: str, recipe: Sequence[Step], first: int) -> bytes:
    """The file that a recipe makes of one of some seeds."""
    data = pick(seeds, first)
    for step in recipe:
        data = CHANGES[how](data, step, pick(seeds, first + 1 + step[3] % 7))
    return data
