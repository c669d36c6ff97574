"""The vocabulary: values only."""
