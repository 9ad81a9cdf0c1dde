"""Everything that `relay check` knows beyond what loading finds."""
