"""Tables of what was measured, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def table(title: str, head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """A table of columns: the first to the left, all others to the right."""
    widths = [max(len(line[k]) for line in (head, *lines)) for k in range(len(head))]
    text = [title, ""]
    for line in (head, tuple("-" * w for w in widths), *lines):
        cells = [line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))]
        text.append("  " + "  ".join(cells).rstrip())
    return "\n".join(text) + "\n"


def giga(found: dict[str, float]) -> str:
    """A rate in G a second, with its quartiles."""
    return f"{found['median'] / 1e9:.2f} ({found['low'] / 1e9:.2f}-{found['high'] / 1e9:.2f})"


def percent(found: dict[str, float] | None) -> str:
    """A share, with its quartiles."""
    return "" if not found else f"{found['median']:.0%} ({found['low']:.0%}-{found['high']:.0%})"


def times(found: dict[str, float]) -> str:
    """A ratio, with its quartiles."""
    return f"{found['median']:.2f}x ({found['low']:.2f}-{found['high']:.2f})"


def count(value: float) -> str:
    """A rate of whole things, to three figures."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def size(number: float) -> str:
    """Bytes in a unit that fits."""
    for unit, scale in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if number >= 1 << scale:
            return f"{number / (1 << scale):.3g} {unit}"
    return f"{number:.0f} B"


def dims(case: Row) -> str:
    """Regions and sizes of a case."""
    return f"{case['regions']} x {case['units']}x{case['context']}"


def limit_table(rows: list[Row]) -> str:
    """The limits."""
    lines = [(row["case"]["level"], size(row["bytes"]), str(row["case"]["threads"]), giga(row["rate"]),
              f"{8 * row['rate']['median'] / 1e9:.0f}", row["loop"]) for row in rows]
    return table("The machine's limit: float32 weights read, changed and written back, G a second",
                 ("level", "weights", "threads", "limit", "GB/s", "loop"), lines)


def kernel_table(rows: list[Row]) -> str:
    """Kernels beside the limit."""
    lines = [(row["case"]["kind"], dims(row["case"]), row["level"], giga(row["rate"]), giga(row["limit"]),
              percent(row["share"])) if "rate" in row else
             (row["case"]["kind"], dims(row["case"]), "", row["error"][:60], "", "") for row in rows]
    text = table("Kernels alone, one thread: G weight updates a second, and share of the limit at that size",
                 ("kind", "size", "level", "kernel", "limit", "share"), lines)
    high = [row for row in rows if "share" in row and row["share"]["low"] > 1.05]
    if high:
        text += "  above 105 %: the limit was measured too low for " + ", ".join(
            f"{row['case']['kind']} {dims(row['case'])}" for row in high) + "\n"
    return text


def graph_table(rows: list[Row]) -> str:
    """Whole graphs."""
    lines = []
    for row in rows:
        case = row["case"]
        lines.append((dims(case), str(case["block"]), str(case["threads"]), count(row["ticks"]["median"]),
                      giga(row["rate"]), percent(row["share"]), percent(row["kernel"]),
                      times(row["block_gain"]) if case["block"] > 1 else "", percent(row["efficiency"]),
                      size(row["bytes"])))
    return table("Whole graphs of delta regions: D ticks a visit",
                 ("size", "D", "threads", "ticks/s", "G updates/s", "of the limit", "of the kernels", "against D = 1",
                  "efficiency", "memory"), lines)


def around_table(rows: list[Row]) -> str:
    """Time around the kernels."""
    lines = []
    for row in rows:
        found = row["nanoseconds"]
        lines.append((f"{row['case']['regions']} x {row['case']['units']}", str(row["case"]["block"]),
                      f"{found['median']:.0f} ({found['low']:.0f}-{found['high']:.0f})"))
    return table("Around the kernels: ns per region and tick with a kernel that does nothing",
                 ("regions x context", "D", "ns"), lines)


