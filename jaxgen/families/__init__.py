"""Learning problems: what data, loss, sampler and judge belong together; one folder each."""
