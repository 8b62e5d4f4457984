"""Files that have been damaged on purpose, and what their readers make of them.

``python tests/fuzz/run.py --inputs 100000`` is the long run; tests/fuzz/test_fuzz.py a short one.
"""
