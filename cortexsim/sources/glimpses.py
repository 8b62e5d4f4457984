"""Glimpses of a photograph through a moving eye.

At each tick a saccade moves the gaze and the eye delivers what it then sees. Sources:

========  ======================  ======================================================================
fovea     (fovea, fovea)          the patch at the gaze, at full resolution
surround  (surround, surround)    block means of ``surround_span`` pixels square with the same centre
saccade   (2,)                    the move (downward, rightward) over the largest length; jump: (0, 0)
motor     (number of moves + 1,)  one-hot: ``motor[k]`` is ``moves[k]``, the last one a free jump
========  ======================  ======================================================================

`saccade` and `motor` at tick t are the move that leads to the fovea at tick t: they are known before the
outcome. A saccade is drawn evenly among the moves that keep the whole window inside the picture, so no pixel
is ever made up. Now and then, and at tick 0, the gaze jumps to a place drawn evenly over the picture: a jump
has no direction, so its vector is zero and only the motor command tells of it.

The picture is gray, with mean 0 and standard deviation 1 over all its pixels. Cost: under a microsecond per
tick. The seed makes the same glimpses on every machine that decodes the file to the same pixels.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cortexsim.errors import FileError, InputError, nearest
from cortexsim.sources import block_rng, resolve, whole_number

SAMPLE = "grace_hopper.jpg"  # the photograph that matplotlib carries
COMPASS = {"N": (-1, 0), "NE": (-1, 1), "E": (0, 1), "SE": (1, 1), "S": (1, 0), "SW": (1, -1), "W": (0, -1),
           "NW": (-1, -1)}  # rows downward, columns rightward

_BLOCK = 4096  # ticks walked at once; the gaze before each block is kept, so that seeking back is free
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def load_gray(image: str | Path = SAMPLE, base_dir: str | Path | None = None,
              longest_side: int = 1024) -> np.ndarray:
    """Read a picture as standardised gray values.

    Parameters
    ----------
    image : path
        ``"grace_hopper.jpg"`` alone is the photograph that matplotlib carries (``"./grace_hopper.jpg"`` is a
        file of that name); anything else is a file of any format that Pillow reads.
    base_dir : path, optional
        Where a relative path starts.
    longest_side : int
        A larger picture is shrunk to this many pixels, since a fovea sees only blur in a small part of a
        photograph of many megapixels; 0 keeps every pixel.

    Returns
    -------
    float32 array [height, width]
        Mean 0 and standard deviation 1 over all pixels.

    Raises
    ------
    FileError
        The file is missing or is not a picture.
    InputError
        All pixels have the same value.

    Examples
    --------
    >>> load_gray().shape
    (600, 512)
    """
    longest_side = whole_number("stream 'glimpses'", "longest_side", longest_side, 0)
    if str(image) == SAMPLE:
        # imported by name and only here: matplotlib is slow to import, and only its file is wanted
        path = Path(importlib.import_module("matplotlib.cbook").get_sample_data(SAMPLE, asfileobj=False))
    else:
        path = resolve("stream 'glimpses'", image, base_dir)
    gray = _decode(path, longest_side)
    deviation = gray.std()
    # float rounding leaves a little deviation in a picture of one value
    if not deviation > 1e-6 * max(1.0, float(np.abs(gray).max())):
        raise InputError(f"image {str(path)!r}", "all pixels have the same value, so there is nothing to see")
    return ((gray - gray.mean()) / deviation).astype(np.float32)


def _decode(path: Path, longest_side: int) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    where = f"image {str(path)!r}"
    if not path.is_file():
        what = "is a folder, not a picture" if path.is_dir() else "no such file"
        raise FileError(where, what, hint=f"image = {SAMPLE!r} is the photograph that matplotlib carries")
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            deep = picture.mode[0] in "IF"  # gray of more than 8 bits, which "RGB" would clip
            picture = picture.convert("F" if deep else "RGB")
            if longest_side and max(picture.size) > longest_side:
                ratio = longest_side / max(picture.size)
                width, height = (max(1, round(side * ratio)) for side in picture.size)
                picture = picture.resize((width, height), Image.Resampling.BOX)
            pixels = np.asarray(picture, dtype=np.float64)
    except UnidentifiedImageError as error:
        raise FileError(where, "is not a picture that Pillow can read") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FileError(where, f"the picture cannot be read: {error}") from error
    return pixels @ _LUMA if pixels.ndim == 3 else pixels


class Stream:
    """Glimpses of a photograph; the text of this module says what each source delivers.

    Parameters
    ----------
    image : path
        See `load_gray`.
    fovea : int
        Side of the foveal patch in pixels.
    surround : int
        Side of the surround in blocks.
    surround_span : int
        Side of the surround in pixels: a multiple of `surround`, at least `fovea`.
    directions : sequence of str
        Compass points: N, NE, E, SE, S, SW, W, NW (north is up).
    lengths : sequence of int
        Pixels along each axis that the direction has. Moves are every direction with every length, named
        ``"E2"``.
    jump_probability : float
        Chance of a free jump at each tick, 0 to 1.
    longest_side : int
        See `load_gray`.
    seed : int
        Of the walk.
    base_dir : path, optional
        Where a relative `image` path starts.

    Attributes
    ----------
    moves : list of str
        Names of the moves in the order of the motor command's components.
    picture : float32 array [height, width]
        What is looked at.
    position : int
        The tick that the next row belongs to.

    Raises
    ------
    InputError
        An option is out of range, or the picture is too small for it.
    FileError
        The picture cannot be read.

    Examples
    --------
    >>> eye = Stream(fovea=8, seed=1)
    >>> eye.moves
    ['E2', 'E5', 'N2', 'N5', 'W2', 'W5', 'S2', 'S5']
    >>> eye.read(1)["motor"].tolist()
    [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]
    """

    length = None  # the walk never ends

    def __init__(self, image: str | Path = SAMPLE, fovea: int = 16, surround: int = 12,
                 surround_span: int = 48, directions: Sequence[str] = ("E", "N", "W", "S"),
                 lengths: Sequence[int] = (2, 5), jump_probability: float = 0.02, longest_side: int = 1024,
                 seed: int = 0, base_dir: str | Path | None = None) -> None:
        where = "stream 'glimpses'"
        self.fovea = whole_number(where, "fovea", fovea, 1)
        self.surround = whole_number(where, "surround", surround, 1)
        self.surround_span = whole_number(where, "surround_span", surround_span, self.fovea)
        if self.surround_span % self.surround:
            below = self.surround_span // self.surround * self.surround
            raise InputError(where, f"surround_span must be a multiple of surround ({self.surround})",
                             got=self.surround_span, hint=f"try {max(below, self.surround)}")
        self.moves, self._steps = _repertoire(where, directions, lengths)
        number = isinstance(jump_probability, (int, float)) and not isinstance(jump_probability, bool)
        if not number or not 0 <= jump_probability <= 1:
            raise InputError(where, "jump_probability must be a number from 0 to 1", got=jump_probability)
        self.jump_probability = float(jump_probability)
        self.seed = whole_number(where, "seed", seed, 0)
        self.picture = load_gray(image, base_dir, longest_side)
        self._check_size(f"image {str(image)!r}")
        self._prepare_views()
        self._starts = [(0, 0)]  # the gaze before each block; the first does not matter, since tick 0 jumps
        self._walked: tuple[int, np.ndarray] | None = None
        self.position = 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return {"fovea": (self.fovea, self.fovea), "surround": (self.surround, self.surround),
                "saccade": (2,), "motor": (len(self.moves) + 1,)}

    def seek(self, tick: int) -> None:
        """Go to `tick`. Ticks never reached before are walked on the way, about half a microsecond each."""
        self.position = whole_number("stream 'glimpses'", "tick", tick, 0)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next `n` ticks of each source, float32 [n, size]; the walk never ends."""
        path = self._path(self.position, n)
        self.position += n
        rows, columns, move = path[:, 0], path[:, 1], path[:, 2]
        motor = np.zeros((n, len(self.moves) + 1), np.float32)
        motor[np.arange(n), move] = 1
        return {"fovea": self._fovea_view[rows, columns].reshape(n, self.fovea ** 2),
                "surround": self._surround_view[rows, columns].reshape(n, self.surround ** 2),
                "saccade": self._vectors[move], "motor": motor}

    def gaze(self, tick: int, n: int = 1) -> np.ndarray:
        """Give the top left pixel (row, column) of the fovea at `n` ticks, int [n, 2], without moving on."""
        inset = (self.surround_span - self.fovea) // 2
        return self._path(tick, n)[:, :2] + inset

    def _check_size(self, where: str) -> None:
        height, width = self.picture.shape
        reach = np.abs(self._steps).max(axis=0)
        need = self.surround_span + reach
        if height < need[0] or width < need[1]:
            raise InputError(where, f"too small for a surround_span of {self.surround_span} pixels and these "
                             f"moves: needs at least {need[0]} rows and {need[1]} columns",
                             got=(height, width), hint="use a larger picture, or a smaller surround_span")

    def _prepare_views(self) -> None:
        # _fovea_view[row, column] is the fovea of the gaze whose window of surround_span starts there, and
        # _surround_view[row, column] its block means: no copy is made before a tick is read
        span, side = self.surround_span, self.surround_span // self.surround
        inset = (span - self.fovea) // 2
        height, width = self.picture.shape
        self._gazes = (height - span + 1, width - span + 1)
        self._fovea_view = sliding_window_view(self.picture, (self.fovea, self.fovea))[inset:, inset:]
        # a float64 table of sums keeps the rounding of block means below float32
        sums = np.zeros((height + 1, width + 1))
        sums[1:, 1:] = self.picture.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
        means = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        means = (means / side ** 2).astype(np.float32)
        windows = sliding_window_view(means, (span - side + 1, span - side + 1))
        self._surround_view = windows[:, :, ::side, ::side]
        jump = np.zeros((1, 2))
        self._vectors = (np.concatenate([self._steps, jump]) / np.abs(self._steps).max()).astype(np.float32)

    def _path(self, tick: int, n: int) -> np.ndarray:
        """Give row, column and move of ticks, int [n, 3]."""
        pieces = [np.empty((0, 3), np.intp)]
        end = tick + n
        while tick < end:
            block, offset = divmod(tick, _BLOCK)
            piece = self._block(block)[offset:offset + end - tick]
            pieces.append(piece)
            tick += len(piece)
        return pieces[1] if len(pieces) == 2 else np.concatenate(pieces)

    def _block(self, block: int) -> np.ndarray:
        """Give the path of one block of ticks, walking any before it that were never reached."""
        if self._walked is None or self._walked[0] != block:
            for index in range(min(block, len(self._starts) - 1), block + 1):
                path = self._walk(index)
                if index + 1 == len(self._starts):
                    self._starts.append((int(path[-1, 0]), int(path[-1, 1])))
            self._walked = block, path
        return self._walked[1]

    def _walk(self, block: int) -> np.ndarray:
        """Walk one block of ticks from where the one before ended."""
        draws = block_rng("glimpses", self.seed, block).random((_BLOCK, 4))
        jumps = draws[:, 0] < self.jump_probability
        jumps[0] |= block == 0
        height, width = self._gazes
        places = (draws[:, 2:] * (height, width)).astype(np.intp).tolist()
        steps, reach = self._steps.tolist(), int(np.abs(self._steps).max())
        n_moves = len(steps)
        row, column = self._starts[block]
        path = []
        # Python numbers: each tick needs the one before, and they are several times faster here than numpy's
        for jump, choice, place in zip(jumps.tolist(), draws[:, 1].tolist(), places, strict=True):
            if jump:
                move = n_moves
            elif reach <= row < height - reach and reach <= column < width - reach:
                move = int(choice * n_moves)
            else:
                move = self._move_inside(row, column, choice)
            if move == n_moves:
                row, column = place
            else:
                down, right = steps[move]
                row, column = row + down, column + right
            path.append((row, column, move))
        return np.array(path, np.intp)

    def _move_inside(self, row: int, column: int, choice: float) -> int:
        """Choose evenly among the moves that stay inside; a jump where this repertoire has none."""
        height, width = self._gazes
        inside = [move for move, (down, right) in enumerate(self._steps.tolist())
                  if 0 <= row + down < height and 0 <= column + right < width]
        return inside[int(choice * len(inside))] if inside else len(self.moves)


def _repertoire(where: str, directions: Sequence[str],
                lengths: Sequence[int]) -> tuple[list[str], np.ndarray]:
    """Give the names of all moves and their steps, int [n_moves, 2]."""
    for name, values in (("directions", directions), ("lengths", lengths)):
        listed = isinstance(values, (list, tuple, np.ndarray))
        if not listed or len(values) == 0 or len(set(map(str, values))) < len(values):
            raise InputError(where, f"{name} must be a list of different values", got=values)
    for direction in directions:
        if direction not in COMPASS:
            raise InputError(where, f"unknown direction {direction!r}", hint=nearest(str(direction), COMPASS))
    pixels = [whole_number(where, "each of lengths", length, 1) for length in lengths]
    moves = [f"{direction}{length}" for direction in directions for length in pixels]
    steps = [(COMPASS[direction][0] * length, COMPASS[direction][1] * length)
             for direction in directions for length in pixels]
    return moves, np.array(steps, np.intp)
