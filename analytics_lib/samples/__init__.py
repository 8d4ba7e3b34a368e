"""The made-up business and its generator."""
