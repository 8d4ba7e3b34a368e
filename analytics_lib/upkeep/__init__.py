"""What changes a lake or its catalogue: set-up, compaction, adopting, erasing."""
