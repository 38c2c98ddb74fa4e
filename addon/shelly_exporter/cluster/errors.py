"""What can go wrong between several instances."""


class ClusterError(Exception):
    """Instances cannot work together as they are set up; the text names the remedy."""


class RedisAwayError(ClusterError):
    """Redis does not answer, or refuses to; the text says which. It may be back at any time."""
