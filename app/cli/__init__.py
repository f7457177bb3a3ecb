"""The command line: a file for each family of commands; each parses and makes one call."""
