"""The papers' related work (section 2): each idea in a small example on generated data, of at most 80 lines."""
