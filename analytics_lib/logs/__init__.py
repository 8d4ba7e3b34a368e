"""Logs: what lies in a CloudWatch log group, asked with Insights or read again into a lake."""
