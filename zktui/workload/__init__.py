"""Making and changing an ensemble's workload: deploying it, rolling updates with quorum beside them, its history."""
