"""What every other part may use: errors, progress, text, byte windows, paths."""
