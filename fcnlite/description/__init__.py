"""A network as data: its description, model information, shapes and fillers."""
