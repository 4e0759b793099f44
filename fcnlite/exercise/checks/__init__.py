"""The checks of each exercise, a file each, from what is needed first to what is easily forgotten.

The expected results are the engine's. The typical mistakes of an exercise are functions that make them.
"""
