"""ZooKeeper's side: four-letter words, sessions, the znode tree and the probe. The only package that imports kazoo.

Pods are reached through `zktui.core.ports.Dialer` alone, so nothing here knows Kubernetes, and no name is looked up.
"""
