"""What the commands share: parsers and the options of data and imports."""
