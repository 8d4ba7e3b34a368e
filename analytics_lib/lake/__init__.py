"""Where records lie: which files are read, the reader, the samples and the quality check."""
