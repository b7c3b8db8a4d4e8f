"""How the run index came to be what it is, step by step: one file in `versions/` for each change of its tables.

A file there is never changed once an app has run it, and describes its tables itself: `models.tables` is what they are
after the last one.
"""
