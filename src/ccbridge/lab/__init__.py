"""A disposable real PBX with phones, a carrier and PostgreSQL: for tests, for the demo, to try things on."""
