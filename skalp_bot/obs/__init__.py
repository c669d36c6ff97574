"""What people and machines watch: logs and metrics."""
