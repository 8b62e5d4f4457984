"""Recipes as hypothesis draws them: short ones first, which is also how it makes a failure small."""

from __future__ import annotations

from hypothesis import strategies as st

NUMBERS = st.integers(0, (1 << 16) - 1)
RECIPES = st.tuples(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=3), NUMBERS)
