"""What a check-up of a simulation found: findings with their remedies, a table of the regions, and one of the edges."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 110  #: Columns of the text.
SHOWN = 24  #: Edges in the text, at most.
#: Columns of the table of regions: name, heading, format.
COLUMNS = (("region", "region", ""), ("kind", "kind", ""), ("learned", "learned", ",d"), ("skill", "skill", ".3f"),
           ("noise", "+-", ".3f"), ("dead", "dead", ".1%"), ("saturated", "saturated", ".1%"), ("rate", "rate", ".3g"),
           ("bytes", "arrays", "bytes"), ("ring_bytes", "signals", "bytes"), ("flops", "flop/tick", ",.0f"),
           ("share", "time", ".1%"))
#: The same of the table of edges.
EDGE_COLUMNS = (("edge", "edge", ""), ("role", "role", ""), ("felt_by", "felt most by", ""), ("loss", "loss", ".4g"),
                ("loss_without", "without", ".4g"), ("change", "change", "change"), ("noise", "+-", "noise"),
                ("verdict", "", ""))


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    severity : {"problem", "note"}
        A problem: something does not work as the graph says it should. A note: worth knowing, may be as wanted.
    what : str
        One of the words in docs/doctor.md, such as ``"dead units"``.
    where : str
        ``"region 'V1'"``, an edge or a source.
    evidence : str
        What was measured.
    remedy : str
        What to do about it.
    numbers : dict
        What was measured, for programs.
    """

    severity: str
    what: str
    where: str
    evidence: str
    remedy: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What a check-up found; ``str`` gives it as text.

    Attributes
    ----------
    name : str
        Of the graph.
    tick : int
        After how many ticks.
    findings : list of Finding
        Problems first.
    table : list of dict
        One dict a region.
    edges : list of dict
        One dict for each edge that was silenced on a copy; empty where none was.
    unchecked : list of str
        What could not be examined, why, and how it can be.
    """

    name: str
    tick: int
    findings: list[Finding]
    table: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    unchecked: list[str]

    @property
    def ok(self) -> bool:
        """Whether no problem was found; notes do not count."""
        return not self.problems

    @property
    def problems(self) -> list[Finding]:
        """The findings that are problems."""
        return [finding for finding in self.findings if finding.severity == "problem"]

    @property
    def notes(self) -> list[Finding]:
        """The other findings."""
        return [finding for finding in self.findings if finding.severity != "problem"]

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain values for JSON; None stands for NaN and infinity, which JSON cannot hold."""
        findings = [{"severity": f.severity, "what": f.what, "where": f.where, "evidence": f.evidence,
                     "remedy": f.remedy, "numbers": dict(f.numbers)} for f in self.findings]
        return _plain({"graph": self.name, "tick": self.tick, "ok": self.ok, "findings": findings,
                       "regions": self.table, "edges": self.edges, "unchecked": self.unchecked})

    def __str__(self) -> str:
        lines = [f"{self.name or 'graph'} after {self.tick:,} ticks: {_count(self.problems, 'problem')}, "
                 f"{_count(self.notes, 'note')}"]
        for title, group in (("problems", self.problems), ("notes", self.notes)):
            if group:
                lines += ["", title, *(line for finding in group for line in _paragraph(finding))]
        if self.unchecked:
            lines += ["", "not examined", *(_wrapped(text, "  ") for text in self.unchecked)]
        lines += ["", table_text(self.table, COLUMNS)]
        if self.edges:
            lines += ["", *self._edges_text()]
        return "\n".join(lines)

    def _edges_text(self) -> list[str]:
        """The edges; of many, those that matter least."""
        shown = self.edges
        if len(shown) > SHOWN:
            least = sorted(shown, key=lambda row: (row["verdict"] == "used", abs(row["change"] or 0.0)))[:SHOWN]
            shown = [row for row in self.edges if row in least]
        more = len(self.edges) - len(shown)
        return [table_text(shown, EDGE_COLUMNS)] + [f"and {more} edges without which errors grow more"] * (more > 0)


def _count(group: Sequence[Finding], word: str) -> str:
    return f"{len(group)} {word}{'s' * (len(group) != 1)}"


def _paragraph(finding: Finding) -> list[str]:
    return [f"  {finding.where}: {finding.what}", _wrapped(finding.evidence, "    "),
            _wrapped(f"remedy: {finding.remedy}", "    ")]


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False,
                         break_long_words=False)


def bytes_text(size: float) -> str:
    """A number of bytes for people.

    Examples
    --------
    >>> [bytes_text(n) for n in (512, 3 * 2**10, 5 * 2**20)]
    ['512 B', '3.0 KiB', '5.0 MiB']
    """
    for unit, least in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= least:
            return f"{size / least:.1f} {unit}"
    return f"{size:.0f} B"


def table_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str, str]]) -> str:
    """Rows as aligned text; columns in which nothing stands are left out.

    Parameters
    ----------
    rows : sequence of mapping
        None and NaN are shown as a dash.
    columns : sequence of (str, str, str)
        Key, heading and format of each.

    Returns
    -------
    str
        Lines without a break at the end.
    """
    cells = {key: [_cell(row.get(key), how) for row in rows] for key, _, how in columns}
    shown = [column for column in columns if any(cell != "-" for cell in cells[column[0]])]
    lines = [[heading for _, heading, _ in shown]]
    lines += [[cells[key][k] for key, _, _ in shown] for k in range(len(rows))]
    widths = [max(len(line[c]) for line in lines) for c in range(len(shown))]
    aligned = [[cell.rjust(width) if how else cell.ljust(width)
                for cell, width, (_, _, how) in zip(line, widths, shown, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def _cell(value: Any, how: str) -> str:
    if value is None or isinstance(value, float) and math.isnan(value):
        return "-"
    if how in ("change", "noise"):
        return share_text(value, "+" * (how == "change"))
    return bytes_text(value) if how == "bytes" else format(value, how)


def share_text(value: float, sign: str = "+") -> str:
    """A relative change, with as many digits as mean something.

    Examples
    --------
    >>> [share_text(change) for change in (0.0002, -0.031, 0.5, 28.4)]
    ['+0.02%', '-3.10%', '+50%', 'x 29']
    """
    if value >= 10:
        return f"x {1 + value:.2g}" if sign else f"{value:.2g}"
    return format(value, f"{sign}.2%" if abs(value) < 0.1 else f"{sign}.0%")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
