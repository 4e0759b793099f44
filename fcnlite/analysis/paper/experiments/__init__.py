"""One module for each row of the table of experiments, except those of related work."""
