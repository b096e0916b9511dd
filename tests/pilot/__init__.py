"""A pilot, played: one headquarters, three branches, twelve laptops, a month with an update in the middle; see README.md."""
