"""Why a restore failed, and what would fail."""
