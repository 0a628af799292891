"""What a real API server answers, word for word, and the requests that make it do so.

``cases_*.py`` hold the requests, ``recorded/*.json`` the answers of the Kubernetes version named in them.
``python -m tests.e2e.record`` records them anew. tests/unit/demo/test_vectors.py sends the same requests to the
embedded server and compares; tests/unit/cluster/test_vectors.py lets zktui's own decoders read the recorded answers.
"""
