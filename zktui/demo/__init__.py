"""The embedded rehearsal cluster; it imports nothing else of zktui."""
