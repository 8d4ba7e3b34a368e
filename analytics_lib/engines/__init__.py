"""What runs SQL over the two views, and the SQL files with their parameters."""
