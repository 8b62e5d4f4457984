"""Others at the same work: one module a peer, found by listing this folder.

A module of this folder whose name does not begin with an underscore brings

- ``NAME``: how it is shown; ``VARIANTS``: dict, variant -> what it does, in words; ``DIFFERS``: what differs from the
  work of the others, in words ("" where nothing does);
- ``NEEDS``: the package to import, "" for none beyond those of cortexsim;
- ``THREADS``: the numbers of threads it is worth running on; ``MOST``, optional: the most weights that it makes
  ready within a minute;
- ``start(problem, variant, threads)``: an object with ``run(ticks)``, which runs so many ticks, and ``weights()``, all
  weights as an array (regions, units, context), or None where the work differs; an attribute ``updates`` of None says
  that the weights it learns at a tick cannot be counted.
"""
