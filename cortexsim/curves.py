"""Learning curves: every region's skill over time, in constant memory.

A region is scored before it learns, on every tick it is due, so a curve is honest by construction. The
sums of the scores are kept in a fixed number of bins; when a run outgrows them, neighbouring bins are added
together and each covers twice the ticks. Means and skills are formed only on reading, from sums, so neither
merging nor smoothing changes what a curve says.

The compiled driver adds into ``acc[region, (tick - start) // bin_width, field]``, with the fields of
:data:`cortexsim.measures.FIELDS`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cortexsim.curve_events import add_event
from cortexsim.curve_files import read_npz, summary, table_text, tidy_frame, write_csv, write_npz
from cortexsim.errors import FileError, InputError, nearest
from cortexsim.measures import FIELDS, MEASURES, measure_of, pool

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Curves:
    """The learning curves and events of one run.

    Parameters
    ----------
    regions : list of str
        Names of the regions, in the order of the rows of `acc`.
    kinds : list of str
        The kind of each.
    score : list of {"mse", "bits"}
        The unit of each region's loss: mean squared error per target unit, or bits per symbol.
    scores : list of {"forecast", "reconstruction"}
        Whether the scored output was made before its outcome or after.
    predicts : list of str
        What each region predicts, in words or as signals.
    bins : int
        Bins per curve, even.
    start : int
        The first tick that may be recorded.

    Attributes
    ----------
    acc : float64 array [regions, bins, 15]
        The sums, C-contiguous and at one address for the life of the object.
    bin_width : int
        Ticks per bin, a power of two.
    n_ticks : int
        Ticks run since `start`; whoever runs the ticks keeps it.
    events : list of dict
        ``{"tick", "what", "where", "detail", "count"}``, oldest first; `count` is how many events an entry
        stands for.

    Raises
    ------
    InputError
        Where the lists differ in length, a name comes twice, or a unit is unknown.

    Examples
    --------
    >>> curves = Curves(["V1"], ["delta"], ["mse"], ["forecast"], ["retina"], bins=4)
    >>> curves.acc[0, :4, :4] = [[1, 4, 4, 4], [1, 3, 4, 4], [1, 2, 4, 4], [1, 1, 4, 4]]
    >>> curves.n_ticks = 4
    >>> curves.curve("V1", "skill")
    array([0.  , 0.25, 0.5 , 0.75])
    >>> curves.merge()
    >>> curves.bin_width, curves.curve("V1", "skill")
    (2, array([0.125, 0.625]))
    """

    def __init__(self, regions: Sequence[str], kinds: Sequence[str], score: Sequence[str],
                 scores: Sequence[str], predicts: Sequence[str], bins: int = 512, start: int = 0) -> None:
        self.regions, self.kinds, self.predicts = list(regions), list(kinds), list(predicts)
        self.score, self.scores = list(score), list(scores)
        self.start = int(start)
        self.bin_width = 1
        self.n_ticks = 0
        self.events: list[dict[str, Any]] = []
        self._check(bins)
        self.acc: NDArray[np.float64] = np.zeros((len(self.regions), bins, len(FIELDS)))

    def _check(self, bins: int) -> None:
        if bins < 2 or bins % 2:
            raise InputError("curves", "bins must be even and at least 2", bins)
        for name in ("kinds", "score", "scores", "predicts"):
            if len(getattr(self, name)) != len(self.regions):
                raise InputError("curves", f"{name} must have one entry per region, {len(self.regions)}",
                                 len(getattr(self, name)))
        twice = [name for name, count in Counter(self.regions).items() if count > 1]
        if twice:
            raise InputError("curves", "region names must differ", twice[0])
        for values, allowed in ((self.score, ("mse", "bits")), (self.scores, ("forecast", "reconstruction"))):
            for region, value in zip(self.regions, values, strict=True):
                if value not in allowed:
                    raise InputError(f"curve of {region!r}", f"must score one of {allowed}", value,
                                     nearest(value, allowed))

    def __repr__(self) -> str:
        many = "s" * (len(self.regions) != 1)
        return (f"Curves: {len(self.regions)} region{many}, {self.n_ticks:,} ticks in {self._n_used} bins of "
                f"{self.bin_width:,}, {len(self.events)} events")

    # --- recording ---

    @property
    def bins(self) -> int:
        """Bins per curve."""
        return self.acc.shape[1]

    def capacity_left(self) -> int:
        """Ticks that may still be run before a merge is due."""
        return self.bins * self.bin_width - self.n_ticks

    def merge(self) -> None:
        """Add neighbouring bins together and double their width, in place."""
        half = self.bins // 2
        self.acc[:, :half] = self.acc[:, 0::2] + self.acc[:, 1::2]
        self.acc[:, half:] = 0.0
        self.bin_width *= 2

    def add_event(self, tick: int, what: str, where: str, detail: str = "") -> None:
        """Note an event: a lesion, growth, a reset, divergence. Where too many come, old ones are merged.

        Parameters
        ----------
        tick : int
            When.
        what : str
            One word for the kind of event.
        where : str
            The region or edge; "" for the whole graph.
        detail : str
            Anything more.
        """
        add_event(self.events, tick, what, where, detail)

    @property
    def events_dropped(self) -> int:
        """Events no longer told apart, because too many came."""
        return sum(event["count"] - 1 for event in self.events)

    def carry(self, new_regions: Sequence[str], kinds: Sequence[str], score: Sequence[str],
              scores: Sequence[str], predicts: Sequence[str]) -> Curves:
        """Curves for an edited graph: rows are kept by name, new regions start empty.

        Parameters
        ----------
        new_regions, kinds, score, scores, predicts : list of str
            As in the constructor.

        Returns
        -------
        Curves
            A new object. A row also starts empty where its unit, or what it scores, is no longer the same:
            the two cannot be added.
        """
        new = Curves(new_regions, kinds, score, scores, predicts, self.bins, self.start)
        new.bin_width, new.n_ticks = self.bin_width, self.n_ticks
        new.events = [dict(event) for event in self.events]
        for row, name in enumerate(new.regions):
            if name in self.regions:
                old = self.regions.index(name)
                if (self.score[old], self.scores[old]) == (new.score[row], new.scores[row]):
                    new.acc[row] = self.acc[old]
        return new

    # --- reading ---

    @property
    def _n_used(self) -> int:
        return min(self.bins, -(-self.n_ticks // self.bin_width))

    def _row(self, region: str) -> int:
        if region not in self.regions:
            raise InputError("curves", f"no region named {region!r}", hint=nearest(region, self.regions))
        return self.regions.index(region)

    @property
    def ticks(self) -> NDArray[np.float64]:
        """The middle of each bin used so far, in ticks; of the last one, the middle of its filled part."""
        first = np.arange(self._n_used) * self.bin_width
        return self.start + first + (np.minimum(self.bin_width, self.n_ticks - first) - 1) / 2

    def curve(self, region: str, measure: str = "skill", smooth: int = 1) -> NDArray[np.float64]:
        """One region's curve, a value for each of `ticks`.

        Parameters
        ----------
        region : str
            Name of the region.
        measure : str
            ``loss``, ``loss_last`` and ``loss_mean`` (the baselines *last value* and *running mean* on the
            same ticks), ``skill`` = 1 - loss / loss_mean, ``skill_last`` = 1 - loss / loss_last,
            ``baseline_skill`` = 1 - loss_last / loss_mean, ``update`` (rms change of the weights per learning
            tick), ``dead`` and ``saturated`` (fractions of the units), ``ticks`` scored, ``learned`` ticks;
            of a region that settles, ``energy`` (free energy at the end of a trial), ``energy_start`` (where it
            began to settle) and ``moved`` (rms of the state's last step); ``rate`` (the learning rate, the mean
            of its weights' where each has one) and ``anomaly`` (share of what came that was not predicted).
        smooth : int
            Bins pooled around each, by their sums.

        Returns
        -------
        float64 array [bins used]
            NaN where nothing was scored, where a skill is undefined because the baseline made no error, and
            for the last-value baseline of a region scored in bits.

        Raises
        ------
        InputError
            For an unknown region or measure, or `smooth` below 1.
        """
        row = self._row(region)
        if smooth < 1:
            raise InputError(f"curve of {region!r}", "smooth must be at least 1", smooth)
        sums = self.acc[row, :self._n_used]
        return measure_of(pool(sums, smooth), measure, np.asarray(self.score[row] != "bits"))

    def final(self, region: str, fraction: float = 0.1) -> dict[str, float]:
        """All measures over the last part of the run.

        Parameters
        ----------
        region : str
            Name of the region.
        fraction : float
            How much of the run, in (0, 1]. Whole bins are taken; a region that was not due there is judged by
            as long a stretch before its last scored tick.

        Returns
        -------
        dict of str to float
            A value for each of :data:`MEASURES`, each tick weighing the same.
        """
        row = self._row(region)
        if not 0 < fraction <= 1:
            raise InputError(f"curve of {region!r}", "fraction must be in (0, 1]", fraction)
        first, last = int(self.n_ticks * (1 - fraction)) // self.bin_width, self._n_used
        if not self.acc[row, first:last, 0].any():
            scored = np.flatnonzero(self.acc[row, :last, 0])
            length, last = last - first, int(scored[-1]) + 1 if len(scored) else last
            first = max(0, last - length)
        sums = self.acc[row, first:last].sum(axis=0)
        has_last = np.asarray(self.score[row] != "bits")
        return {measure: float(measure_of(sums, measure, has_last)) for measure in MEASURES}

    def table(self, fraction: float = 0.1) -> list[dict[str, Any]]:
        """One dict per region: what it is, its losses and skills at the end, its ticks over the whole run.

        Parameters
        ----------
        fraction : float
            The part of the run that counts as the end.

        Returns
        -------
        list of dict
            Keys ``region``, ``kind``, ``predicts``, ``scores``, ``unit``, ``loss``, ``loss_last``,
            ``loss_mean``, ``skill``, ``baseline_skill`` (of the last value), ``ticks`` (scored).
        """
        rows = []
        shown = ("loss", "loss_last", "loss_mean", "skill", "baseline_skill")
        for row, region in enumerate(self.regions):
            end = self.final(region, fraction)
            rows.append({"region": region, "kind": self.kinds[row], "predicts": self.predicts[row],
                         "scores": self.scores[row], "unit": "MSE" if self.score[row] == "mse" else "bits",
                         **{name: end[name] for name in shown},
                         "ticks": int(self.acc[row, :, 0].sum())})
        return rows

    def table_text(self, share: Mapping[str, float] | None = None, fraction: float = 0.1) -> str:
        """The table as aligned text, one line a region, in the order of the regions.

        Parameters
        ----------
        share : mapping of str to float, optional
            Each region's share of the running time, in 0..1, for one more column.
        fraction : float
            The part of the run that counts as the end.

        Returns
        -------
        str
            Lines without a break at the end.
        """
        return table_text(self.table(fraction), share)

    def to_dict(self, fraction: float = 0.1) -> dict[str, Any]:
        """The summary in plain values for JSON: ticks, table, events.

        Parameters
        ----------
        fraction : float
            The part of the run that counts as the end.

        Returns
        -------
        dict
            None stands for NaN and infinity, which JSON cannot hold.
        """
        return summary(self, fraction)

    def plot(self, regions: Sequence[str] | None = None, measure: str = "skill", columns: int | None = None,
             smooth: int | None = None) -> Figure:
        """Small multiples, one panel a region.

        Parameters
        ----------
        regions, measure, columns, smooth
            As in :func:`cortexsim.plot.plot_curves`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from cortexsim.plot import plot_curves  # matplotlib is slow to import, and not everybody plots
        return plot_curves(self, regions, measure, columns, smooth)

    # --- files ---

    def to_pandas(self) -> Any:
        """A tidy pandas.DataFrame: a line per region and bin; tick, region, kind, scores, every measure.

        Raises
        ------
        InputError
            Where pandas is not installed.
        """
        return tidy_frame(self)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the columns of `to_pandas` as CSV, an empty cell for NaN.

        Parameters
        ----------
        path : path
            Of the file; one that is there is replaced.

        Raises
        ------
        FileError
            Where the file cannot be written.
        """
        write_csv(self, path)

    def to_npz(self, path: str | os.PathLike[str]) -> None:
        """Write everything, exactly, for :meth:`from_npz`.

        Parameters
        ----------
        path : path
            Of the file; one that is there is replaced.

        Raises
        ------
        FileError
            Where the file cannot be written.
        """
        write_npz(self, path)

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str]) -> Curves:
        """Read what :meth:`to_npz` wrote.

        Parameters
        ----------
        path : path
            Of the file.

        Returns
        -------
        Curves

        Raises
        ------
        FileError
            Where there is no such file, or it does not hold learning curves.
        """
        words, acc = read_npz(path)
        try:
            curves = cls(words["regions"], words["kinds"], words["score"], words["scores"], words["predicts"],
                         acc.shape[1], words["start"])
        except InputError as error:
            where = f"file {os.fspath(path)!r}"
            raise FileError(where, f"does not hold learning curves ({error})") from error
        curves.acc, curves.events = acc, words["events"]
        curves.bin_width, curves.n_ticks = words["bin_width"], words["n_ticks"]
        return curves
