"""What the commands share: how they run, their parser, and the options that several of them have."""
