"""Real parts for the whole-system tests: a broker, a Redis, a provider, and the programs in bin/.

Nothing here sleeps and hopes: every wait polls with a deadline and says what it waited for.
"""
