"""MAY they? Keys and limits. The door asks here once for each call, and nowhere else is anything allowed."""
