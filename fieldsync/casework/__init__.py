"""The modules that know record types: cases, household events, referrals, sharing with partners."""
