"""Who must know: rules compiled once, matched by index, and explained one by one."""
