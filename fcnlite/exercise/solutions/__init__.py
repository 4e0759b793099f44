"""Solutions. Read them after your own has passed."""
