"""Drills: something is broken on purpose, at one place and with its way back, and what follows is measured."""
