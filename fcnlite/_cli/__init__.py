"""How the commands run, their parser, and the options that several of them have."""
