"""Tables and lists with one value, key or branch changed: files that every parser takes, and few readers."""

from __future__ import annotations

import copy
import json
import math
import tomllib
from collections.abc import Sequence
from typing import Any

import tomlkit

from fuzz import nasty


def _number(text: str) -> Any:
    """A word as the number it writes, where it writes one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


VALUES: tuple[Any, ...] = (
    *map(_number, nasty.NUMBERS), *nasty.WORDS, *nasty.KEYS, True, False, None, [], {}, [[]], [[[[]]]], [1, 2],
    [4, 4, 4], [1 << 28, 2], [0], [-1, 3], ["a", 1], [None], [math.nan], {"a": 1}, {"from": "V1.state@1"}, {"from": 3},
    {"": ""}, {"from": "eye@1", "field": "window(2)", "extra": []}, ["eye@1"] * 3, ["eye@1..1000"] * 20, "eye@1..1000",
    1 << 28, 1 << 20, (1 << 20) + 1, 1 << 31, -(1 << 31), (1 << 63) - 1, 1e300, -1e300, 1e-300)


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every value in a tree: the table or list it is in, and its key."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        branch = waiting.pop()
        if isinstance(branch, dict | list):
            for key in list(branch) if isinstance(branch, dict) else range(len(branch)):
                found.append((branch, key))
                waiting.append(branch[key])
    return found


def change_tree(tree: Any, a: int, b: int, c: int) -> Any:
    """A tree with one change.

    Parameters
    ----------
    tree : dict or list
        Left as it is.
    a, b, c : int
        Where, what, and into what.

    Returns
    -------
    object
    """
    tree = copy.deepcopy(tree)
    found = places(tree)
    if not found:
        return VALUES[c % len(VALUES)]
    branch, key = found[a % len(found)]
    change = b % 8
    if change < 3:
        branch[key] = VALUES[c % len(VALUES)]
    elif change == 3:
        where, there = found[c % len(found)]
        branch[key] = copy.deepcopy(where[there])
    elif change == 4 and isinstance(branch, dict):
        names = (*nasty.KEYS, *(name for _, name in found if isinstance(name, str)))
        branch[names[c % len(names)]] = branch.pop(key)
    elif change == 5:
        branch.pop(key)
    elif change == 6:
        branch[key] = [branch[key]] * (c % 3) if c % 2 else {nasty.KEYS[c % len(nasty.KEYS)]: branch[key]}
    elif isinstance(branch, list):
        branch.insert(c % (len(branch) + 1), copy.deepcopy(branch[key]))
    else:
        branch[nasty.KEYS[c % len(nasty.KEYS)]] = VALUES[(c // 64) % len(VALUES)]
    return tree


def change_json(text: str, numbers: Sequence[int]) -> str | None:
    """JSON with one change; None where it is none."""
    try:
        return json.dumps(change_tree(json.loads(text), *numbers), ensure_ascii=numbers[0] % 2 == 0)
    except (ValueError, RecursionError):
        return None


def change_toml(text: str, numbers: Sequence[int]) -> str | None:
    """TOML with one change; None where it is none, or cannot hold it."""
    try:
        return tomlkit.dumps(change_tree(tomllib.loads(text), *numbers))
    except Exception:  # tomlkit has many words for a value that TOML cannot hold
        return None
