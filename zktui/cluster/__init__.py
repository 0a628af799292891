"""Everything that talks to a Kubernetes API server; `connect.connect` is the way in."""
