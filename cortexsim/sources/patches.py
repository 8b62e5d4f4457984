"""Overlapping patches of a photograph as the retina passes it on, for models of the primary visual cortex.

Each sample is another place of the picture, drawn at random: a field of patches side by side, each ``shift`` pixels
to the right of the one before. In a graph with trials there is one sample a trial. Sources, by default:

======  ============  ====================================================
left    (side, side)  the patch at the left end of the field
middle  (side, side)  the next one, which shares side - shift columns with it
right   (side, side)  the one at the right end
======  ============  ====================================================

The picture has been through a difference of two Gaussians, as in retina and thalamus, and is divided by its standard
deviation; at its border the filter sees it mirrored. Each patch fades towards its rim by a Gaussian window. Places
where there is little to see, such as sky or a plain wall, are left out: those whose field has a standard deviation,
before the window, below ``contrast``. The others are drawn evenly and independently.

Cost: about 10 microseconds a sample, 80 where each is read alone. The seed draws the same places on every machine that
decodes the file to the same pixels.

Source: the preparation follows R. P. N. Rao and D. H. Ballard, Nature Neuroscience 2 (1999) 79-87,
doi:10.1038/4580.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter, uniform_filter

from cortexsim.errors import InputError
from cortexsim.sources import block_rng, resolve, whole_number
from cortexsim.sources.glimpses import SAMPLE, load_gray

_WHERE = "stream 'patches'"
_BLOCK = 1024  # places drawn at once


def difference_of_gaussians(pictures: np.ndarray, centre: float = 0.7, surround: float = 2.0) -> np.ndarray:
    """Filter pictures as retina and thalamus do: a narrow mean minus a wide one.

    Parameters
    ----------
    pictures : float array [..., height, width]
        Mirrored at their borders.
    centre, surround : float
        Standard deviations in pixels of the two Gaussians; a `centre` of 0 takes the pixel itself.

    Returns
    -------
    float64 array [..., height, width]
        Zero where a picture is even.

    Examples
    --------
    >>> dot = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    >>> difference_of_gaussians(dot, centre=0, surround=1).round(2).tolist()[1]
    [-0.02, -0.1, 0.84, -0.12]
    """
    pictures = np.asarray(pictures, np.float64)
    others = (0.0,) * (pictures.ndim - 2)  # axes that are left alone
    return (gaussian_filter(pictures, (*others, centre, centre))
            - gaussian_filter(pictures, (*others, surround, surround)))


class Stream:
    """Patches of a photograph; the text of this module says what each source delivers.

    Parameters
    ----------
    image : path
        See `cortexsim.sources.glimpses.load_gray`.
    side : int
        Of a patch, in pixels.
    shift : int
        From each patch to the next, in pixels.
    sources : sequence of str
        Names of the patches from left to right; one name is one patch.
    centre, surround : float
        See `difference_of_gaussians`; `surround` must be the larger.
    window : float
        Standard deviation in pixels of the Gaussian by which a patch fades; 0 does without.
    contrast : float
        Places with less are left out, where 1 is the contrast of the whole filtered picture; 0 leaves out none.
    longest_side : int
        See `cortexsim.sources.glimpses.load_gray`.
    seed : int
        Of the places.
    base_dir : path, optional
        Where a relative `image` path starts.

    Attributes
    ----------
    picture : float32 array [height, width]
        What is looked at: filtered, standard deviation 1.
    scale : float
        What the filtered picture was divided by.
    field : tuple of int
        Rows and columns that all patches together cover.
    position : int
        The sample that comes next.

    Raises
    ------
    InputError
        An option is out of range, the picture is too small for it, or has no place with so much contrast.
    FileError
        The picture cannot be read.

    Examples
    --------
    >>> eye = Stream(seed=1)
    >>> eye.shapes()
    {'left': (16, 16), 'middle': (16, 16), 'right': (16, 16)}
    >>> eye.field, eye.read(2)["left"].shape
    ((16, 26), (2, 256))
    """

    length = None  # places are drawn for ever

    def __init__(self, image: str | Path = SAMPLE, side: int = 16, shift: int = 5,
                 sources: Sequence[str] = ("left", "middle", "right"), centre: float = 0.7, surround: float = 2.0,
                 window: float = 5.0, contrast: float = 0.25, longest_side: int = 1024, seed: int = 0,
                 base_dir: str | Path | None = None) -> None:
        self.side = whole_number(_WHERE, "side", side, 1)
        self.shift = whole_number(_WHERE, "shift", shift, 0)
        self.sources = _names(sources)
        self.centre, self.surround = _number("centre", centre), _number("surround", surround)
        if self.surround <= self.centre:
            raise InputError(_WHERE, f"surround must be larger than centre ({self.centre:g})", got=surround)
        self._window = _fading(self.side, _number("window", window))
        self.contrast = _number("contrast", contrast)
        self.seed = whole_number(_WHERE, "seed", seed, 0)
        self.field = self.side, self.side + self.shift * (len(self.sources) - 1)
        whole_number(_WHERE, "longest_side", longest_side, 0)
        resolve(_WHERE, image, base_dir)  # here, so that an error names this stream
        picture = difference_of_gaussians(load_gray(image, base_dir, longest_side), self.centre, self.surround)
        self.scale = float(picture.std())
        where = f"image {str(image)!r}"
        if not self.scale > 1e-6:
            raise InputError(where, f"nothing is left of it after a filter of centre {self.centre:g} and surround "
                             f"{self.surround:g}", got=self.scale, hint="take a larger surround")
        self.picture = (picture / self.scale).astype(np.float32)
        self._places = self._worth_a_look(where)
        self._fields = sliding_window_view(self.picture, self.field)
        self.position = 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return dict.fromkeys(self.sources, (self.side, self.side))

    def seek(self, tick: int) -> None:
        """Go to sample `tick`, at once."""
        self.position = whole_number(_WHERE, "tick", tick, 0)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next `n` samples of each source, float32 [n, size]; they never end."""
        rows, columns = self.gaze(self.position, n).T
        self.position += n
        return self._cut(self._fields[rows, columns])

    def gaze(self, tick: int, n: int = 1) -> np.ndarray:
        """Give the top left pixel (row, column) of the field at `n` samples, int [n, 2], without moving on."""
        first = tick // _BLOCK
        drawn = np.concatenate([block_rng("patches", self.seed, block).integers(len(self._places), size=_BLOCK)
                                for block in range(first, (tick + n) // _BLOCK + 1)])
        return self._places[drawn[tick - first * _BLOCK:][:n]]

    def see(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Give what the sources deliver where the field is the middle of other pictures, such as drawn bars.

        Parameters
        ----------
        pictures : float array [n, height, width]
            At least as large as the field; what is around it reaches the filter only. They are filtered like the
            photograph and divided by the same number, so that 1 is as bright as one standard deviation of its pixels.

        Returns
        -------
        dict
            Source name -> float32 array [n, size].

        Raises
        ------
        InputError
            The array has another number of axes, or its pictures are too small.
        """
        pictures = np.asarray(pictures)
        if pictures.ndim != 3 or pictures.shape[1] < self.field[0] or pictures.shape[2] < self.field[1]:
            raise InputError(_WHERE, f"pictures must be an array [n, height, width] of at least {self.field[0]} rows "
                             f"and {self.field[1]} columns", got=pictures.shape)
        top, left = ((have - need) // 2 for have, need in zip(pictures.shape[1:], self.field, strict=True))
        filtered = difference_of_gaussians(pictures, self.centre, self.surround) / self.scale
        return self._cut(filtered[:, top:top + self.field[0], left:left + self.field[1]])

    def _cut(self, fields: np.ndarray) -> dict[str, np.ndarray]:
        patches = {name: fields[:, :, k * self.shift:k * self.shift + self.side] * self._window
                   for k, name in enumerate(self.sources)}
        return {name: rows.reshape(len(fields), self.side**2).astype(np.float32) for name, rows in patches.items()}

    def _worth_a_look(self, where: str) -> np.ndarray:
        """Give the top left pixels of all fields with enough contrast, int [n, 2]."""
        height, width = (have - need + 1 for have, need in zip(self.picture.shape, self.field, strict=True))
        if height < 1 or width < 1:
            raise InputError(where, f"too small for these patches: needs at least {self.field[0]} rows and "
                             f"{self.field[1]} columns", got=self.picture.shape,
                             hint="use a larger picture, or a smaller side or shift")
        top, left = self.field[0] // 2, self.field[1] // 2  # of the pixel to which uniform_filter writes a mean
        wide = self.picture.astype(np.float64)  # the difference of two means needs the digits
        mean, square = (uniform_filter(values, self.field)[top:top + height, left:left + width]
                        for values in (wide, wide**2))
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        places = np.argwhere(deviation >= self.contrast)
        if not len(places):
            most = math.floor(1000 * deviation.max()) / 1000
            raise InputError(_WHERE, f"contrast must be at most {most}, the most that a place of {where} has",
                             got=self.contrast)
        return places


def _names(sources: Sequence[str]) -> list[str]:
    listed = isinstance(sources, (list, tuple)) and all(isinstance(name, str) and name for name in sources)
    if not listed or not sources or len(set(sources)) < len(sources):
        raise InputError(_WHERE, "sources must be a list of different names", got=sources)
    return list(sources)


def _number(name: str, value: float) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise InputError(_WHERE, f"{name} must be a number of at least 0", got=value)
    return float(value)


def _fading(side: int, deviation: float) -> np.ndarray:
    """Give the window of a patch, [side, side]: 1 in its middle."""
    if deviation == 0:
        return np.ones((side, side))
    across = np.arange(side) - (side - 1) / 2
    fade = np.exp(-across**2 / (2 * deviation**2))
    return np.outer(fade, fade)
