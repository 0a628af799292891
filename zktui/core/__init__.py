"""The ensemble's model and the rules on it: standard library only, no input or output."""
