"""The controllers: each brings one kind of object to what its spec says, from whatever state it finds."""
