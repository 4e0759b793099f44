"""Segments pictures with a net, evaluates the result, and draws it."""
