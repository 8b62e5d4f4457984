"""How fast cortexsim is, beside what the machine allows and what others reach."""

from __future__ import annotations

import os

# before numpy is imported: BLAS threads of one process stand in the way of the next, and of its own other threads
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
