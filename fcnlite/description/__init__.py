"""A network as data: its description, shapes and fillers."""
