"""Speed and memory on a large lake, measured against the time that reading its bytes takes: `make bench`."""
