"""One module a report: tables in, sentences and figures out."""
