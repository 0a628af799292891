"""zktui: take a node down under a ZooKeeper ensemble without losing quorum, and be able to prove it."""

__version__ = "0.1.0"
