"""Subcommands without a screen: the same store and the same engine, printed as text or JSON."""
