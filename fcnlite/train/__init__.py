"""`python -m fcnlite.train`: learn to segment from labelled pictures."""
