"""The joint model at work: contract, registry, networks, stages, consistency."""