def sparse_table(rows: list[Row]) -> str:
    """Sparse contexts."""
    lines = [(dims(row["case"]), f"{row['case']['active']} %", count(row["ticks"]["median"]),
              count(row["dense"]["median"]), times(row["gain"]), times(row["kernel_gain"])) for row in rows]
    return table("Sparse contexts against dense ones, whole pipeline and kernels alone, one thread",
                 ("size", "active", "ticks/s", "dense", "gain", "kernels"), lines)


def glimpses_table(rows: list[Row]) -> str:
    """The main job."""
    lines = [(row["case"]["graph"], count(row["ticks"]["median"]), f"{row['microseconds']['whole']['median']:.2f}",
              f"{row['microseconds']['around']['median']:.2f}", f"{row['microseconds']['stream']['median']:.2f}",
              percent(row["outside"])) for row in rows]
    return table("Ready-made graphs, one thread: us a tick, whole, without kernels, and of the stream alone",
                 ("graph", "ticks/s", "whole", "no kernels", "stream", "outside kernels"), lines)


def startup_table(rows: list[Row]) -> str:
    """Start-up."""
    lines = []
    for row in rows:
        cells = [f"{row['wall'][step]['median']:.2f} / {row['processor'][step]['median']:.2f}"
                 for step in ("interpreter", "import", "first", "second")]
        lines.append((f"{row['case']['cache']} cache, {row['case']['threads']} threads", *cells, str(row["compiled"]),
                      str(row["second_compiled"])))
    return table("Start-up, seconds by the clock / of the processor",
                 ("", "interpreter", "import", "first tick", "second graph", "compiled", "for the second"), lines)


def peers_table(rows: list[Row]) -> str:
    """All peers, case by case."""
    text = []
    for case in dict.fromkeys(dims(row["case"]) for row in rows):
        here = [row for row in rows if dims(row["case"]) == case]
        ours = max((row["ticks"]["median"] for row in here if row["case"]["peer"] == "ours" and "ticks" in row),
                   default=0.0)
        lines = []
        for row in sorted(here, key=lambda row: -row.get("ticks", {"median": 0})["median"]):
            start = (f"{row['name']}, {row['case']['variant']}", str(row["case"]["threads"]))
            if "error" in row:
                lines.append((*start, row["error"][:60], "", ""))
            else:
                behind = ours / row["ticks"]["median"]
                lines.append((*start, count(row["ticks"]["median"]),
                              giga(row["rate"]) if row["rate"] else "not comparable",
                              f"{behind:.2f}x" if ours and row["case"]["peer"] != "ours" else ""))
        text.append(table(f"Peers at {case}", ("who", "threads", "ticks/s", "G updates/s", "our best against it"),
                          lines))
    for name, differs in dict.fromkeys((row["name"], row["differs"]) for row in rows if row["differs"]):
        text.append(f"  {name}: {differs}.")
    return "\n".join(text) + "\n"


def settling_table(rows: list[Row]) -> str:
    """Predictive coding: every job, and where our time goes."""
    text = []
    for job, moves in dict.fromkeys((row["case"]["job"], row["case"]["moves"]) for row in rows):
        here = [row for row in rows if (row["case"]["job"], row["case"]["moves"]) == (job, moves)]
        if job == "parts":
            found = here[0]["microseconds"]
            cells = (f"{part['median']:.1f} ({part['low']:.1f}-{part['high']:.1f})" for part in found.values())
            text.append(table("Where our time goes, us a sample, online, one thread", ("", *found, "outside kernels"),
                              [("image as context", *cells, percent(here[0]["outside"]))]))
            continue
        lines = []
        for row in sorted(here, key=lambda row: (row["case"]["threads"], -row.get("rate", {"median": 0})["median"])):
            start = f"{row['case']['peer']}, {row['case']['variant']}", str(row["case"]["threads"])
            if "error" in row:
                lines.append((*start, row["error"][:60], ""))
            else:
                lines.append((*start, count(row["rate"]["median"]), times(row["behind"]) if "behind" in row else ""))
        title = f"Predictive coding, {here[0]['case']['net']}, {job}, {moves} moves of the states"
        rate = "samples/s" if job == "online" else "questions/s"
        text.append(table(title, ("who", "threads", rate, "our best against it"), lines))
    text += [f"  {row['case']['peer']}, {row['case']['variant']}: {row['differs']}.\n" for row in rows
             if row.get("differs")]
    return "\n".join(text)


