"""The ways in: everything that talks to people, to files named by them, and to the network."""
