"""Two thousand damaged files: each is read, or refused with an error of the package that names the place."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from fuzz.recipes import RECIPES
from fuzz.targets import TARGETS, feed, make

INPUTS = 2000
SHARES = {"toml": 5, "json": 3, "graphml": 3, "curves": 3, "npz": 3, "csv": 3, "checkpoint": 3, "summary": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def test_every_format_has_a_share():
    assert SHARES.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", list(TARGETS))
def test_a_damaged_file_is_read_or_refused(name, folder):
    outcomes = []

    @settings(max_examples=-(-INPUTS * SHARES[name] // sum(SHARES.values())),
              suppress_health_check=list(HealthCheck))
    @given(recipe=RECIPES)
    def fuzz(recipe):
        outcome = feed(name, make(name, *recipe), folder)
        outcomes.append(outcome.what)
        assert outcome.what != "failed", outcome.words

    fuzz()
    # files that are all refused at their first byte would prove nothing
    assert outcomes.count("refused") > len(outcomes) / 10
    assert len(outcomes) * sum(SHARES.values()) >= INPUTS * SHARES[name]