def memory_table(rows: list[Row]) -> str:
    """A temporal memory on high-order sequences."""
    lines = [(f"{row['case']['columns']} x {row['case']['cells']}", count(row["rate"]["median"]),
              count(row["run"]["median"]),
              *(f"{row['microseconds'][part]['median']:.1f}" for part in ("decoded", "run", "stream")),
              size(row["bytes"])) for row in rows]
    return table("Temporal memory on high-order sequences, one thread: elements a second, and us for each",
                 ("columns x cells", "decoded/s", "run/s", "decoded", "run", "stream", "memory"), lines)


def reservoirs_table(rows: list[Row]) -> str:
    """Reservoirs with an online readout."""
    lines = []
    for row in sorted(rows, key=lambda row: -row.get("rate", {"median": 0})["median"]):
        who = ", ".join(filter(None, (row["case"]["peer"], row["case"]["variant"])))
        lines.append((who, row["error"][:60], "") if "error" in row else
                     (who, count(row["rate"]["median"]), times(row["behind"]) if "behind" in row else ""))
    units = rows[0]["case"]["units"]
    return table(f"A reservoir of {units} units with recursive least squares, online, one thread",
                 ("who", "steps/s", "ours against it"), lines)


def summary(result: Row) -> str:
    """The peers at their best settings, ticks a second, as a table in Markdown: what the README shows."""
    best: dict[tuple[str, str], float] = {}
    for row in result["rows"]:
        if row["section"] == "peers" and "ticks" in row:
            who = row["name"] + (f", {row['case']['variant']}" if row["case"]["peer"] == "ours" else "")
            at = dims(row["case"]).replace(" x ", " of ")
            best[at, who] = max(best.get((at, who), 0.0), row["ticks"]["median"])
    everyone = sorted({who for _, who in best},
                      key=lambda who: -sum(rate for (_, name), rate in best.items() if name == who))
    lines = [("regions", *everyone), ("---",) * (1 + len(everyone))]
    for at in dict.fromkeys(at for at, _ in best):
        lines.append((at, *(count(best[at, who]) if (at, who) in best else "" for who in everyone)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


TABLES = {"limit": limit_table, "kernels": kernel_table, "graphs": graph_table, "around": around_table,
          "startup": startup_table, "sparse": sparse_table, "glimpses": glimpses_table,
          "predictive_coding": settling_table, "memory": memory_table,
          "reservoirs": reservoirs_table, "peers": peers_table}


def head(result: Row) -> str:
    """What was measured on, in two lines."""
    machine = result["machine"]
    caches = ", ".join(f"{level} {size(number)}" for level, number in machine["caches"].items())
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    text = (f"{machine['processor']}, {machine['cores']} cores, {caches}, {size(machine['memory'])}; "
            f"{machine['system']}, Python {machine['python']}\n{versions}\n")
    free = free_cores(result["rows"])
    if free is not None and free < 0.9:
        text += (f"Other programs were busy: two threads did {2 * free:.1f} times the work of one in caches of their "
                 "own. Figures of two threads are lower bounds.\n")
    return text


def free_cores(rows: list[Row]) -> float | None:
    """What two threads did in their own caches, of twice the work of one: 1 on a machine that does nothing else."""
    rates = {(row["case"]["level"], row["case"]["threads"]): row["rate"]["median"] for row in rows
             if row["section"] == "limit" and row["case"]["level"] in ("L1", "L2")}
    return min((rate / (2 * rates[level, 1]) for (level, threads), rate in rates.items()
                if threads == 2 and (level, 1) in rates), default=None)


def tables(result: Row) -> str:
    """All tables of a result."""
    text = [head(result)]
    for section, make in TABLES.items():
        rows = [row for row in result["rows"] if row["section"] == section]
        if rows:
            text.append(make(rows))
    return "\n".join(text)
