"""The maintenance engine: standard library and core only, no screen, no adapter."""
