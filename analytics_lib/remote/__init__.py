"""Brings a lake from S3: listing, stores, copies for work offline."""
