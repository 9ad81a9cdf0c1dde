"""What people and their tools ask of a running relay, and what they change in it."""
