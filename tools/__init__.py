"""What developers run in a checkout: `make generate`, `make new-report`. No part of the library or its wheel."""
