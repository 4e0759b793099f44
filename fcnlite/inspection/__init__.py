"""`python -m fcnlite.data`: what a folder of labelled pictures holds, what is wrong with it, and its conversion."""
