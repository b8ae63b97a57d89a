"""Pure words of the domain: no database, no network, no clock."""
