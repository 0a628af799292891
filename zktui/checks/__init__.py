"""Kubernetes' ZooKeeper tutorial, chapter by chapter, as checks with evidence: gathered once, judged by pure rules."""
