"""What is seen: strategies and their features."""
