"""The parser, the options and the running of commands, which all commands share."""
